"""The manifest of a dataset: one line an image, with its label, its groups and its part in every fold.

The folds are columns of the committed file and are never drawn at run time: the image is tested
in fold `fold`, is validation in fold `validation_of`, and trains in all others.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark import resources
from benchmark.errors import InputError
from benchmark.files import atomic, read_text

CLASSES: tuple[str, ...] = (*(str(number) for number in range(1, 23)), "X", "Y")
"""The 24 classes in the order of every logit and confusion matrix."""

FOLDS = 5
COLUMNS = ("image", "label", "cell", "case", "width", "height", "sha256", "fold", "validation_of")
MAX_BYTES = 256 * 1024 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")
Part = Literal["train", "validation", "test"]


class Entry(NamedTuple):
    """One image. `cell` and `case` are empty where not known."""

    image: str
    label: str
    cell: str
    case: str
    width: int
    height: int
    sha256: str
    fold: int = -1
    validation_of: int = -1


def pixel_hash(pixels: npt.NDArray[np.uint8]) -> str:
    """SHA-256 of the decoded grey pixels and their shape, whatever the file format was."""
    height, width = pixels.shape
    return hashlib.sha256(f"{width}x{height}:".encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


class Tested(NamedTuple):
    """The test part of a fold: the class of each image, names of the groups, ascending, and the group of each image."""

    truth: npt.NDArray[np.int64]
    names: list[str]
    group: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Manifest:
    """All images of a dataset, in their fixed order.

    Args:
        entries: sorted by image id.
        group_by: what is the group: `case`; `cell`, or the case where that is known; `image`.
    """

    entries: tuple[Entry, ...]
    group_by: str

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class index of each image, shape (n,)."""
        index = {name: number for number, name in enumerate(CLASSES)}
        return np.array([index[entry.label] for entry in self.entries], dtype=np.int64)

    @cached_property
    def groups(self) -> npt.NDArray[np.str_]:
        """Group of each image, shape (n,): with `cell`, the case where it is known, else the cell."""
        if self.group_by == "cell":
            return np.array([entry.case or entry.cell for entry in self.entries])
        return np.array([getattr(entry, self.group_by) for entry in self.entries])

    @cached_property
    def cells(self) -> npt.NDArray[np.str_]:
        """Cell of each image, shape (n,); empty where not known."""
        return np.array([entry.cell for entry in self.entries])

    @cached_property
    def folds(self) -> npt.NDArray[np.int64]:
        """Fold in which each image is tested, shape (n,)."""
        return np.array([entry.fold for entry in self.entries], dtype=np.int64)

    @cached_property
    def validation_of(self) -> npt.NDArray[np.int64]:
        """Fold for which each image is validation, shape (n,)."""
        return np.array([entry.validation_of for entry in self.entries], dtype=np.int64)

    def part(self, fold: int, part: Part) -> npt.NDArray[np.int64]:
        """Positions of the images of one part of one fold, ascending."""
        test, validation = self.folds == fold, self.validation_of == fold
        chosen = {"test": test, "validation": validation & ~test, "train": ~(test | validation)}[part]
        return np.flatnonzero(chosen)

    def tested(self, fold: int) -> Tested:
        """The test part of one fold."""
        if fold not in self._tested:
            positions = self.part(fold, "test")
            names, group = np.unique(self.groups[positions], return_inverse=True)
            self._tested[fold] = Tested(self.labels[positions], [str(name) for name in names], group)
        return self._tested[fold]

    @cached_property
    def _tested(self) -> dict[int, Tested]:
        return {}

    def text(self) -> str:
        """The committed CSV text."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self.entries)
        return buffer.getvalue()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the CSV text: the manifest's hash in every record."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def with_folds(self, fold: npt.NDArray[np.int64], validation_of: npt.NDArray[np.int64]) -> Manifest:
        """The same images with other folds."""
        entries = tuple(
            entry._replace(fold=int(f), validation_of=int(v))
            for entry, f, v in zip(self.entries, fold, validation_of, strict=True)
        )
        return replace(self, entries=entries)


def build(entries: Iterable[Entry], group_by: str, where: Path | str | None = None) -> Manifest:
    """A manifest of entries in any order.

    Args:
        entries: the images.
        group_by: which column is the group.
        where: the file they come from, for errors.

    Raises:
        InputError: for a duplicated image id.
    """
    ordered = sorted(entries, key=lambda entry: entry.image)
    for first, second in pairwise(ordered):
        if first.image == second.image:
            raise InputError("the same image id twice", file=where, field="image", found=first.image)
    return Manifest(tuple(ordered), group_by)


def parse(text: str, group_by: str, where: Path | str) -> Manifest:
    """Read a manifest's CSV text.

    Raises:
        InputError: names the line and the column of the first wrong value.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = tuple(next(reader, ()))
        if header != COLUMNS:
            found, allowed = ",".join(header), ",".join(COLUMNS)
            raise InputError("wrong columns", file=where, field="line 1", found=found, allowed=allowed)
        entries = [_entry(row, where, number) for number, row in enumerate(reader, start=2)]
    except csv.Error as error:
        raise InputError(f"not valid CSV: {error}", file=where, field=f"line {reader.line_num}") from error
    if not entries:
        raise InputError("holds no image", file=where)
    return build(entries, group_by, where)


