"""Folders of crops that are right, and many that are wrong. The audit itself is tested elsewhere: here it is made to pass."""

import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.data import bring as bringing
from benchmark.data import card as cards
from benchmark.data import imports
from benchmark.data import manifest as manifests
from benchmark.data.audit_report import Report, outcome
from benchmark.data.bring import Asked, Brought
from benchmark.data.card import Card, Counts, Reading
from benchmark.data.manifest import CLASSES
from benchmark.data.preprocess import Preprocess
from benchmark.data.store import Store
from benchmark.errors import InputError, IntegrityError
from benchmark.files import validate

NAMES = "{case}_{cell}_{label}*.png"
HOW = Preprocess(size=32)
CASES = 10


def crop(number: int, case: int) -> np.ndarray:
    random = np.random.default_rng([number, case])
    values = np.zeros((44 - number, 14), np.uint8)
    values[3:-3, 3:-3] = random.integers(90, 250, (38 - number, 8))
    return values


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One crop a class of ten people."""
    folder = tmp_path_factory.mktemp("crops")
    for case in range(CASES):
        for number, label in enumerate(CLASSES):
            save(folder / f"p{case}_m{case}_{label}a.png", crop(number, case))
    return folder


@pytest.fixture
def folder(crops: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    shutil.copytree(crops, tmp_path / "crops", copy_function=os.link)
    return tmp_path / "crops"


def asked(
    reading: dict[str, Any] | None = None, without: tuple[str, ...] = (), ungrouped: bool = False, **card: Any
) -> Asked:
    data = {
        "name": "my-q", "title": "Mine", "stain": "Q", "polarity": "light-on-dark", "layout": "crops", "group": "image",
        "reading": {"names": NAMES, **(reading or {})}, "description": "d", "citation": ["me"], "terms": "t",
        "counts": {"images": 1, "cells": 0, "cases": 0},
    }  # fmt: skip
    return Asked(validate({**data, **card}, Card, "test"), without, ungrouped)


@contextmanager
def quiet(title: str, unit: str) -> Any:
    yield lambda done, total: None


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Brought]:
    monkeypatch.setattr(bringing.auditing, "audit", lambda *_, **__: Report(checks=()))
    monkeypatch.setattr(bringing.folds, "draw", partial(bringing.folds.draw, attempts=2))

    def call(path: Path, said: Asked | None = None, **options: Any) -> Brought:
        store = Store(tmp_path / "workspace")
        return bringing.bring(store, path, said or asked(), tmp_path / "datasets", HOW, quiet, **options)

    return call


def kept(tmp_path: Path) -> list[str]:
    """Everything that is there of datasets, but for locks."""
    found = [path for top in ("workspace", "datasets") for path in (tmp_path / top).rglob("*") if path.is_file()]
    return sorted(path.relative_to(tmp_path).as_posix() for path in found if path.suffix != ".lock")


def test_card_manifest_and_images(go: Any, folder: Path, tmp_path: Path) -> None:
    made, _ = go(folder)
    card, manifest = made.card, made.manifest
    assert (card.group, card.counts) == ("case", Counts(images=240, cells=10, cases=10))
    assert cards.read(tmp_path / "datasets" / "my-q" / "card.yaml") == card
    assert manifests.read(tmp_path / "datasets" / "my-q" / "manifest.csv", "case") == manifest
    assert {len(set(manifest.groups[manifest.part(fold, "test")])) for fold in range(5)} == {2}
    store = Store(tmp_path / "workspace")
    assert "my-q" in store.names() and store.card("my-q") == card and store.manifest("my-q") == manifest
    opened = store.open("my-q")
    assert list(opened.altered()) == []
    position = [entry.image for entry in manifest.entries].index("p3_m3_22a")
    assert (opened.pixels(position) == crop(21, 3)).all() and manifest.entries[position].label == "22"
    assert store.is_prepared("my-q", HOW), "what the audit looked at is what training reads"
    assert [name for name in os.listdir(tmp_path / "workspace" / "datasets") if not name.endswith(".lock")] == ["my-q"]


def test_the_same_folder_gives_the_same_dataset_in_another_workspace(go: Any, folder: Path, tmp_path: Path) -> None:
    first = go(folder)[0].manifest
    shutil.rmtree(tmp_path / "workspace")
    shutil.rmtree(tmp_path / "datasets")
    with zipfile.ZipFile(tmp_path / "crops.zip", "w") as archive:
        for path in sorted(folder.iterdir(), reverse=True):
            archive.write(path, path.name)
    assert go(tmp_path / "crops.zip")[0].manifest.digest == first.digest


def test_cells_of_one_name_in_several_cases_are_told_apart(go: Any, folder: Path) -> None:
    for path in folder.iterdir():
        case, _, rest = path.name.split("_")
        path.rename(folder / f"{case}_1_{rest}")
    card, manifest = (made := go(folder)[0]).card, made.manifest
    assert card.counts.cells == 10 and set(manifest.cells) == {f"p{case}-1" for case in range(CASES)}


def test_without_cases_the_cell_is_the_group_and_without_cells_nobody_is(go: Any, folder: Path) -> None:
    cell = go(folder, asked({"names": "*_{cell}_{label}*.png"}))[0]
    assert (cell.card.group, cell.card.counts.cases) == ("cell", 0)
    image = go(folder, asked({"names": "*_{label}a.png"}, ungrouped=True, name="other"))[0]
    assert image.card.group == "image" and image.card.counts.cells == 0


def test_others_import_it_by_hashes_whatever_the_files_are_called(go: Any, folder: Path, tmp_path: Path) -> None:
    made = go(folder)[0]
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{number}.png")
    other = Store(tmp_path / "other")
    imports.import_crops(other, made.card, made.manifest, folder, lambda done, total: None)
    opened = other.open("my-q")
    assert list(opened.altered()) == [] and opened.manifest.digest == made.manifest.digest
    put("17.png", crop(3, 99))(folder)
    text("18.png", b"x")(folder)
    again = Store(tmp_path / "again")
    with pytest.raises(IntegrityError, match=r"2 missing: p0_m0_.*; 1 extra: 17\.png; 1 undecodable: 18\.png"):
        imports.import_crops(again, made.card, made.manifest, folder, lambda done, total: None)
    assert not again.has("my-q")


def test_what_fails_on_the_way_leaves_nothing_and_the_next_try_succeeds(
    go: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> Report:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bringing.auditing, "audit", stop)
        with pytest.raises(KeyboardInterrupt):
            go(folder)
    assert kept(tmp_path) == []
    (tmp_path / "workspace" / "datasets" / ".new-my-q").mkdir()  # what a kill leaves
    (tmp_path / "workspace" / "datasets" / ".new-my-q" / "pixels.bin").write_bytes(b"half")
    with monkeypatch.context() as patch:  # killed between the workspace and the folder for others
        patch.setattr(bringing.cards, "write", fails_below(tmp_path / "datasets", cards.write))
        with pytest.raises(KeyboardInterrupt):
            go(folder)
    assert not (tmp_path / "datasets" / "my-q" / "card.yaml").exists()
    first = Store(tmp_path / "workspace").open("my-q").manifest.digest
    assert go(folder)[0].manifest.digest == first
    assert (tmp_path / "datasets" / "my-q" / "card.yaml").exists()


def fails_below(folder: Path, write: Any) -> Any:
    def instead(path: Path, card: Card) -> None:
        if folder in path.parents:
            raise KeyboardInterrupt
        write(path, card)

    return instead


def test_a_failed_audit_keeps_nothing_unless_asked(
    go: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Report(checks=(outcome("c", ["my-q"], "bad", ["a ~ b"]),))
    monkeypatch.setattr(bringing.auditing, "audit", lambda *_, **__: bad)
    assert not go(folder).report.ok and not any("card" in name or "pixels" in name for name in kept(tmp_path))
    assert go(folder, despite=True).report == bad and Store(tmp_path / "workspace").has("my-q")


def test_a_name_that_is_taken(go: Any, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name: a shipped dataset has this name; found 'cir-g'"):
        go(folder, asked(name="cir-g"))
    go(folder)
    with pytest.raises(InputError, match=r"card\.yaml: name: there is such a dataset.*--replace"):
        go(folder)
    shutil.rmtree(tmp_path / "datasets")
    save(folder / "p3_m3_Xb.png", crop(22, 77))
    with pytest.raises(InputError, match=r"the workspace holds another dataset of this name.*--replace"):
        go(folder)
    assert len(go(folder, replaced=True)[0].manifest) == 241


def rename(old: str, new: str) -> Callable[[Path], object]:
    return lambda folder: (folder / old).rename(folder / new)


def put(name: str, values: np.ndarray) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        save(folder / name, values)

    return spoil


def drop(pattern: str) -> Callable[[Path], object]:
    return lambda folder: [path.unlink() for path in folder.glob(pattern)]


def several(*spoils: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: [spoil(folder) for spoil in spoils]


def inverted(folder: Path) -> None:
    for path in folder.iterdir():
        values = np.asarray(Image.open(path))
        path.unlink()
        save(path, 255 - values)


def framed() -> np.ndarray:
    values = crop(1, 1)
    values[[0, -1]] = values[:, [0, -1]] = 255
    return values


def text(name: str, data: bytes) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).write_bytes(data)

    return spoil


def nothing(folder: Path) -> None:
    pass


ONE = "p1_m1_2a.png"
WRONG: dict[str, tuple[Callable[[Path], object], Asked, str]] = {
    "a name that does not fit": (rename(ONE, "overview.png"), asked(), "overview.png: names: the name does not fit; allowed: {case}_{cell}_{label}*.png"),
    "an unknown label": (rename(ONE, "p1_m1_Z.png"), asked(), "p1_m1_Z.png: label: not a class as declared; found 'Z'"),
    "X written 23": (rename("p1_m1_Xa.png", "p1_m1_23.png"), asked(), "found '23'; allowed: 1, 2, 3"),
    "1 written 01": (rename("p1_m1_1a.png", "p1_m1_01.png"), asked(), "It is a class in the form padded"),
    "many names": (several(*(rename(f"p{n}_m{n}_2a.png", f"{n}.png") for n in range(9))), asked(), "8 other files cannot be used: 1.png, 2.png, 3.png, 4.png, 5.png and 3 more"),
    "two formats of one name": (lambda f: Image.open(f / ONE).save(f / "p1_m1_2a.bmp"), asked({"names": "{case}_{cell}_{label}*.*"}), "two files of one name"),
    "no groups in the names": (nothing, asked({"names": "*_{label}a.png"}), "names tell neither the cell nor the case"),
    "few cases": (drop("p[2-9]_*"), asked(), "case: too few groups for five folds with validation; found 2; allowed: at least 10. Add people, or pool"),
    "few cases with many cells": (lambda f: [p.rename(f / f"p1_{p.name.split('_', 1)[1]}") for p in sorted(f.iterdir())], asked(), "case: too few groups for five folds with validation; found 1; allowed: at least 10. Add people. Or give up that nobody stands on both sides: without {case} in names, folds go by its 10 cells"),
    "few cells": (drop("p[2-9]_*"), asked({"names": "*_{cell}_{label}*.png"}), "cell: too few groups for five folds with validation; found 2"),
    "a class is absent": (drop("*_Ya.png"), asked(), "label: no image of these classes; found 'Y'; allowed: 1-22, X, Y. A score over fewer classes is another score. If they are truly absent, say so: --without Y"),
    "a class is there": (nothing, asked(without=("Y",)), "--without: declared absent, and there; found 'Y'"),
    "an absent class that is none": (nothing, asked(without=("Z",)), "--without: no such class; found 'Z'"),
    "all left out": (nothing, asked({"leave_out": ["*"]}), "--leave-out: every file is left out"),
    "no picture at all": (drop("*"), asked(), "holds no image file"),
    "damaged": (text(ONE, b"\x89PNG\r\n\x1a\nxx"), asked(), f"{ONE}: cannot be decoded as an image"),
    "16 bits": (put(ONE, crop(1, 1).astype(np.uint16) * 16), asked(), f"{ONE}: white: 16 bits of grey"),
    "colour": (put(ONE, np.stack([crop(1, 1), crop(1, 2), crop(1, 3)], -1)), asked(), f"{ONE}: colour: a colour picture"),
    "transparent": (put(ONE, np.stack([crop(1, 1)] * 3 + [crop(1, 1)], -1)), asked(), f"{ONE}: transparent: a transparent picture"),
    "tiny": (put(ONE, crop(1, 1)[:5]), asked(), f"{ONE}: too small; found '14 x 5 pixels'; allowed: at least 8 a side"),
    "empty": (put(ONE, np.full((40, 20), 3, np.uint8)), asked(), f"{ONE}: nothing is on it; found 'grey values 3 to 3'; allowed: at least 16 apart"),
    "a white frame": (put(ONE, framed()), asked(), f"{ONE}: polarity light-on-dark: a frame, or no background around the chromosome; found '100% of the border as light as a chromosome'"),
    "the other polarity": (inverted, asked(), "polarity: most crops have no such background; found 'light-on-dark; not so in 240 of 240'; allowed: dark-on-light"),
    "two labels": (put(ONE, crop(6, 4)), asked(), "p4_m4_7a: label: one picture under two labels; found '7, and 2 in p1_m1_2a'"),
    "two damaged": (several(text(ONE, b"x"), put("p2_m2_2a.png", crop(1, 1)[:5])), asked(), "1 other file cannot be used: p2_m2_2a.png"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_folders_give_one_clear_error_and_keep_nothing(what: str, go: Any, folder: Path, tmp_path: Path) -> None:
    spoil, said, message = WRONG[what]
    spoil(folder)
    with pytest.raises(InputError) as caught:
        go(folder, said)
    assert message in str(caught.value)
    assert kept(tmp_path) == []


def test_one_case_only_says_what_to_do(go: Any, tmp_path: Path) -> None:
    for number, label in enumerate(CLASSES):
        save(tmp_path / "one" / f"p0_m0_{label}.png", crop(number, 0))
    with pytest.raises(InputError, match=r"case: too few groups .* found 1; allowed: at least 10. Add people, or pool"):
        go(tmp_path / "one")


def test_a_tar_is_refused(go: Any, tmp_path: Path, folder: Path) -> None:
    shutil.make_archive(str(tmp_path / "crops"), "tar", folder)
    with pytest.raises(InputError, match="Unpack it"):
        go(tmp_path / "crops.tar")
    with pytest.raises(InputError, match="no such file or folder"):
        go(tmp_path / "nowhere")


def test_another_process_at_the_same_dataset_is_an_error(go: Any, folder: Path, tmp_path: Path) -> None:
    with (
        Store(tmp_path / "workspace").staged("my-q"),
        pytest.raises(InputError, match="another process is making this dataset"),
    ):
        go(folder)


def test_a_card_of_crops_says_how_it_was_read() -> None:
    said = replace(asked(), ungrouped=True)
    assert said.card.reading == Reading(names=NAMES)
    with pytest.raises(InputError, match="reading belongs to a card of layout crops"):
        asked(layout="cir")
