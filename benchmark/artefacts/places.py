"""Where an artefact store lies: a folder (also of NFS), or an object store behind fsspec.

Both give four promises. What is read is whole: a folder's files appear by a rename, an object by one
request. `create` makes a name once, whoever asks at the same time: by a hard link, which NFS keeps too, or
by a conditional write (`If-None-Match: *` on S3). Where neither can be had (a file system without links, a
server that does not know the condition), `create` looks first and then writes, and two who ask in the same
moment may both believe that they were first; what they write about one unit has the same logits.
"""

from __future__ import annotations

import datetime
import errno
import importlib
import math
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.artefacts.patience import CA
from benchmark.errors import InputError
from benchmark.files import atomic, beside

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)
EXTRAS = {"s3": "s3", "s3a": "s3"}


class State(NamedTuple):
    """Of a name.

    Attributes:
        size: bytes.
        modified: when it was written, by the clock of whoever keeps it: seconds since 1970.
    """

    size: int
    modified: float


class Place(ABC):
    """Named bytes. Names are relative paths with `/`."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """All bytes; FileNotFoundError when there is none of that name."""

    @abstractmethod
    def fetch(self, name: str, target: Path) -> None:
        """Copy into a local file; FileNotFoundError likewise."""

    @abstractmethod
    def state(self, name: str) -> State | None:
        """Size and age; None when there is none of that name."""

    @abstractmethod
    def walk(self, folder: str) -> Iterator[tuple[str, State]]:
        """Names and states of all files below a folder, also of hidden ones, whole names, in any order."""

    def size(self, name: str) -> int | None:
        """Bytes; None when there is none of that name."""
        found = self.state(name)
        return None if found is None else found.size

    @abstractmethod
    def write(self, name: str, data: bytes | Path) -> None:
        """Write bytes or a local file; what was there is replaced."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """Write unless the name is taken; whether it was free."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove; nothing happens when there is none."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Names of the files directly in a folder, without it, sorted."""


class Folder(Place):
    """A folder of this machine or of a shared file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> bytes:
        """See `Place.read`."""
        return (self.root / name).read_bytes()

    def fetch(self, name: str, target: Path) -> None:
        """See `Place.fetch`."""
        shutil.copyfile(self.root / name, target)

    def state(self, name: str) -> State | None:
        """See `Place.state`."""
        try:
            found = (self.root / name).stat()
        except FileNotFoundError:
            return None
        return State(found.st_size, found.st_mtime)

    def walk(self, folder: str) -> Iterator[tuple[str, State]]:
        """See `Place.walk`."""
        for where, _, names in os.walk(self.root / folder):
            for name in names:
                path = (Path(where) / name).relative_to(self.root).as_posix()
                found = self.state(path)
                if found is not None:
                    yield path, found

    def write(self, name: str, data: bytes | Path) -> None:
        """See `Place.write`."""
        with atomic(self.root / name) as file:
            if isinstance(data, Path):
                with data.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
            else:
                file.write(data)

    def create(self, name: str, data: bytes) -> bool:
        """See `Place.create`."""
        path = self.root / name
        if path.exists():
            return False
        handle, temporary = beside(path)
        try:
            with open(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(handle, 0o644)
                os.fsync(handle)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                self.write(name, data)
            return True
        finally:
            Path(temporary).unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """See `Place.delete`."""
        (self.root / name).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """See `Place.names`."""
        try:
            return sorted(one.name for one in os.scandir(self.root / folder) if not one.name.startswith("."))
        except FileNotFoundError:
            return []


class Objects(Place):
    """An object store: any of fsspec's whose objects appear whole.

    Args:
        system: fsspec's file system.
        root: below which the names are.
    """

    def __init__(self, system: Any, root: str) -> None:
        self.system, self.root = system, root.rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def read(self, name: str) -> bytes:
        """See `Place.read`."""
        return bytes(self.system.cat_file(self._path(name)))

    def fetch(self, name: str, target: Path) -> None:
        """See `Place.fetch`."""
        self.system.get_file(self._path(name), str(target))

    def state(self, name: str) -> State | None:
        """See `Place.state`."""
        try:
            return _state(self.system.info(self._path(name)))
        except FileNotFoundError:
            return None

    def walk(self, folder: str) -> Iterator[tuple[str, State]]:
        """See `Place.walk`."""
        top = self.system._strip_protocol(self._path(folder))
        found = self.system.find(top, detail=True)
        for path, info in found.items():
            yield f"{folder}/{path.removeprefix(top).lstrip('/')}", _state(info)

    def write(self, name: str, data: bytes | Path) -> None:
        """See `Place.write`."""
        if isinstance(data, Path):
            self.system.put_file(str(data), self._path(name))
        else:
            self.system.pipe_file(self._path(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """See `Place.create`."""
        if self.size(name) is not None:
            return False
        try:
            self.system.pipe_file(self._path(name), data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if "NotImplemented" not in f"{error}{error.__cause__!r}":
                raise
            self.system.pipe_file(self._path(name), data)
        return True

    def delete(self, name: str) -> None:
        """See `Place.delete`."""
        try:
            self.system.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def names(self, folder: str) -> list[str]:
        """See `Place.names`."""
        try:
            found = self.system.ls(self._path(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(path.rpartition("/")[2] for path in found)


def _state(info: Mapping[str, Any]) -> State:
    """Of what fsspec says of an object; one whose age is not told counts as new."""
    when = info.get("LastModified") or info.get("mtime") or info.get("last_modified") or info.get("created")
    if isinstance(when, datetime.datetime):
        when = when.timestamp()
    return State(int(info["size"]), float(when) if isinstance(when, int | float) else math.inf)


def place(address: str) -> Place:
    """The place of an address.

    Args:
        address: a folder's path, `file://...`, `s3://bucket/prefix`, or another address that fsspec knows.

    Raises:
        InputError: when what the address needs is not installed, or `AWS_CA_BUNDLE` names no certificates.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return Folder(Path(address).absolute())
    if scheme == "file":
        return Folder(Path("/" + rest.lstrip("/")))
    hint = f"Run: pip install 'karyobench[{EXTRAS.get(scheme, 's3')}]'"
    if scheme in EXTRAS:
        _check_bundle()
    try:
        fsspec = importlib.import_module("fsspec.core")
        system, root = fsspec.url_to_fs(address, **_fresh(scheme))
    except ImportError as error:
        raise InputError(f"this address needs a package: {error}", field="store", found=address, hint=hint) from error
    except ValueError as error:
        raise InputError(f"no such kind of address: {error}", field="store", found=address) from error
    return Objects(system, root)


def _check_bundle() -> None:
    """Say at once that a file has no certificates; the clients would take it for a network that does not answer."""
    bundle = os.environ.get(CA)
    if not bundle:
        return
    import ssl

    try:
        ssl.create_default_context(cafile=bundle)
    except (OSError, ValueError) as error:
        raise InputError(f"no file of certificates: {error}", field=CA, found=bundle) from error


def _fresh(scheme: str) -> dict[str, Any]:
    """No answer from a memory of earlier ones: others write to the same store."""
    return {"use_listings_cache": False, "skip_instance_cache": True} if scheme in ("s3", "s3a") else {}