def _entry(row: list[str], where: Path | str, line: int) -> Entry:
    try:
        image, label, cell, case, width, height, sha256, fold, validation_of = row
        entry = Entry(image, label, cell, case, int(width), int(height), sha256, int(fold), int(validation_of))
        hashed = bytes.fromhex(sha256).hex() == sha256 and len(sha256) == 64
    except ValueError:
        raise _fault(row, where, f"line {line}") from None
    right = (
        label in CLASSES and entry.width > 0 and entry.height > 0
        and -1 <= entry.fold < FOLDS and -1 <= entry.validation_of < FOLDS and hashed
    )  # fmt: skip
    if not right:
        raise _fault(row, where, f"line {line}")
    return entry


def _fault(row: list[str], where: Path | str, line: str) -> InputError:
    """What is wrong with a row: the first wrong column."""
    if len(row) != len(COLUMNS):
        found, allowed = len(row), str(len(COLUMNS))
        return InputError("wrong number of columns", file=where, field=line, found=found, allowed=allowed)
    if row[1] not in CLASSES:
        return InputError("unknown label", file=where, field=f"{line}, label", found=row[1], allowed="1-22, X, Y")
    if SHA256.fullmatch(row[6]) is None:
        return InputError("not a SHA-256", file=where, field=f"{line}, sha256", found=row[6], allowed="64 hex digits")
    try:
        width, height, fold, validation_of = int(row[4]), int(row[5]), int(row[7]), int(row[8])
    except ValueError as error:
        return InputError("not a whole number", file=where, field=line, found=str(error))
    for column, side in (("width", width), ("height", height)):
        if side < 1:
            return InputError("no such size", file=where, field=f"{line}, {column}", found=side, allowed="1 or more")
    column, value = ("fold", fold) if not -1 <= fold < FOLDS else ("validation_of", validation_of)
    allowed = f"-1 to {FOLDS - 1}"
    return InputError("no such fold", file=where, field=f"{line}, {column}", found=value, allowed=allowed)


def read(path: Path, group_by: str) -> Manifest:
    """Read a manifest's file.

    Raises:
        InputError: for a missing, huge or wrong file.
    """
    return parse(read_text(path, MAX_BYTES), group_by, path)


def shipped(name: str, group_by: str) -> Manifest | None:
    """The committed manifest of a dataset, or None where none is committed."""
    path = resources.named("datasets", name, "card.yaml") / "manifest.csv"
    return read(path, group_by) if path.is_file() else None


def write(path: Path, manifest: Manifest) -> None:
    """Write the CSV, atomically."""
    with atomic(path) as file:
        file.write(manifest.text().encode())
