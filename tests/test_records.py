import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import records as module
from benchmark.errors import IntegrityError
from benchmark.files import canonical
from benchmark.records import GENESIS, Reader, chained, intact, parse, record_hash


def line(record: dict[str, Any]) -> bytes:
    return canonical(record).encode() + b"\n"


def chain(number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place in range(number):
        before = found[-1]["hash"] if found else GENESIS
        found.append(chained({"key": f"k{place}", "status": "scored", "é": [1.5, None]}, before))
    return found


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every line that is parsed."""
    seen: list[bytes] = []
    real = module.parse
    monkeypatch.setattr(module, "parse", lambda text: seen.append(text) or real(text))
    return seen


@pytest.mark.parametrize(
    "record", [{"a": 1, "z": {"hash": "x"}}, {"zz": 1}, {"a": [0.1, "é"]}, {}, {"hash ": 1, "has": 2, "hashes": 3}]
)
def test_a_record_is_intact_when_its_line_is_its_canonical_text_and_its_hash_fits(record: dict[str, Any]) -> None:
    whole = {**record, "hash": record_hash(record)}
    text = canonical(whole).encode()
    assert intact(json.loads(text), text)
    for other in (text.replace(b":", b": "), text.replace(b"{", b'{"hash":1,', 1), text + b" ", text[:-1] + b',"y":1}'):
        assert not intact(json.loads(other), other)
    other = canonical({**whole, "hash": hashlib.sha256(b"other").hexdigest()}).encode()
    assert not intact(json.loads(other), other)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}', '"\\ud800"', "NaN", "-Infinity", "[1e400,1e-320,5e-324,0.1,123456789012345678901234567890]",
        "[0.30000000000000004,1.7976931348623157e308,-0.0,1E5]", "[" * 300 + "]" * 300, '"é\\u00e9\\/"', "[1,]", "", "{'a':1}", "01", "[1]x",
    ],
)  # fmt: skip
def test_a_line_is_read_as_the_standard_library_reads_it(text: str) -> None:
    try:
        wanted = repr(json.loads(text))
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            parse(text.encode())
    else:
        assert repr(parse(text.encode())) == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_to_the_bit(value: float) -> None:
    assert parse(json.dumps([value]).encode()) == [value]


def test_only_what_was_added_is_read(tmp_path: Path, parsed: list[bytes]) -> None:
    records, path = chain(5), tmp_path / "records.jsonl"
    reader = Reader(path)
    assert reader.records() == []
    for number in range(1, 6):
        path.write_bytes(b"".join(map(line, records[:number])))
        assert reader.records() == records[:number] and reader.size == path.stat().st_size
    assert len(parsed) == 5 and reader.scored == {f"k{place}" for place in range(5)}
    reader.records()
    assert len(parsed) == 5


def test_a_file_that_does_not_go_on_from_what_was_read_is_read_again(tmp_path: Path) -> None:
    records, path = chain(4), tmp_path / "records.jsonl"
    reader = Reader(path)
    for kept in (records, records[:2], [records[0], records[3], records[1], records[2]], []):
        path.write_bytes(b"".join(map(line, kept)))
        os.utime(path, ns=(0, len(kept)))
        assert reader.records() == kept and reader.scored == {one["key"] for one in kept}
    path.unlink()
    assert reader.records() == [] and reader.size == 0


def test_a_list_that_was_handed_out_does_not_grow(tmp_path: Path) -> None:
    records, path = chain(2), tmp_path / "records.jsonl"
    reader = Reader(path)
    path.write_bytes(line(records[0]))
    before = reader.records()
    path.write_bytes(b"".join(map(line, records)))
    assert len(reader.records()) == 2 and len(before) == 1


def test_an_unfinished_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    [first, second], path = chain(2), tmp_path / "records.jsonl"
    reader = Reader(path)
    path.write_bytes(line(first) + line(second)[:-5])
    assert reader.records() == [first] and reader.size == len(line(first))
    assert reader.load(whole=True) == ([(first, None)], True)
    path.write_bytes(line(first) + line(second))
    assert reader.records() == [first, second] and reader.load(whole=True)[1] is False


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("whole", [True, False])
def test_all_lines_are_checked_alike_by_one_and_by_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, whole: bool
) -> None:
    monkeypatch.setattr(module, "LINES", 2)
    records, path = chain(7), tmp_path / "records.jsonl"
    path.write_bytes(b"".join(map(line, records)))
    reader = Reader(path)
    assert reader.load(whole, workers) == ([(one, None) for one in records], False)
    monkeypatch.setattr(module.json, "loads", lambda _: pytest.fail("they are at hand"))
    assert reader.records() == records


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_wrong_with_a_line_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(module, "LINES", 1)
    [first, second, third], path = chain(3), tmp_path / "records.jsonl"
    changed = canonical(second).replace("k1", "k9").encode() + b"\n"
    path.write_bytes(line(first) + changed + b"{no json\n" + b'{"format":1}\n' + line(third))
    found, _ = Reader(path).load(True, workers)
    assert [one.problem and one.problem.split(":")[0] for one in found] == [
        None, "the record was changed", "not a record", "not a record", None,
    ]  # fmt: skip
    with pytest.raises(IntegrityError, match=r"line 3: not a record"):
        Reader(path).records()
