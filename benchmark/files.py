"""Reading and writing files: models from YAML, canonical JSON, hashes, and writes that are whole or absent."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark import strict_yaml
from benchmark.errors import InfrastructureError, InputError

MAX_YAML = 64 * 1024

_NUMBERS = itertools.count()
"""Tell files apart that one process writes."""


class Strict(BaseModel):
    """Base of everything a user may write: unknown keys are errors, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ModelT = TypeVar("ModelT", bound=BaseModel)


def read_yaml(path: Path, model: type[ModelT]) -> ModelT:
    """Read one YAML file into a pydantic model.

    Raises:
        InputError: for a missing, huge, broken or invalid file; names the first wrong field.
    """
    text = read_text(path, MAX_YAML)
    try:
        data = strict_yaml.parse(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else None
        raise InputError(f"not valid YAML: {getattr(error, 'problem', error)}", file=path, field=line) from error
    except (RecursionError, ValueError) as error:
        raise InputError("not valid YAML: nested too deeply or a bad value", file=path) from error
    if not isinstance(data, dict):
        raise InputError("must be a mapping of keys to values", file=path, found=type(data).__name__)
    return validate(data, model, path)


def validate(data: object, model: type[ModelT], where: Path | str) -> ModelT:
    """Validate plain data; the first error becomes one `InputError`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        if first["type"] == "extra_forbidden":
            allowed = sorted(_model_at(model, first["loc"][:-1]).model_fields)
            raise InputError("unknown key", file=where, field=field, allowed=allowed) from error
        found = None if first["type"] == "missing" else first["input"]
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            problem = "this key is required"
        raise InputError(problem[0].lower() + problem[1:], file=where, field=field, found=found) from error


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that a validation error's location leads to, through lists, mappings and optional fields."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def read_text(path: Path, limit: int) -> str:
    """Text of a small UTF-8 file.

    Raises:
        InputError: when it is missing, not a regular file, over `limit` bytes or not UTF-8.
    """
    if not path.is_file():
        raise InputError("no such file", file=path)
    size = path.stat().st_size
    if size > limit:
        raise InputError("file is too large", file=path, found=f"{size:,} bytes", allowed=f"at most {limit:,} bytes")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", file=path) from error


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(data: object) -> str:
    """The one JSON text of some data: sorted keys, no spaces, no NaN."""
    return _CANONICAL.encode(data)


def digest(data: object) -> str:
    """SHA-256 of the canonical JSON text (64 hex digits)."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes (64 hex digits)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make renames within a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the system says of a path into one error that names it.

    Raises:
        InfrastructureError: for a full, read-only or failing disk.
        InputError: for a path that cannot be: below a file, a folder's own, or too long.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InfrastructureError(
                f"{path}: the disk is full; free some space and run the same command again"
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO):
            raise InfrastructureError(f"{path}: cannot write: {error.strerror}") from error
        if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG):
            raise InputError(f"cannot be written: {(error.strerror or '').lower()}", file=path) from error
        raise


def beside(path: Path) -> tuple[int, str]:
    """Open a new hidden file in the folder of a path, which is made when absent.

    Unlike `tempfile.mkstemp` it draws no random name, which takes longer than writing a small file.

    Returns:
        Descriptor and path: `.NAME.PROCESS-NUMBER.part`.
    """
    folder, name = os.path.split(path)
    while True:
        temporary = os.path.join(folder, f".{name}.{os.getpid()}-{next(_NUMBERS)}.part")
        try:
            return os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), temporary
        except FileExistsError:  # of a process that was killed, or of another machine
            continue
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def atomic(path: Path, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears under its name only when whole, and synced.

    Args:
        path: where it will be.
        durable: wait until the disk has it; not for files that can be made again.

    Raises:
        InfrastructureError: when the disk is full or not writable; nothing is left behind.
        InputError: when there can be no file of this path.
    """
    with disk_errors(path):
        descriptor, temporary = beside(path)
        try:
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fchmod(descriptor, 0o644)
                if durable:
                    os.fsync(descriptor)
            os.replace(temporary, path)
            if durable:
                sync_folder(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_at(path: Path, position: int, data: bytes) -> None:
    """Write at a place of a file in one synced write, and cut off what stood behind it.

    Raises:
        InfrastructureError: when the disk is full or not writable; the file ends at `position`.
        InputError: when there can be no file of this path.
    """
    with disk_errors(path):
        handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
        try:
            os.ftruncate(handle, position)
            try:
                if os.pwrite(handle, data, position) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, position)
                raise
        finally:
            os.close(handle)


def write_array(file: IO[bytes], array: npt.NDArray[Any]) -> None:
    """Write an array in NumPy's own format (version 1.0, never pickled).

    Unlike `numpy.save` this fails with the system's own error when the disk is full; NumPy raises one
    without a number, which cannot be told from a fault of the model.
    """
    whole = np.ascontiguousarray(array)
    if whole.dtype.hasobject:
        raise ValueError("an array of objects cannot be written")
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
    file.write(whole.tobytes())


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array to a file of its own."""
    with path.open("wb") as file:
        write_array(file, array)


def write_json(path: Path, data: object) -> None:
    """Write readable JSON, atomically."""
    with atomic(path) as file:
        file.write((json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())
