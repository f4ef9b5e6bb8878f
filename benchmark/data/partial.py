"""A file that is still arriving, and which version of it the bytes belong to.

Bytes are in `<file>.part`; `<file>.part.json` beside it keeps the validator (ETag or date) of their
version. Bytes without one cannot be trusted to be a beginning of what the server has now.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import BaseModel, ValidationError

from benchmark.errors import InputError
from benchmark.files import disk_errors, sync_folder, write_json


class Version(BaseModel):
    """Which version of which file some bytes are of.

    Attributes:
        url: the address asked for.
        validator: a strong ETag, or the date of last modification.
        total: length of the whole file in bytes, where announced.
    """

    url: str
    validator: str
    total: int | None = None


class Partial(NamedTuple):
    """A partial file, open for appending and locked."""

    path: Path
    handle: IO[bytes]

    @property
    def length(self) -> int:
        """Bytes that have arrived."""
        return os.fstat(self.handle.fileno()).st_size

    def version(self, url: str) -> Version | None:
        """What the bytes belong to, or None where they are of no use for `url`."""
        try:
            version = Version.model_validate_json(_sidecar(self.path).read_bytes())
        except (OSError, ValidationError):
            return None
        too_long = version.total is not None and self.length > version.total
        return None if version.url != url or too_long else version

    def restart(self, version: Version | None = None) -> None:
        """Empty the file and only then say what the next bytes will be of."""
        if self.length:
            self.handle.truncate(0)
        if version is None:
            _sidecar(self.path).unlink(missing_ok=True)
        else:
            write_json(_sidecar(self.path), version.model_dump())

    def append(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            InfrastructureError: when the disk is full or not writable.
        """
        with disk_errors(self.path):
            view = memoryview(data)
            while view:
                view = view[self.handle.write(view) :]

    def finish(self, file: Path) -> None:
        """Give the whole file its name, durably."""
        with disk_errors(file):
            os.fsync(self.handle.fileno())
            os.replace(self.path, file)
            sync_folder(file.parent)
        _sidecar(self.path).unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the bytes and what is known of them."""
        self.path.unlink(missing_ok=True)
        _sidecar(self.path).unlink(missing_ok=True)


@contextmanager
def partial(file: Path) -> Iterator[Partial]:
    """Open the partial file of `file`, for this process alone; an empty one is not left behind.

    Raises:
        InputError: when another process is downloading the same file.
        InfrastructureError: when the disk is full or not writable.
    """
    path = file.with_name(file.name + ".part")
    with disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("ab", buffering=0)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise InputError("no place for a download: a file and a folder of one name", file=path) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError("another download of this file is running", file=path) from error
        if not path.exists() or not os.path.samestat(os.fstat(handle.fileno()), path.stat()):
            hint = "Run the same command again"
            raise InputError("another download of this file has just ended", file=path, hint=hint)
        opened = Partial(path, handle)
        try:
            yield opened
        finally:
            if path.is_file() and path.stat().st_size == 0:
                opened.discard()


def _sidecar(part: Path) -> Path:
    return part.with_name(part.name + ".json")
