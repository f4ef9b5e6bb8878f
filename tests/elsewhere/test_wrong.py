"""Wrong files of predictions, each with what is said of it; none of them scores anything or keeps anything."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from benchmark.cli.main import app
from benchmark.data.manifest import CLASSES, Manifest
from benchmark.elsewhere import given
from benchmark.errors import InputError
from tests.elsewhere.conftest import Rows, predictions, write_csv

Break = Callable[[Path, Rows], Path]
OTHER = ("--dataset", "sim-g")


def text(content: bytes, name: str = "x.csv") -> Break:
    def make(folder: Path, rows: Rows) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def rows_(change: Callable[[Rows], Any], *header: str) -> Break:
    def make(folder: Path, rows: Rows) -> Path:
        changed = change(rows)
        return write_csv(folder / "x.csv", rows if changed is None else changed, header or ("image", *CLASSES))

    return make


def put(row: int, column: int, value: Any) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[row][column] = value

    return change


def npz(**arrays: Any) -> Break:
    def make(folder: Path, rows: Rows) -> Path:
        whole = {
            "image": np.array([row[0] for row in rows]), "classes": np.array(CLASSES),
            "probabilities": np.array([row[1:] for row in rows]),
        } | arrays  # fmt: skip
        np.savez(folder / "x.npz", **{name: one for name, one in whole.items() if one is not None})
        return folder / "x.npz"

    return make


def parquet(**columns: Any) -> Break:
    def make(folder: Path, rows: Rows) -> Path:
        whole: dict[str, Any] = {name: [row[k] for row in rows] for k, name in enumerate(("image", *CLASSES))}
        whole |= {name: one if isinstance(one, pa.Array) else [one] * len(rows) for name, one in columns.items()}
        pq.write_table(pa.table(whole), folder / "x.parquet")
        return folder / "x.parquet"

    return make


def bomb(folder: Path, rows: Rows) -> Path:
    with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("image", "classes", "logits"):
            archive.writestr(f"{name}.npy", b"\0" * 40_000_000)
    return folder / "x.npz"


def huge_header(folder: Path, rows: Rows) -> Path:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 24)})
    whole = npz(probabilities=None)(folder, rows)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("logits.npy", head.getvalue())
    return whole


WRONG: dict[str, tuple[Break, str, tuple[str, ...]]] = {
    "absent file": (lambda folder, rows: folder / "none.csv", "none.csv: no such file", ()),
    "a folder": (lambda folder, rows: (folder / "x.csv").mkdir() or folder / "x.csv", "x.csv: no such file", ()),
    "another kind of file": (text(b"x", "x.xlsx"), "ending: not a file of predictions; found '.xlsx'; allowed: .csv, .parquet, .npz", ()),
    "empty file": (text(b""), "is empty; found '0 bytes'", ()),
    "header alone": (rows_(lambda rows: []), "holds no image", ()),
    "not text": (text(b"image,1\n\xff\xfe"), "byte 8: not text in UTF-8", ()),
    "prose": (text(b"Dear Sir or Madam,\nplease find our results\n"), "image: wants one column of image ids; found 'Dear Sir or Madam, '", ()),
    "broken quotes": (text(("image," + ",".join(CLASSES) + '\n"a"b,' + "0," * 24).encode()), "not valid CSV", ()),
    "no id column": (rows_(lambda rows: None, "file", *CLASSES), "image: wants one column of image ids", ()),
    "a class too few": (rows_(lambda rows: [row[:-1] for row in rows], "image", *CLASSES[:-1]), "columns: wrong classes: lacks 'Y'; found '23 classes'", ()),
    "a class too many": (rows_(lambda rows: [[*row, 0] for row in rows], "image", *CLASSES, "marker"), "wrong classes: does not know 'marker'; found '25 classes'", ()),
    "classes from 0": (rows_(lambda rows: None, "image", *map(str, range(24))), "wrong classes: lacks 'X', 'Y'; does not know '0', '23'", ()),
    "a class twice": (rows_(lambda rows: None, "image", "1", *CLASSES[:-1]), "lacks 'Y'; has twice '1'", ()),
    "a short line": (rows_(lambda rows: [rows[0][:-1], *rows[1:]]), "line 2: wrong number of columns; found 24; allowed: 25", ()),
    "text for a number": (rows_(put(1, 3, "high")), "line 3, 3: not a number; found 'high'", ()),
    "an empty number": (rows_(put(0, 24, "")), "line 2, Y: not a number; found ''", ()),
    "NaN": (rows_(put(0, 5, "nan")), "5: must be finite; found nan", ()),
    "infinity": (rows_(put(0, 5, "-inf")), "5: must be finite; found -inf", ()),
    "an absent image": (rows_(lambda rows: rows[1:]), "1 of 48 test images of fold 0 are absent; found 'no c0-00'", ()),
    "an image twice": (rows_(lambda rows: [rows[0], *rows]), "image: the same image twice; found 'c0-00'", ()),
    "an unknown image": (rows_(put(0, 0, "karyotype-7")), "1 of 48 images are none of sim-q; found 'karyotype-7'", ()),
    "images of another fold": (rows_(put(0, 0, "c1-00")), "1 images are no test images of fold 0; found 'c1-00'", ()),
    "a fold that the track has not": (rows_(lambda rows: None), "no such fold; found 3; allowed: 0", ("--fold", "3")),
    "a fold twice": (rows_(lambda rows: None), "--fold: the same fold twice", ("--fold", "0", "--fold", "0")),
    "a softmax that does not sum to 1": (rows_(put(0, 1, 0.9999)), "c0-00: probabilities must sum to 1; found", ()),
    "percent called probabilities": (rows_(put(0, 1, 52.0)), "c0-00, 1: not a probability; found 52.0", ("--values", "probabilities")),
    "unknown form": (rows_(lambda rows: None), "--values: unknown; found 'percent'", ("--values", "percent")),
    "pickled": (npz(image=np.array([{"a": 1}], dtype=object)), "image: holds pickled objects, which are never loaded", ()),
    "no archive": (text(b"PK not really", "x.npz"), "not NumPy's archive (.npz)", ()),
    "arrays of other names": (npz(labels=np.zeros(3)), "wrong arrays; found 'classes, image, labels, probabilities'", ()),
    "no class names": (npz(classes=None), "wrong arrays", ()),
    "a wrong shape": (npz(probabilities=np.zeros((48, 23))), "probabilities: wrong type or shape; found 'float64 (48, 23)'", ()),
    "text as numbers": (npz(probabilities=np.full((48, 24), "x")), "probabilities: wrong type or shape", ()),
    "the file says otherwise": (npz(), "--values: the file says otherwise; found 'logits'; allowed: probabilities", ("--values", "logits")),
    "a header of 24 trillion numbers": (huge_header, "logits: cannot be read", ()),
    "no Parquet": (text(b"PAR1", "x.parquet"), "not a Parquet file", ()),
    "numbers as ids": (parquet(image=7), "image: must be text; found", ()),
    "text in a Parquet column": (parquet(X="high"), "X: not numbers; found 'string'", ()),
    "empty Parquet values": (parquet(X=pa.nulls(48, pa.float64())), "X: empty values; found '48 empty'", ()),
    "an endless id": (parquet(image="x" * 900), "image: image id is too long; found '900 characters'", ()),
    "another data set": (rows_(lambda rows: [[f"s{n}", *row[1:]] for n, row in enumerate(rows)]), "48 of 48 images are none of sim-g", OTHER),
    "no target of the track": (rows_(lambda rows: None), "--dataset: is no target of the track smoke; found 'cir-g'", ("--dataset", "cir-g")),
    "unknown track": (rows_(lambda rows: None), "no track of this name", ("--track", "huge")),
    "kept without a word": (rows_(lambda rows: None), "--name: is wanted with --keep", ("--keep",)),
    "words without --keep": (rows_(lambda rows: None), "--who: is kept with the score. Add --keep", ("--who", "me")),
}  # fmt: skip


def ask(workspace: Path, path: Path, *more: str) -> Any:
    options = {"--dataset": "sim-q", "--track": "smoke"}
    given_ = [part for name, value in options.items() if name not in more for part in (name, value)]
    return CliRunner().invoke(app, ["score", "--predictions", str(path), "-w", str(workspace), *given_, *more])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_clear_error(shared: Path, manifest: Manifest, tmp_path: Path, name: str) -> None:
    break_, message, more = WRONG[name]
    done = ask(shared, break_(tmp_path, predictions(manifest)), *more)
    assert isinstance(done.exception, InputError), done.output or done.exception
    assert message in str(done.exception) and "\n" not in str(done.exception)
    assert not (shared / "ledger").exists()


def test_a_file_of_another_data_set_is_named(shared: Path, tmp_path: Path) -> None:
    with open(Path(__file__).parents[2] / "datasets" / "bioimlab-q" / "manifest.csv") as file:
        rows = [[line["image"], *[1 / 24] * 24] for line in list(csv.DictReader(file))[:5]]
    done = ask(shared, write_csv(tmp_path / "x.csv", rows))
    assert "5 of them are images of bioimlab-q: --dataset bioimlab-q" in str(done.exception)


@pytest.mark.parametrize(
    ("limit", "value", "kind"), [("LARGEST", 100, "is too large"), ("MOST", 47, "holds too many images")]
)
@pytest.mark.parametrize("make", [rows_(lambda rows: None), npz(), parquet()], ids=["csv", "npz", "parquet"])
def test_a_huge_file_is_not_read(
    monkeypatch: pytest.MonkeyPatch, manifest: Manifest, tmp_path: Path, limit: str, value: int, kind: str, make: Break
) -> None:
    monkeypatch.setattr(given, limit, value)
    with pytest.raises(InputError, match=kind):
        given.read(make(tmp_path, predictions(manifest)))


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, manifest: Manifest
) -> None:
    monkeypatch.setattr(given, "UNPACKED", 50_000_000)
    path = bomb(tmp_path, [])
    assert path.stat().st_size < 1_000_000
    monkeypatch.setattr(given.np, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(InputError, match="unpacks to too much; found '120,000,000 bytes'"):
        given.read(path)


def test_a_pickle_in_an_archive_does_not_run(tmp_path: Path, manifest: Manifest) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    path = npz(image=np.array([Evil()], dtype=object))(tmp_path, predictions(manifest))
    with pytest.raises(InputError, match="pickled"):
        given.read(path)
    assert not (tmp_path / "ran").exists()
