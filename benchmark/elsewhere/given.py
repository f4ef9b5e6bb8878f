"""Predictions as an outsider hands them in: CSV, Parquet or NumPy's archive, read so that no file can do harm.

Nothing is unpickled, no file is read that is larger than `LARGEST`, and nothing is unpacked beyond `UNPACKED`. Numbers
are checked in `matching`; here only the form of the file is.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.errors import InputError

Form = Literal["logits", "probabilities"]
LARGEST = 64 * 1024 * 1024
"""Bytes of a file."""

UNPACKED = 512 * 1024 * 1024
"""Bytes of an archive's contents."""

MOST = 200_000
"""Images."""

LONGEST = 200
"""Characters of an image's id."""

IMAGE = "image"
COLUMNS = f"{IMAGE} and the 24 classes 1 to 22, X, Y, each once, in any order"


class Given(NamedTuple):
    """What a file says.

    Attributes:
        images: an id a row.
        values: shape (n, 24), in the order of `CLASSES`.
        form: what they are, where the file says so.
    """

    images: list[str]
    values: npt.NDArray[np.float64]
    form: Form | None


def read(path: Path) -> Given:
    """Read a file of predictions.

    Raises:
        InputError: for a file that is absent, empty, huge, of another kind, or not of the form that docs/scores.md describes.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            "not a file of predictions", file=path, field="ending", found=path.suffix, allowed=tuple(READERS)
        )
    if not path.is_file():
        raise InputError("no such file", file=path)
    size = path.stat().st_size
    if not 0 < size <= LARGEST:
        raise InputError("is empty" if size == 0 else "is too large", file=path, found=f"{size:,} bytes",
                         allowed=f"1 to {LARGEST:,} bytes")  # fmt: skip
    given = reader(path)
    if not given.images:
        raise InputError("holds no image", file=path)
    return given


def _order(names: Sequence[str], where: Path, field: str) -> list[int]:
    """Where each of the classes is among some columns."""
    twice = sorted({name for name in names if list(names).count(name) > 1})
    lacking = [name for name in CLASSES if name not in names]
    foreign = [name for name in names if name not in CLASSES]
    if twice or lacking or foreign:
        said = [f"{word} {', '.join(map(repr, found[:5]))}{', ...' if len(found) > 5 else ''}"
                for word, found in (("lacks", lacking), ("does not know", foreign), ("has twice", twice)) if found]  # fmt: skip
        raise InputError(
            f"wrong classes: {'; '.join(said)}", file=where, field=field, found=f"{len(names)} classes", allowed=COLUMNS
        )
    return [list(names).index(name) for name in CLASSES]


def _columns(names: Sequence[str], where: Path) -> tuple[int, list[int]]:
    """Place of the column of ids, and of the columns of the classes."""
    if names.count(IMAGE) != 1:
        raise InputError(
            "wants one column of image ids", file=where, field=IMAGE, found=", ".join(names[:6]), allowed=COLUMNS
        )
    place = list(names).index(IMAGE)
    others = [number for number in range(len(names)) if number != place]
    return place, [others[number] for number in _order([names[number] for number in others], where, "columns")]


def _csv(path: Path) -> Given:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("not text in UTF-8", file=path, field=f"byte {error.start}") from error
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    images: list[str] = []
    values: list[list[float]] = []
    try:
        header = [name.strip() for name in next(rows, [])]
        place, order = _columns(header, path)
        for row in rows:
            if not row:
                continue
            line = f"line {rows.line_num}"
            if len(row) != len(header):
                raise InputError(
                    "wrong number of columns", file=path, field=line, found=len(row), allowed=str(len(header))
                )
            _count(len(images) + 1, path)
            images.append(row[place])
            values.append([_number(row[number], path, f"{line}, {CLASSES[k]}") for k, number in enumerate(order)])
    except csv.Error as error:
        raise InputError(f"not valid CSV: {error}", file=path, field=f"line {rows.line_num}") from error
    return Given(images, np.array(values, dtype=np.float64).reshape(-1, len(CLASSES)), None)


def _number(text: str, where: Path, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError("not a number", file=where, field=field, found=text) from None


def _count(number: int, where: Path) -> None:
    if number > MOST:
        raise InputError("holds too many images", file=where, found=f"{number:,} or more", allowed=f"at most {MOST:,}")


def _parquet(path: Path) -> Given:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, read_dictionary=[IMAGE]) as file:
            meta = file.metadata
            _count(meta.num_rows, path)
            place, order = _columns(list(file.schema_arrow.names), path)
            unpacked = sum(meta.row_group(number).total_byte_size for number in range(meta.num_row_groups))
            if unpacked > UNPACKED:
                raise InputError(
                    "unpacks to too much", file=path, found=f"{unpacked:,} bytes", allowed=f"at most {UNPACKED:,}"
                )
            found = file.read()
        ids = found.column(place)
        if not pa.types.is_dictionary(ids.type) or not pa.types.is_string(ids.type.value_type):
            raise InputError("must be text", file=path, field=IMAGE, found=str(ids.type), allowed="string")
        longest = max((pc.max(pc.utf8_length(part.dictionary)).as_py() or 0 for part in ids.chunks), default=0)
        if longest > LONGEST:
            raise InputError(
                "image id is too long",
                file=path,
                field=IMAGE,
                found=f"{longest} characters",
                allowed=f"at most {LONGEST}",
            )
        columns = []
        for number, name in zip(order, CLASSES, strict=True):
            column = found.column(number)
            if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
                raise InputError(
                    "not numbers", file=path, field=name, found=str(column.type), allowed="float or integer"
                )
            if column.null_count:
                raise InputError(
                    "empty values", file=path, field=name, found=f"{column.null_count} empty", allowed="a number a row"
                )
            columns.append(column.to_numpy().astype(np.float64))
        if ids.null_count:
            raise InputError(
                "empty values", file=path, field=IMAGE, found=f"{ids.null_count} empty", allowed="an id a row"
            )
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"not a Parquet file: {str(error).splitlines()[0]}", file=path) from error
    return Given(ids.to_pylist(), np.stack(columns, axis=1), None)


def _npz(path: Path) -> Given:
    forms = get_args(Form)
    allowed = f"{IMAGE} (text), classes (text), and one of {' and '.join(forms)} (numbers, images × 24)"
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
            names = sorted(item.filename.removesuffix(".npy") for item in archive.infolist())
        if unpacked > UNPACKED:
            raise InputError(
                "unpacks to too much", file=path, found=f"{unpacked:,} bytes", allowed=f"at most {UNPACKED:,}"
            )
        held = [form for form in forms if names == sorted([IMAGE, "classes", form])]
        if not held:
            raise InputError("wrong arrays", file=path, found=", ".join(names), allowed=allowed)
        with np.load(path, allow_pickle=False) as archive:
            images, classes, values = (_array(archive, name, path) for name in (IMAGE, "classes", held[0]))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, MemoryError, RuntimeError) as error:
        raise InputError("not NumPy's archive (.npz)", file=path) from error
    for name, one in ((IMAGE, images), ("classes", classes)):
        if one.dtype.kind != "U" or one.ndim != 1:
            raise InputError(
                "must be a list of text",
                file=path,
                field=name,
                found=f"{one.dtype} {one.shape}",
                allowed="text, one dimension",
            )
    if values.dtype.kind not in "fiu" or values.shape != (len(images), len(classes)):
        wanted = f"numbers {(len(images), len(classes))}: images × classes"
        raise InputError(
            "wrong type or shape", file=path, field=held[0], found=f"{values.dtype} {values.shape}", allowed=wanted
        )
    _count(len(images), path)
    order = _order([str(name) for name in classes], path, "classes")
    return Given([str(one) for one in images], values.astype(np.float64)[:, order], cast(Form, held[0]))


def _array(archive: Any, name: str, where: Path) -> npt.NDArray[Any]:
    try:
        return np.asarray(archive[name])
    except (ValueError, TypeError, MemoryError) as error:
        pickled = "pickle" in str(error).lower() or "Object arrays" in str(error)
        problem = "holds pickled objects, which are never loaded" if pickled else f"cannot be read: {error}"
        raise InputError(problem, file=where, field=name, allowed="plain text and numbers") from error


READERS: dict[str, Callable[[Path], Given]] = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
