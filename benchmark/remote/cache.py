"""What a node keeps of the artefact store on its own disk: blobs by hash, each fetched once, also by many workers.

A folder of this user alone: `KARYOBENCH_NODE_CACHE`, else one below the system's folder for temporary files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmark.artefacts.store import Artefacts
from benchmark.errors import InputError
from benchmark.files import disk_errors, sha256_file

FOLDER = "KARYOBENCH_NODE_CACHE"
LIMIT = "KARYOBENCH_NODE_CACHE_GIB"
DEFAULT_GIB = 40.0
IN_USE = 3600.0
"""Seconds since its last use for which a blob is not removed."""


def folder() -> Path:
    """The node's folder.

    Raises:
        InputError: when somebody else owns it.
    """
    given = os.environ.get(FOLDER)
    path = Path(given) if given else Path(tempfile.gettempdir()) / f"karyobench-node-{os.getuid()}"
    with disk_errors(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    if found.st_uid != os.getuid():
        raise InputError("the node's folder belongs to another user", file=path, hint=f"Set {FOLDER}")
    return path


class Cache:
    """Blobs on this machine.

    Args:
        root: the folder.
        limit: bytes that blobs may take; those unused for longest go first.
    """

    def __init__(self, root: Path, limit: float | None = None) -> None:
        self.root = root
        self.limit = float(os.environ.get(LIMIT, DEFAULT_GIB)) * 2**30 if limit is None else limit

    def blob(self, artefacts: Artefacts, sha256: str, suffix: str = "") -> Path:
        """A blob's file, fetched if it is not here whole; submitted code may have had a link to it.

        Raises:
            MissingError: when the store does not have it whole.
        """
        path = self.root / "blobs" / f"{sha256}{suffix}"
        with self._locked(sha256):
            if not path.is_file() or sha256_file(path) != sha256:
                artefacts.fetch(sha256, path)
            os.utime(path)
        self.trim()
        return path

    def keep(self, sha256: str, suffix: str, source: Path) -> None:
        """Keep a local file as a blob, so that it is not fetched."""
        path = self.root / "blobs" / f"{sha256}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(sha256), contextlib.suppress(FileExistsError):
            os.link(source, path)

    @contextlib.contextmanager
    def _locked(self, sha256: str) -> Iterator[None]:
        path = self.root / "locks" / sha256[:2]
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def trim(self) -> None:
        """Remove what was unused for longest, until the rest fits."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.root / "blobs"):
                with contextlib.suppress(FileNotFoundError):
                    state = entry.stat()
                    found.append((state.st_mtime, state.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for used, size, path in sorted(found):
            if total <= self.limit or used > time.time() - IN_USE:
                return
            Path(path).unlink(missing_ok=True)
            total -= size
