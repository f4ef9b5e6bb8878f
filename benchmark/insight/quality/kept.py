"""The measures of a whole dataset, held in the workspace in pieces, so that a run that was stopped goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark.crew import crew
from benchmark.data.manifest import Manifest
from benchmark.data.preprocess import unify
from benchmark.data.store import Dataset, Store
from benchmark.files import atomic, write_array
from benchmark.insight.quality.measures import VERSION, Measures, measure
from benchmark.insight.resample import Floats

U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

PIECE = 128


@dataclass(frozen=True)
class Measured:
    """A dataset and what was measured of it.

    Attributes:
        dataset: the imported images.
        columns: by name of `Measures`, each (n,) in manifest order.
    """

    dataset: Dataset
    columns: dict[str, Floats]

    @property
    def manifest(self) -> Manifest:
        """Of the dataset."""
        return self.dataset.manifest

    def light(self, position: int) -> U8:
        """The original crop at a manifest position, light on black."""
        return unify(self.dataset.pixels(position), self.dataset.card.polarity)


def measure_dataset(workspace: Path, name: str, progress: Progress | None = None) -> Measured:
    """Every measure of every image of an imported dataset.

    Args:
        workspace: holds the dataset; measures are kept below `insight/quality`.
        name: of the dataset.
        progress: told images done and images in all.

    Raises:
        InputError: when the dataset is unknown or has not been imported.
    """
    dataset = Store(workspace).open(name)
    found = Measured(dataset, {})
    crops = [found.light(position) for position in range(len(dataset.manifest))]
    return Measured(dataset, measure_all(crops, workspace / "insight" / "quality", progress))


def measure_all(crops: Sequence[U8], folder: Path, progress: Progress | None = None) -> dict[str, Floats]:
    """Measures of many crops, light on black, computed or read: by name, each (n,)."""
    pieces = [crops[start : start + PIECE] for start in range(0, len(crops), PIECE)]
    paths = [folder / f"{_key(piece)}.npy" for piece in pieces]
    rows = [_read(path, len(piece)) for path, piece in zip(paths, pieces, strict=True)]
    missing = [number for number, row in enumerate(rows) if row is None]
    done = sum(len(row) for row in rows if row is not None)
    with crew(_piece, [pieces[number] for number in missing]) as found:
        for number, row in zip(missing, found, strict=True):
            with atomic(paths[number], durable=False) as file:
                write_array(file, row)
            rows[number] = row
            done += len(row)
            if progress:
                progress(done, len(crops))
    table = np.concatenate([row for row in rows if row is not None]) if rows else np.empty((0, len(Measures._fields)))
    return {name: table[:, column] for column, name in enumerate(Measures._fields)}


def _key(piece: Sequence[U8]) -> str:
    state = hashlib.sha256(f"quality {VERSION} {','.join(Measures._fields)}".encode())
    for crop in piece:
        state.update(f"{crop.shape}:".encode() + np.ascontiguousarray(crop).tobytes())
    return state.hexdigest()


def _read(path: Path, images: int) -> Floats | None:
    """A kept piece; None where there is none or it is damaged, since it can be computed again."""
    try:
        kept: Floats = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept if kept.shape == (images, len(Measures._fields)) and kept.dtype == np.float64 else None


def _piece(piece: Sequence[U8]) -> Floats:
    return np.array([measure(crop) for crop in piece], dtype=np.float64)
