"""One way to walk a folder, a zip or a tar: relative names and bytes.

Nothing is ever extracted to disk, so that no member can write outside, and links are not followed.
A file that is not asked for is not read, so that a repository's large files cannot end an import.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from benchmark.errors import InputError

MAX_FILE = 64 * 1024 * 1024
MAX_MEMBERS = 2_000_000
MAX_UNPACKED = 32 * 1024**3

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What the standard library raises for damaged, encrypted or unsupported archives."""

Wanted = Callable[[str], bool]


class Member(NamedTuple):
    """One file of an archive: its name with forward slashes, and how to read its bytes."""

    name: str
    read: Callable[[], bytes]


def kind_of(path: Path) -> Literal["zip", "tar"] | None:
    """What archive a file is, by its content, or None.

    A tar is looked for first: a zip that is a tar's last member would else be taken for the whole.
    """
    try:
        if tarfile.is_tarfile(path):
            return "tar"
    except DAMAGE:
        pass
    return "zip" if zipfile.is_zipfile(path) else None


def check_whole(path: Path, where: str) -> None:
    """Read an archive to its end, so that a cut-off or damaged one is found before it is used.

    Args:
        path: a zip or tar.
        where: what an error names, e.g. the address it came from.

    Raises:
        InputError: when any byte is missing or any checksum wrong.
    """
    unpacked = 0

    def add(size: int) -> None:
        nonlocal unpacked
        unpacked += size
        if unpacked > MAX_UNPACKED:
            raise InputError("unpacks to too much", file=where, allowed=f"at most {MAX_UNPACKED:,} bytes")

    try:
        if kind_of(path) == "zip":
            with zipfile.ZipFile(path) as archive:
                add(sum(info.file_size for info in archive.infolist()))
                if (name := archive.testzip()) is not None:
                    raise InputError("damaged member", file=where, field=name)
            return
        with tarfile.open(path) as tar:
            for info in tar:
                add(info.size)
            while tar.fileobj is not None and (rest := tar.fileobj.read(1024 * 1024)):
                add(len(rest))
    except DAMAGE as error:
        raise InputError(f"the archive is cut off or damaged: {error}", file=where) from error


def members(path: Path, suffixes: tuple[str, ...], folder: str = "") -> Iterator[Member]:
    """Walk the image files of a folder or archive.

    A folder and a zip come sorted by name; a tar is read once, front to back, in its own order.

    Args:
        path: a folder, a zip or a tar (compressed or not).
        suffixes: which files, by lower-case ending.
        folder: only what lies below a folder of this name, at any depth (empty: all).

    Raises:
        InputError: when `path` is missing, neither folder nor archive, holds no such file, or a
            member is damaged.
    """
    inside = f"/{folder.strip('/')}/" if folder.strip("/") else "/"

    def wanted(name: str) -> bool:
        whole = f"/{name}"
        base = whole.rsplit("/", 1)[-1]
        hidden = base.startswith(".") or "/__MACOSX/" in whole
        return not hidden and base.lower().endswith(suffixes) and inside in whole

    if path.is_dir():
        found = _folder(path, wanted)
    elif not path.is_file():
        raise InputError("no such file or folder", file=path)
    else:
        kind = kind_of(path)
        if kind is None:
            allowed = "folder, .zip, .tar, .tar.gz"
            raise InputError("neither a folder nor an archive that can be read", file=path, allowed=allowed)
        found = _zip(path, wanted) if kind == "zip" else _tar(path, wanted)
    empty = True
    for member in found:
        empty = False
        yield member
    if empty:
        field = f"folder {folder}" if folder else None
        raise InputError("holds no image file", file=path, field=field, allowed=suffixes)


def _folder(path: Path, wanted: Wanted) -> Iterator[Member]:
    names = []
    for parent, _, files in os.walk(path, followlinks=False):
        for file in files:
            full = Path(parent, file)
            name = _slashes(full.relative_to(path).as_posix())
            if wanted(name) and full.is_file() and not full.is_symlink():
                names.append((name, full))
    _count(path, len(names))
    for name, full in sorted(names):

        def read(name: str = name, full: Path = full) -> bytes:
            try:
                _size(path, name, full.stat().st_size)
                return full.read_bytes()
            except OSError as error:
                raise InputError(f"cannot be read: {error.strerror}", file=path, field=name) from error

        yield Member(name, read)


def _zip(path: Path, wanted: Wanted) -> Iterator[Member]:
    """The archive stays open for as long as one of its members is kept."""
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise InputError(f"damaged archive: {error}", file=path) from error
    infos = [(_slashes(info.filename), info) for info in archive.infolist() if not _is_link_or_folder(info)]
    _count(path, len(infos))
    for name, info in sorted(((n, i) for n, i in infos if wanted(n)), key=lambda pair: pair[0]):

        def read(name: str = name, info: zipfile.ZipInfo = info) -> bytes:
            _size(path, name, info.file_size)
            try:
                return archive.read(info)
            except DAMAGE as error:
                raise InputError(f"damaged member: {error}", file=path, field=name) from error

        yield Member(name, read)


def _is_link_or_folder(info: zipfile.ZipInfo) -> bool:
    symlink = 0o120000
    return info.is_dir() or (info.external_attr >> 16) & 0o170000 == symlink


def _tar(path: Path, wanted: Wanted) -> Iterator[Member]:
    name: str | None = None
    try:
        with tarfile.open(path) as archive:
            for count, info in enumerate(archive, start=1):
                _count(path, count)
                name = _slashes(info.name)
                if not (info.isreg() and wanted(name)):
                    continue
                _size(path, name, info.size)
                handle = archive.extractfile(info)
                data = handle.read() if handle else b""
                if len(data) != info.size:
                    raise InputError("damaged member: cut off", file=path, field=name)

                def read(data: bytes = data) -> bytes:
                    return data

                yield Member(name, read)
    except DAMAGE as error:
        near = f"at or after {name}" if name else None
        raise InputError(f"damaged archive: {error}", file=path, field=near) from error


def _slashes(name: str) -> str:
    return name.replace("\\", "/")


def _size(path: Path, name: str, size: int) -> None:
    if size > MAX_FILE:
        allowed = f"at most {MAX_FILE:,} bytes"
        raise InputError("member is too large", file=path, field=name, found=f"{size:,} bytes", allowed=allowed)


def _count(path: Path, count: int) -> None:
    if count > MAX_MEMBERS:
        raise InputError("too many members", file=path, found=count, allowed=f"at most {MAX_MEMBERS:,}")
