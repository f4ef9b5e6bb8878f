"""Taking what a unit left out of its container's output volume, one agreed file at a time.

The volume lives in memory, has a size of its own and is held by a second container, the *keeper*,
which runs nothing of the submission. Sizes and kinds are asked for before a byte is read: a link,
a device, a pipe, a folder, a sparse or a huge file is left where it is, and `outputs` then says that
it is missing or why it is refused.
"""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from benchmark.errors import InfrastructureError
from benchmark.files import disk_errors
from benchmark.sandbox.base import EpochReport
from benchmark.sandbox.outputs import AGREED, MAX_CHECKPOINT, MAX_TEXT, BadOutputError

LIMITS = dict.fromkeys(AGREED - {"worker.log"}, MAX_TEXT) | {
    "model.safetensors": MAX_CHECKPOINT,
    "logits.npy": MAX_CHECKPOINT // 16,
}
LINE = 1 << 20
FOLDER = "/output"


def listing(keeper: Any) -> dict[str, tuple[str, int, int]]:
    """Kind, size and bytes on disk of every agreed name in the output folder, as the keeper sees them.

    Raises:
        InfrastructureError: when the keeper does not answer.
    """
    found = {}
    names = [part for name in LIMITS for part in ("-o", "-name", name)][1:]
    command = ["find", FOLDER, "-mindepth", "1", "-maxdepth", "1", "(", *names, ")", "-printf", "%f\t%y\t%s\t%b\n"]
    code, text = keeper.exec_run(command, demux=False)
    if code != 0:
        raise InfrastructureError(
            f"the output cannot be listed: {text.decode('utf-8', 'replace')[-300:]}", transient=True
        )
    for line in text.decode("utf-8", "replace").splitlines():
        name, kind, size, blocks = line.split("\t")
        found[name] = kind, int(size), 512 * int(blocks)
    return found


KINDS = {"l": "a link", "d": "a folder", "p": "a pipe", "s": "a socket", "c": "a device", "b": "a device"}


def refused(name: str, kind: str, size: int, stored: int) -> str:
    """Why a file is not taken; empty when it is."""
    if kind != "f":
        return f"{name}: {KINDS.get(kind, 'no regular file')}, allowed: a regular file"
    if size > LIMITS[name]:
        return f"{name}: {size:,} bytes, more than {LIMITS[name]:,}"
    if size > LINE and stored < size // 2:
        return f"{name}: a sparse file"
    return ""


def collect(keeper: Any, output: Path) -> None:
    """Copy the agreed files of a volume into a folder.

    Args:
        keeper: container that holds the volume.
        output: folder on the host.

    Raises:
        BadOutputError: when an agreed name is not a regular, dense file of a plausible size; names all that are not.
        InfrastructureError: when the disk of the host is full.
    """
    from docker.errors import NotFound

    found = sorted(listing(keeper).items())
    if why := [text for name, entry in found if (text := refused(name, *entry))]:
        raise BadOutputError("; ".join(why))
    for name, _ in found:
        with contextlib.suppress(NotFound), disk_errors(output):
            stream, _ = keeper.get_archive(f"{FOLDER}/{name}", chunk_size=LINE)
            _extract(stream, name, output / name, LIMITS[name])


class _Stream:
    """A file to read from chunks, no further than a limit."""

    def __init__(self, chunks: Iterable[bytes], limit: int) -> None:
        self.chunks, self.left, self.buffer = iter(chunks), limit, b""

    def read(self, size: int = -1) -> bytes:
        while len(self.buffer) < size:
            chunk = next(self.chunks, b"")
            if not chunk:
                break
            self.left -= len(chunk)
            if self.left < 0:
                raise BadOutputError("more output than was announced")
            self.buffer += chunk
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found


def _extract(chunks: Iterable[bytes], name: str, target: Path, limit: int) -> None:
    """Write the one regular file of an archive stream; nothing else in it is looked at."""
    stream: Any = _Stream(chunks, limit + (1 << 16))
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            member = archive.next()
            if member is None or not member.isreg() or member.name != name or member.size > limit:
                raise BadOutputError(f"{name}: not the regular file it was")
            source: IO[bytes] | None = archive.extractfile(member)
            assert source is not None
            with target.open("xb") as file:
                while block := source.read(LINE):
                    file.write(block)
    except tarfile.TarError as error:
        raise BadOutputError(f"{name}: cannot be read: {error}") from error


class Tail:
    """Follows `log.jsonl` in the volume and passes on whole, well-formed lines.

    Args:
        keeper: container that holds the volume.
        report: told every line.
    """

    def __init__(self, keeper: Any, report: EpochReport) -> None:
        self.keeper, self.report, self.position = keeper, report, 0

    def read(self) -> None:
        """Read what is new; silently nothing when it is no regular file."""
        from docker.errors import APIError

        path = f"{FOLDER}/log.jsonl"
        script = 'test -f "$1" && test ! -L "$1" && timeout 2 tail -c "+$2" -- "$1" | head -c 65536'
        with contextlib.suppress(APIError):
            code, data = self.keeper.exec_run(["sh", "-c", script, "tail", path, str(self.position + 1)])
            if code != 0:
                return
            whole = data.rfind(b"\n") + 1
            self.position += whole
            for line in data[:whole].splitlines():
                with contextlib.suppress(ValueError, RecursionError):
                    entry: Any = json.loads(line)
                    if isinstance(entry, dict):
                        self.report(entry)
