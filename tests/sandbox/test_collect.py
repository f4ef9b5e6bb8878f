"""Taking files out of a container's output, against a keeper that lies: no daemon is needed."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from benchmark.errors import InfrastructureError
from benchmark.sandbox.collect import LIMITS, LINE, Tail, collect, listing, refused
from benchmark.sandbox.outputs import BadOutputError


def archive(name: str, data: bytes, kind: bytes = tarfile.REGTYPE, size: int | None = None) -> bytes:
    """One member of a tar, its header perhaps untrue."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, len(data) if size is None else size
    return entry.tobuf() + data + bytes(-len(data) % tarfile.BLOCKSIZE)


class Keeper:
    """Answers what it is told to: lines of `find`, and an archive for every name."""

    def __init__(self, lines: str, archives: dict[str, bytes] | None = None, code: int = 0) -> None:
        self.lines, self.archives, self.code, self.asked = lines, archives or {}, code, []

    def exec_run(self, command: list[str], demux: bool = False) -> tuple[int, bytes]:
        self.asked.append(command)
        return self.code, self.lines.encode()

    def get_archive(self, path: str, chunk_size: int) -> tuple[Iterator[bytes], dict[str, Any]]:
        stream = io.BytesIO(self.archives[Path(path).name] + bytes(2 * tarfile.BLOCKSIZE))
        return iter(lambda: stream.read(1000), b""), {}


GOOD = "log.jsonl\tf\t14\t8\n"


@pytest.mark.parametrize(
    ("kind", "size", "stored", "why"),
    [
        ("f", 10, 512, ""), ("f", LINE + 2, LINE + 2, ""), ("f", LINE + 2, 0, "a sparse file"),
        ("f", LIMITS["log.jsonl"], LIMITS["log.jsonl"], ""), ("f", LIMITS["log.jsonl"] + 1, 1 << 40, "bytes, more than"),
        ("l", 10, 0, "a link"), ("d", 40, 0, "a folder"), ("p", 0, 0, "a pipe"), ("s", 0, 0, "a socket"),
        ("c", 0, 0, "a device"), ("b", 0, 0, "a device"), ("?", 0, 0, "no regular file"),
    ],
)  # fmt: skip
def test_only_regular_dense_files_of_a_plausible_size_are_taken(kind: str, size: int, stored: int, why: str) -> None:
    found = refused("log.jsonl", kind, size, stored)
    assert bool(found) == bool(why) and why in found


def test_an_agreed_file_is_copied_and_nothing_else_is_asked_for(tmp_path: Path) -> None:
    keeper = Keeper(GOOD, {"log.jsonl": archive("log.jsonl", b'{"epoch": 1}\n\n')})
    collect(keeper, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
    assert (tmp_path / "log.jsonl").read_bytes() == b'{"epoch": 1}\n\n'
    names = {part for part, before in zip(keeper.asked[0][1:], keeper.asked[0], strict=False) if before == "-name"}
    assert names == set(LIMITS) and "worker.log" not in names


def test_everything_that_is_refused_is_named_at_once_and_nothing_is_read(tmp_path: Path) -> None:
    keeper = Keeper("logits.npy\tl\t11\t0\nfailure.json\tc\t0\t0\n" + GOOD)
    with pytest.raises(BadOutputError, match=r"failure\.json: a device.*; logits\.npy: a link"):
        collect(keeper, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (archive("log.jsonl", b"", tarfile.SYMTYPE), "not the regular file it was"),
        (archive("../records.jsonl", b"x"), "not the regular file it was"),
        (archive("log.jsonl", b"x", size=1 << 40), "not the regular file it was"),
        (archive("log.jsonl", b"x" * 5000, size=9000), "cannot be read"),
        (b"no archive at all".ljust(512, b"!"), "cannot be read"),
    ],
    ids=["a link now", "another name", "huge now", "cut off", "no archive"],
)
def test_a_file_that_changes_after_it_was_looked_at_is_refused(tmp_path: Path, sent: bytes, why: str) -> None:
    with pytest.raises(BadOutputError, match=why):
        collect(Keeper(GOOD, {"log.jsonl": sent}), tmp_path)
    assert not (tmp_path.parent / "records.jsonl").exists()


def test_an_archive_without_end_is_cut(tmp_path: Path) -> None:
    limit = LIMITS["log.jsonl"]
    keeper = Keeper(GOOD, {"log.jsonl": archive("pax", b"", tarfile.XHDTYPE, size=4 * limit) + bytes(2 * limit)})
    with pytest.raises(BadOutputError, match="more output than was announced"):
        collect(keeper, tmp_path)


def test_a_keeper_that_does_not_answer_is_the_machines_failure() -> None:
    with pytest.raises(InfrastructureError, match="cannot be listed: no such container") as caught:
        listing(Keeper("no such container", code=126))
    assert caught.value.transient


def test_the_log_is_followed_by_whole_lines_and_junk_is_skipped() -> None:
    told: list[dict[str, Any]] = []
    keeper = Keeper(json.dumps({"epoch": 1}) + "\njunk\n[1]\n" + "[" * 5000 + '\n{"epoch": 2}\n{"cut')
    tail = Tail(keeper, told.append)
    tail.read()
    assert told == [{"epoch": 1}, {"epoch": 2}] and tail.position == len(keeper.lines) - len('{"cut')
    keeper.code = 1
    tail.read()
    assert len(told) == 2 and keeper.asked[-1][-1] == str(tail.position + 1), "it goes on after the last whole line"


def test_following_the_log_never_fails_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self: Keeper, command: list[str], demux: bool = False) -> tuple[int, bytes]:
        raise APIError("the container is gone")

    monkeypatch.setattr(Keeper, "exec_run", gone)
    Tail(Keeper(""), lambda line: None).read()
