"""YAML is strict, JSON canonical, and a file is whole or absent."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from benchmark import files
from benchmark.errors import InfrastructureError, InputError
from benchmark.files import Strict, atomic, canonical, digest, read_text, read_yaml, sha256_file, validate, write_json


class Part(Strict):
    size: int = 1
    kind: str = "a"


class Thing(Strict):
    name: str
    part: Part = Part()
    maybe: Part | None = None
    parts: tuple[Part, ...] = ()
    named: dict[str, Part] = Field(default_factory=dict)


def yaml_file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "thing.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- YAML


def test_good_file_is_read(tmp_path: Path) -> None:
    thing = read_yaml(yaml_file(tmp_path, "name: é\nparts:\n- {size: 3}\n"), Thing)
    assert (thing.name, thing.part.size, thing.parts[0].size) == ("é", 1, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["mapping", "NoneType"]),
        ("- a\n", ["mapping", "list"]),
        ("name: a\npart: {", ["not valid YAML", "line 2"]),
        ("name: a\nname: b\n", ["key 'name' twice", "line 2"]),
        ("name: a\npart: {size: 1, size: 2}\n", ["key 'size' twice"]),
        ("name: &x a\npart: *x\n", ["aliases", "line 2"]),
        ("name: !!python/object/apply:os.system [ls]\n", ["not valid YAML"]),
        ("? [1, 2]\n: x\n", ["plain value"]),
        ("? {a: 1}\n: x\n", ["plain value"]),
        ("name: 2020-99-99\n", ["not valid YAML"]),
        ("name: " + "[" * 3000, ["nested too deeply"]),
        ("part: {}\n", ["name", "required"]),
        ("name: 3\n", ["name", "valid string", "found 3"]),
        ("name: a\ncolour: red\n", ["colour", "unknown key", "allowed: maybe, name, named, part, parts"]),
        ("name: a\npart: {width: 1}\n", ["part.width", "allowed: kind, size"]),
        ("name: a\nmaybe: {width: 1}\n", ["maybe.width", "allowed: kind, size"]),
        ("name: a\nparts: [{}, {width: 1}]\n", ["parts.1.width", "allowed: kind, size"]),
        ("name: a\nnamed: {x: {width: 1}}\n", ["named.x.width", "allowed: kind, size"]),
        ("name: a\npart: {size: big}\n", ["part.size", "integer", "'big'"]),
        (b"name: \xff\n", ["not UTF-8"]),
        ("name: a\x00b\n", ["not valid YAML"]),
    ],
)
def test_wrong_file_is_one_clear_error(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    path = yaml_file(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_yaml(path, Thing)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_missing_and_huge_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "none.yaml", Thing)
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path, Thing)
    with pytest.raises(InputError, match=r"too large; found '65,537 bytes'; allowed: at most 65,536 bytes"):
        read_yaml(yaml_file(tmp_path, "#" * (files.MAX_YAML + 1)), Thing)


def test_read_values_cannot_change(tmp_path: Path) -> None:
    thing = read_yaml(yaml_file(tmp_path, "name: a\n"), Thing)
    with pytest.raises(ValueError, match="frozen"):
        thing.name = "b"


def test_validate_says_where_in_words() -> None:
    with pytest.raises(InputError, match=r"^the request: part.size: "):
        validate({"name": "a", "part": {"size": None}}, Thing, "the request")


def test_read_text_limit_is_inclusive(tmp_path: Path) -> None:
    path = yaml_file(tmp_path, "12345")
    assert read_text(path, 5) == "12345"
    with pytest.raises(InputError, match="too large"):
        read_text(path, 4)


# --- JSON and hashes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_canonical_json_is_json_and_a_fixed_point(data: object) -> None:
    text = canonical(data)
    assert json.loads(text) == data
    assert canonical(json.loads(text)) == text


def test_canonical_json_has_one_text() -> None:
    assert canonical({"b": 1, "a": [1.5, "é"]}) == '{"a":[1.5,"é"],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical(float("nan"))


def test_hash_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_file(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- whole or absent


def test_what_a_killed_process_left_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.files._NUMBERS", iter(range(9)))
    left = tmp_path / f".x.{os.getpid()}-0.part"
    left.write_bytes(b"half")
    with atomic(tmp_path / "x") as file:
        file.write(b"whole")
    assert left.read_bytes() == b"half" and (tmp_path / "x").read_bytes() == b"whole"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644 and len(list(tmp_path.iterdir())) == 2


def test_atomic_file_appears_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "x.bin"
    with atomic(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" whole")
    assert path.read_bytes() == b"half whole"
    assert [item.name for item in path.parent.iterdir()] == ["x.bin"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_failure_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["x.bin"]


def test_synced_before_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut after the rename must not find an empty file."""
    order: list[str] = []
    sync, rename = os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda handle: (order.append("sync"), sync(handle))[1])
    monkeypatch.setattr("os.replace", lambda a, b: (order.append("rename"), rename(a, b))[1])
    with atomic(tmp_path / "x") as file:
        file.write(b"x")
    assert order == ["sync", "rename", "sync"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "cannot write: Read-only"),
        (errno.EACCES, "cannot write: Permission"),
        (errno.EIO, "cannot write: Input/output"),
    ],
)
def test_failing_disk_is_infrastructure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(InfrastructureError, match=words) as caught, atomic(tmp_path / "x") as file:
        file.write(b"x")
    assert str(tmp_path / "x") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_other_failures_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), atomic(tmp_path / "x"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")


def test_path_that_cannot_be_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "x", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="cannot be written") as caught, atomic(path) as file:
            file.write(b"x")
        assert str(path) in str(caught.value)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "folder"]


def test_written_json_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": "é", "a": [1]})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": [1], "b": "é"}
    assert "é" in text
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")
