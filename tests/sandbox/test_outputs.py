import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmark.sandbox.outputs import BadOutputError, keep_agreed, read_outputs

IMAGES, CLASSES = 6, 24


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "logits.npy", np.arange(IMAGES * CLASSES, dtype=np.float32).reshape(IMAGES, CLASSES))
    save_file({"weight": np.ones(3, dtype=np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "log.jsonl").write_text('{"epoch": 1, "loss": 0.5, "note": "dropped"}\n')
    (tmp_path / "environment.json").write_text('{"torch": "2.9"}')
    return tmp_path


def test_a_good_output_is_read(folder: Path) -> None:
    found = read_outputs(folder, IMAGES, CLASSES)
    assert found.logits.shape == (IMAGES, CLASSES) and found.logits[1, 0] == CLASSES
    assert found.log == [{"epoch": 1, "loss": 0.5}]
    assert found.environment == {"torch": "2.9"}


def array(value: np.ndarray, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=pickled)
    return buffer.getvalue()


GOOD = np.zeros((IMAGES, CLASSES), dtype=np.float32)
BAD_LOGITS = {
    "float64": (array(GOOD.astype(np.float64)[:, :12]), "float64"),
    "shape": (array(GOOD[:-1]), r"\(5, 24\)"),
    "transposed": (array(np.asfortranarray(GOOD)), "allowed float32"),
    "pickle": (array(np.array([["x"]], dtype=object), pickled=True), "allowed float32|not an array"),
    "nan": (array(np.full_like(GOOD, np.nan)), "not finite"),
    "infinite": (array(np.full_like(GOOD, np.inf)), "not finite"),
    "cut off": (array(GOOD)[:-4], "bytes of data"),
    "too long": (array(GOOD) + b"1234", "bytes of data"),
    "empty": (b"", "not an array"),
    "text": (b"0.99 macro-F1, trust me", "not an array"),
    "huge": (array(np.zeros((IMAGES * 100, CLASSES), dtype=np.float32)), "more than"),
}


@pytest.mark.parametrize("name", BAD_LOGITS)
def test_bad_logits_are_refused(folder: Path, name: str) -> None:
    data, message = BAD_LOGITS[name]
    (folder / "logits.npy").write_bytes(data)
    with pytest.raises(BadOutputError, match=message):
        read_outputs(folder, IMAGES, CLASSES)


def swap_link(folder: Path) -> None:
    (folder / "logits.npy").rename(folder.parent / "elsewhere.npy")
    (folder / "logits.npy").symlink_to(folder.parent / "elsewhere.npy")


def swap_pipe(folder: Path) -> None:
    (folder / "logits.npy").unlink()
    os.mkfifo(folder / "logits.npy")


def swap_folder(folder: Path) -> None:
    (folder / "logits.npy").unlink()
    (folder / "logits.npy").mkdir()


def sparse(folder: Path) -> None:
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(64 * 1024 * 1024)


def pickle_checkpoint(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x80\x04cos\nsystem\n.")


def bad_log(folder: Path) -> None:
    (folder / "log.jsonl").write_text("[1]\n")


def no_environment(folder: Path) -> None:
    (folder / "environment.json").unlink()


def text(name: str, content: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(content)

    return change


DEEP = "[" * 20_000 + "]" * 20_000


def header(content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "logits.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(content).to_bytes(2, "little") + content)

    return change


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "link": (swap_link, "not a regular file"),
    "pipe": (swap_pipe, "not a regular file"),
    "folder": (swap_folder, "not a regular file"),
    "sparse": (sparse, "sparse"),
    "pickle": (pickle_checkpoint, "not a safetensors"),
    "log": (bad_log, "no object"),
    "environment": (no_environment, "missing"),
    "deep log": (text("log.jsonl", '{"epoch": ' + DEEP + "}\n"), "not JSON lines"),
    "deep environment": (text("environment.json", '{"torch": ' + DEEP + "}"), "not JSON"),
    "endless number": (text("log.jsonl", '{"epoch": 1' + "0" * 4000 + "}\n"), "not JSON lines"),
    "half a character": (text("environment.json", '{"torch": "\\ud800"}'), "not JSON"),
    "nested environment": (text("environment.json", '{"torch": ' + "[" * 950 + "]" * 950 + "}"), "not JSON"),
    "large environment": (text("environment.json", '{"torch": "' + "x" * 70_000 + '"}'), "bytes, more than"),
    "deep header": (header(b"(" * 4600), "not an array file"),
    "odd header": (header(b"{[]: 1}"), "not an array file"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_anything_but_agreed_regular_files_is_refused(folder: Path, name: str) -> None:
    change, message = CHANGES[name]
    change(folder)
    with pytest.raises(BadOutputError, match=message):
        read_outputs(folder, IMAGES, CLASSES)


def test_a_score_that_the_unit_wrote_is_removed_unread(folder: Path) -> None:
    (folder / "score.json").write_text(json.dumps({"macro_f1": 1.0}))
    (folder / "extra").mkdir()
    (folder / "extra" / "file").write_text("x")
    before = read_outputs(folder, IMAGES, CLASSES)
    keep_agreed(folder)
    assert {p.name for p in folder.iterdir()} == {"logits.npy", "model.safetensors", "log.jsonl", "environment.json"}
    assert (read_outputs(folder, IMAGES, CLASSES).logits == before.logits).all()


@pytest.mark.parametrize("lines", [[], [1], [1, 2, 3], [2, 1], [1, 1], [0, 1]])
def test_the_log_holds_one_line_an_epoch_in_order(folder: Path, lines: list[int]) -> None:
    (folder / "log.jsonl").write_text("".join(f'{{"epoch": {number}}}\n' for number in lines))
    with pytest.raises(BadOutputError, match=f"{len(lines)} lines, allowed: one for each of 2 epochs"):
        read_outputs(folder, IMAGES, CLASSES, epochs=2)


def test_numbers_that_are_none_become_null(folder: Path) -> None:
    (folder / "environment.json").write_text('{"a": 1e999, "b": NaN, "c": -Infinity, "d": 1.5}')
    assert read_outputs(folder, IMAGES, CLASSES).environment == {"a": None, "b": None, "c": None, "d": 1.5}
