"""A dataset as a track prepares it: arrays, labels, groups and folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark import track as tracks
from benchmark.data.card import Card
from benchmark.data.manifest import CLASSES, FOLDS, Manifest, Part
from benchmark.data.store import Store
from benchmark.errors import InputError
from benchmark.workspace import folder

PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Data:
    """A prepared dataset, image by image in manifest order.

    Attributes:
        card: what it is, its terms of use, how it is cited.
        manifest: the committed list that everything below is taken from.
        images: uint8, shape (n, size, size), chromosomes light on black; memory-mapped, not to be written.
        names: id of each image, shape (n,).
        labels: class of each image as an index into `classes`, int64, shape (n,).
        groups: what never stands on both sides of a split, shape (n,): the case where it is known, else the cell.
        cells: cell of each image, shape (n,); empty where not known.
        folds: fold in which each image is tested, int64, shape (n,).
        validation_of: fold for which each image is validation, int64, shape (n,); -1: for none.
    """

    card: Card
    manifest: Manifest
    images: npt.NDArray[np.uint8]
    names: npt.NDArray[np.str_]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    cells: npt.NDArray[np.str_]
    folds: npt.NDArray[np.int64]
    validation_of: npt.NDArray[np.int64]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the 24 classes, in the order of every label and logit: `1` to `22`, `X`, `Y`."""
        return CLASSES

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, fold: int, part: Part) -> npt.NDArray[np.int64]:
        """Positions of the images of one part of one fold, ascending; the three parts are disjoint and hold all images.

        Args:
            fold: 0 to 4.
            part: `train`, `validation` or `test`.

        Raises:
            InputError: for another fold or part.

        Example:
            ```python
            from benchmark import dataset

            data = dataset("sim-q", track="smoke")
            train = data.part(0, "train")
            images, labels = data.images[train], data.labels[train]
            ```
        """
        if not 0 <= fold < FOLDS:
            raise InputError("no such fold", field="fold", found=fold, allowed=f"0 to {FOLDS - 1}")
        if part not in PARTS:
            raise InputError("no such part", field="part", found=part, allowed=PARTS)
        return self.manifest.part(fold, part)


def dataset(
    name: str,
    track: str = "pocket",
    *,
    workspace: Path | str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Data:
    """Load a dataset as a track prepares it: what every submission is trained on, with labels, groups and folds.

    The first time its images are rendered at the track's size, which takes seconds to a minute; then they are mapped.

    Args:
        name: as `karyobench data list` names it. It must be in the workspace (`karyobench data fetch` or `import`).
        track: name or path of the track whose size and preprocessing are taken.
        workspace: its folder; default: `KARYOBENCH_WORKSPACE`, else `karyobench-workspace`.
        progress: told images rendered and images in all; not called where they were rendered before.

    Raises:
        InputError: when the dataset or the track is unknown, or the dataset is not in the workspace.
        IntegrityError: when what is stored is damaged.

    Example:
        ```python
        from benchmark import dataset

        data = dataset("sim-q", track="smoke")
        data.images.shape  # (920, 48, 48)
        ```
    """
    how = tracks.load(track).preprocess
    images, manifest, card = Store(folder(workspace)).prepared(name, how, progress)
    return Data(
        card=card,
        manifest=manifest,
        images=images,
        names=np.array([entry.image for entry in manifest.entries]),
        labels=manifest.labels,
        groups=manifest.groups,
        cells=manifest.cells,
        folds=manifest.folds,
        validation_of=manifest.validation_of,
    )
