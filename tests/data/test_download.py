"""Downloads against a server that misbehaves: whole or absent, never a mixture, no byte asked for twice."""

from __future__ import annotations

import hashlib
import io
import random
import socket
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmark.data.download import LONGEST_WAIT, Patience, UnreachableError, download
from benchmark.data.partial import partial
from benchmark.errors import InfrastructureError, InputError

Server = Any
NOISE = random.Random(0).randbytes(300_000)
HALF = 100_000
DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


def ignore(done: int, total: int | None) -> None:
    """Progress that nobody looks at."""


def tar(content: bytes = NOISE, mode: Literal["w", "w:gz"] = "w:gz") -> bytes:
    """A small archive that cannot be compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        info = tarfile.TarInfo("1/1 1a.bmp")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(content: bytes = NOISE) -> bytes:
    """The same as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("1/1 1a.bmp", content)
    return buffer.getvalue()


ARCHIVE = tar()
OTHER = tar(NOISE[::-1])


@pytest.fixture
def waits() -> list[float]:
    """Seconds that a download would have slept."""
    return []


@pytest.fixture
def patience(waits: list[float]) -> Patience:
    """Three attempts without waiting."""
    return Patience(attempts=3, connect=2.0, read=2.0, pause=1.0, sleep=waits.append)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where to."""
    return tmp_path / "downloads" / "data.tar.gz"


def left(file: Path) -> list[str]:
    """Names of what a download left behind."""
    return sorted(path.name for path in file.parent.iterdir()) if file.parent.is_dir() else []


@pytest.mark.parametrize("data", [ARCHIVE, zipped()], ids=["tar.gz", "zip"])
@pytest.mark.parametrize("announced", [True, False])
def test_file_arrives_whole_and_alone(
    server: Server, file: Path, patience: Patience, data: bytes, announced: bool
) -> None:
    seen: list[tuple[int, int | None]] = []
    url = server.add("/a", data, announced=announced)
    got = download(url, file, progress=lambda done, total: seen.append((done, total)), patience=patience)
    assert got == file
    assert file.read_bytes() == data
    assert left(file) == [file.name]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (len(data), len(data) if announced else None)


def test_break_is_resumed_with_the_rest_only(
    server: Server, file: Path, patience: Patience, waits: list[float]
) -> None:
    url = server.add("/a", ARCHIVE, cuts=[HALF])
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    first, second = server.log
    assert (first.range, first.sent) == (None, HALF)
    assert (second.range, second.if_range, second.status) == (f"bytes={HALF}-", '"one"', 206)
    assert second.sent == len(ARCHIVE) - HALF
    assert waits == [1.0]


def test_break_every_time_gives_up_and_keeps_what_came(server: Server, file: Path, patience: Patience) -> None:
    url = server.add("/a", ARCHIVE, cuts=[1000, 1000, 1000])
    with pytest.raises(UnreachableError, match=r"3 attempts.*3,000 bytes are kept"):
        download(url, file, progress=ignore, patience=patience)
    assert not file.exists()
    asked = len(server.log)
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert [(r.range, r.sent) for r in server.log[asked:]] == [("bytes=3000-", len(ARCHIVE) - 3000)]


def test_slow_progress_is_not_failure(
    server: Server, file: Path, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.data.download.PROGRESS", 40_000)
    url = server.add("/a", ARCHIVE, cuts=[40_000] * 6)
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert len(server.log) == 7


def test_interrupted_command_continues(server: Server, file: Path, patience: Patience) -> None:
    url = server.add("/a", ARCHIVE)

    def stop(done: int, total: int | None) -> None:
        if done >= HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(url, file, progress=stop, patience=patience)
    kept = file.with_name(file.name + ".part").stat().st_size
    assert HALF <= kept < len(ARCHIVE)
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert (server.log[-1].range, server.log[-1].sent) == (f"bytes={kept}-", len(ARCHIVE) - kept)


def test_length_announced_too_long(server: Server, file: Path, patience: Patience) -> None:
    url = server.add("/a", ARCHIVE, exaggerate=500, ranges=False)
    with pytest.raises(UnreachableError, match="3 attempts"):
        download(url, file, progress=ignore, patience=patience)
    assert not file.exists()


@pytest.mark.parametrize("data", [ARCHIVE, zipped()], ids=["tar.gz", "zip"])
@pytest.mark.parametrize("missing", [1, 5000])
def test_length_announced_too_short(server: Server, file: Path, patience: Patience, data: bytes, missing: int) -> None:
    url = server.add("/a", data, exaggerate=-missing)
    with pytest.raises(InputError, match=r"cut off or damaged|not an archive") as caught:
        download(url, file, progress=ignore, patience=patience)
    assert url in str(caught.value)
    assert left(file) == []


def test_server_without_ranges_restarts_cleanly(server: Server, file: Path, patience: Patience) -> None:
    url = server.add("/a", ARCHIVE, cuts=[HALF], ranges=False)
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert [(r.range, r.status) for r in server.log] == [(None, 200), (f"bytes={HALF}-", 200)]


@pytest.mark.parametrize("if_range", [True, False], ids=["heeds If-Range", "ignores If-Range"])
def test_changed_file_is_never_mixed(server: Server, file: Path, patience: Patience, if_range: bool) -> None:
    """Two plain tars of one length: a mixture would be a whole archive, that nothing else can tell."""
    before, after = tar(NOISE, "w"), tar(NOISE[::-1], "w")
    assert len(before) == len(after)
    url = server.add("/a", before, cuts=[1000] * 3)
    with pytest.raises(UnreachableError):
        download(url, file, progress=ignore, patience=patience)
    server.add("/a", after, etag='"two"', if_range=if_range)
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == after


def test_changed_length_is_never_mixed(server: Server, file: Path, patience: Patience) -> None:
    """A server that names no version in its partial answers."""
    url = server.add("/a", ARCHIVE, cuts=[1000] * 3)
    with pytest.raises(UnreachableError):
        download(url, file, progress=ignore, patience=patience)
    shorter = tar(NOISE[:200_000])
    server.add("/a", shorter, etag=None, if_range=False)
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == shorter


@pytest.mark.parametrize(
    ("etag", "modified", "if_range"),
    [('W/"x"', None, None), (None, DATE, DATE), ('W/"x"', DATE, DATE), (None, None, None)],
    ids=["weak", "date", "weak and date", "none"],
)
def test_only_a_strong_validator_allows_resuming(
    server: Server,
    file: Path,
    patience: Patience,
    etag: str | None,
    modified: str | None,
    if_range: str | None,
) -> None:
    url = server.add("/a", ARCHIVE, etag=etag, modified=modified, cuts=[HALF])
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert server.log[-1].if_range == if_range
    assert server.log[-1].range == (f"bytes={HALF}-" if if_range else None)


def test_web_page_is_refused_and_removed(server: Server, file: Path, patience: Patience) -> None:
    url = server.add("/a", b"\n<!DOCTYPE html><title>Log in</title>", type="text/html")
    with pytest.raises(InputError, match="a web page instead of an archive"):
        download(url, file, progress=ignore, patience=patience)
    assert left(file) == []
    assert len(server.log) == 1


def test_other_file_is_refused_and_removed(server: Server, file: Path, patience: Patience) -> None:
    url = server.add("/a", NOISE)
    with pytest.raises(InputError, match="not an archive"):
        download(url, file, progress=ignore, patience=patience)
    assert left(file) == []


@pytest.mark.parametrize(
    ("status", "words"), [(404, "no such file"), (410, "no such file"), (403, "refuses access"), (418, "refuses the")]
)
def test_refusals_are_not_repeated(
    server: Server, file: Path, patience: Patience, waits: list[float], status: int, words: str
) -> None:
    url = server.add("/a", ARCHIVE, failures=[status])
    with pytest.raises(InputError, match=words) as caught:
        download(url, file, progress=ignore, patience=patience)
    assert f"HTTP {status}" in str(caught.value)
    assert url in str(caught.value)
    assert len(server.log) == 1
    assert waits == []
    assert left(file) == []


def test_server_errors_are_retried(server: Server, file: Path, patience: Patience, waits: list[float]) -> None:
    url = server.add("/a", ARCHIVE, failures=[500, 502])
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert waits == [1.0, 2.0]


def test_server_errors_end(server: Server, file: Path, patience: Patience) -> None:
    url = server.add("/a", ARCHIVE, failures=[500] * 3)
    with pytest.raises(UnreachableError, match=r"HTTP 500.*3 attempts"):
        download(url, file, progress=ignore, patience=patience)
    assert left(file) == []


@pytest.mark.parametrize(("asked", "waited"), [("7", 7.0), ("86400", LONGEST_WAIT), ("soon", 1.0), ("-5", 1.0)])
def test_retry_after_is_heeded_within_reason(
    server: Server, file: Path, patience: Patience, waits: list[float], asked: str, waited: float
) -> None:
    url = server.add("/a", ARCHIVE, failures=[429], retry_after=asked)
    download(url, file, progress=ignore, patience=patience)
    assert waits == [waited]


def test_wrong_checksum_is_refused_and_removed(server: Server, file: Path, patience: Patience) -> None:
    url, wanted = server.add("/a", OTHER), hashlib.sha256(ARCHIVE).hexdigest()
    with pytest.raises(InputError, match="another SHA-256") as caught:
        download(url, file, progress=ignore, sha256=wanted, patience=patience)
    assert wanted in str(caught.value)
    assert hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert left(file) == []


def test_whole_file_is_not_asked_for_again(server: Server, file: Path, patience: Patience) -> None:
    url, wanted = server.add("/a", ARCHIVE), hashlib.sha256(ARCHIVE).hexdigest()
    for _ in range(2):
        download(url, file, progress=ignore, sha256=wanted, patience=patience)
    assert len(server.log) == 1
    file.write_bytes(OTHER)
    download(url, file, progress=ignore, sha256=wanted, patience=patience)
    assert file.read_bytes() == ARCHIVE


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_is_refused(server: Server, file: Path, patience: Patience, announced: bool) -> None:
    url = server.add("/a", ARCHIVE, announced=announced)
    seen: list[int] = []
    with pytest.raises(InputError, match=r"too large.*at most 200,000 bytes"):
        download(url, file, progress=lambda d, _: seen.append(d), max_bytes=200_000, patience=patience)
    assert max(seen, default=0) <= 200_000
    assert left(file) == []


def test_nobody_listens(file: Path, patience: Patience) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"no connection: Connection refused \(3 attempts\)"):
        download(f"http://127.0.0.1:{port}/a", file, progress=ignore, patience=patience)
    assert left(file) == []


def test_silent_server_times_out(server: Server, file: Path, patience: Patience) -> None:
    url = server.add("/a", ARCHIVE, stall=1.0)
    with pytest.raises(UnreachableError, match="did not answer in time"):
        download(url, file, progress=ignore, patience=patience._replace(read=0.1, attempts=2))


def test_redirect_is_followed(server: Server, file: Path, patience: Patience) -> None:
    server.add("/a", ARCHIVE, cuts=[HALF])
    download(server.add("/r", location="/a"), file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert server.log[-1].range == f"bytes={HALF}-"


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/a", "/r"])
def test_redirect_elsewhere_is_refused(server: Server, file: Path, patience: Patience, location: str) -> None:
    with pytest.raises(InputError, match=r"no usable address.*allowed: http or https"):
        download(server.add("/r", location=location), file, progress=ignore, patience=patience)
    assert left(file) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_the_machines_failure(server: Server, file: Path, patience: Patience) -> None:
    file.parent.mkdir()
    file.with_name(file.name + ".part").symlink_to("/dev/full")
    with pytest.raises(InfrastructureError, match="disk is full") as caught:
        download(server.add("/a", ARCHIVE), file, progress=ignore, patience=patience)
    assert not isinstance(caught.value, UnreachableError)
    assert len(server.log) == 1


def test_folder_that_is_a_file(server: Server, tmp_path: Path, patience: Patience) -> None:
    (tmp_path / "downloads").write_text("in the way")
    with pytest.raises(InputError, match="no place for a download"):
        download(server.add("/a", ARCHIVE), tmp_path / "downloads" / "a", progress=ignore, patience=patience)


def test_second_download_of_the_same_file_is_refused(server: Server, file: Path, patience: Patience) -> None:
    with partial(file), pytest.raises(InputError, match="another download of this file is running"):
        download(server.add("/a", ARCHIVE), file, progress=ignore, patience=patience)
    assert server.log == []


@pytest.mark.parametrize("sidecar", [None, "", "{}", '{"url": "http://127.0.0.1:1/b", "validator": "\\"one\\""}'])
def test_bytes_of_unknown_origin_are_not_continued(
    server: Server, file: Path, patience: Patience, sidecar: str | None
) -> None:
    file.parent.mkdir()
    file.with_name(file.name + ".part").write_bytes(OTHER[:5000])
    if sidecar is not None:
        file.with_name(file.name + ".part.json").write_text(sidecar)
    download(server.add("/a", ARCHIVE), file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert server.log[0].range is None


def test_killed_just_before_the_end(server: Server, file: Path, patience: Patience) -> None:
    """All bytes had come, the file had not got its name: nothing is asked again."""
    url = server.add("/a", ARCHIVE, cuts=[1000] * 3)
    with pytest.raises(UnreachableError):
        download(url, file, progress=ignore, patience=patience)
    asked = len(server.log)
    file.with_name(file.name + ".part").write_bytes(ARCHIVE)
    download(url, file, progress=ignore, patience=patience)
    assert file.read_bytes() == ARCHIVE
    assert len(server.log) == asked


def test_range_that_cannot_be_satisfied_restarts(server: Server, file: Path, patience: Patience) -> None:
    """The length was never announced, so that a whole partial file does not look whole."""
    url = server.add("/a", ARCHIVE, announced=False, cuts=[len(ARCHIVE)] * 3)
    with pytest.raises(UnreachableError):
        download(url, file, progress=ignore, patience=patience._replace(attempts=1))
    download(url, file, progress=ignore, patience=patience._replace(attempts=6))
    assert file.read_bytes() == ARCHIVE
    assert 416 in [request.status for request in server.log]


def test_bytes_are_stored_as_sent(server: Server, file: Path, patience: Patience) -> None:
    """A server that calls a .tar.gz a gzip-encoded tar must not get it unpacked."""
    url = server.add("/a", ARCHIVE, headers={"Content-Encoding": "gzip"})
    download(url, file, progress=ignore, sha256=hashlib.sha256(ARCHIVE).hexdigest(), patience=patience)
    assert file.read_bytes() == ARCHIVE
