import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import IntegrityError
from benchmark.records import GENESIS, Reader, chained


def line(key: str) -> bytes:
    return json.dumps(chained({"key": key}, GENESIS)).encode() + b"\n"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every line that was parsed."""
    real, seen = Reader._parse, []

    def parse(self: Reader, text: bytes, where: str) -> Any:
        seen.append(where)
        return real(self, text, where)

    monkeypatch.setattr(Reader, "_parse", parse)
    return seen


def keys(reader: Reader) -> list[str]:
    return [record["key"] for record in reader.records()]


def test_only_what_was_appended_is_read_again(tmp_path: Path, parsed: list[str]) -> None:
    path = tmp_path / "records.jsonl"
    reader = Reader(path)
    assert keys(reader) == [] and reader.end == 0
    for number in range(5):
        with path.open("ab") as file:
            file.write(line(f"k{number}"))
        assert keys(reader) == [f"k{n}" for n in range(number + 1)] and reader.end == path.stat().st_size
    assert parsed == [f"line {n}" for n in range(1, 6)]


def test_a_list_that_was_handed_out_does_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(line("a"))
    reader = Reader(path)
    before = reader.records()
    path.write_bytes(line("a") + line("b"))
    assert len(reader.records()) == 2 and len(before) == 1


def test_a_line_that_was_cut_off_is_not_counted_and_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path, whole = tmp_path / "records.jsonl", line("a") + line("b")
    path.write_bytes(whole[:-10])
    reader = Reader(path)
    assert keys(reader) == ["a"] and reader.end == len(line("a"))
    path.write_bytes(whole)
    assert keys(reader) == ["a", "b"]


@pytest.mark.parametrize(
    "later", [line("x") + line("b") + line("c"), line("b"), b""], ids=["rewritten", "shorter", "empty"]
)
def test_a_file_that_is_another_is_read_from_its_start(tmp_path: Path, later: bytes) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(line("long name of a record") + line("q"))
    reader = Reader(path)
    assert len(reader.records()) == 2
    path.write_bytes(later)
    assert keys(reader) == [json.loads(one)["key"] for one in later.splitlines()]
    path.unlink()
    assert keys(reader) == [] and reader.end == 0


def test_a_line_that_is_no_record_is_named_also_when_it_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(line("a"))
    reader = Reader(path)
    reader.records()
    with path.open("ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(IntegrityError, match="line 2: not a record"):
        reader.records()
