"""The axes of many chromosomes, found once and kept in the workspace."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.files import atomic
from benchmark.insight.attention.numbers import PARTS, Chromosome, chromosome

U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

VERSION = 3
"""Raised whenever what is found in the same images changes."""

PIECE = 128
"""Images kept together."""


def find(folder: Path, images: U8, progress: Progress) -> list[Chromosome | None]:
    """The chromosome of each image, (n, size, size); None for one that cannot be measured.

    Args:
        folder: where they are kept.
        images: as prepared.
        progress: told images done and images in all.
    """
    found: list[Chromosome | None] = []
    for start in range(0, len(images), PIECE):
        some = np.ascontiguousarray(images[start : start + PIECE])
        name = hashlib.sha256(f"{VERSION} {PARTS} {some.shape}:".encode() + some.tobytes()).hexdigest()
        path = folder / f"{name[:32]}.npz"
        kept = _read(path)
        if kept is None:
            kept = [chromosome(one) for one in some]
            _write(path, kept, some.shape[1])
        found += kept
        progress(min(start + PIECE, len(images)), len(images))
    return found


def _write(path: Path, found: list[Chromosome | None], size: int) -> None:
    empty = np.zeros((size, size), dtype=np.bool_)
    blank = Chromosome(empty, empty, np.full((size, size), -1), np.full(PARTS, np.nan))
    there = [one or blank for one in found]
    parts: dict[str, Any] = {name: np.stack([getattr(one, name) for one in there]) for name in Chromosome._fields}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **parts, measured=np.array([one is not None for one in found]))
    with atomic(path, durable=False) as file:
        file.write(buffer.getvalue())


def _read(path: Path) -> list[Chromosome | None] | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            parts = [kept[name] for name in Chromosome._fields]
            return [Chromosome(*row) if there else None for there, *row in zip(kept["measured"], *parts, strict=True)]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
