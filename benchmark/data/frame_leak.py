"""Whether the frame of an image, and not its chromosome, tells which cell it is from.

Scale, contrast and texture legitimately differ between cells and say nothing about a leak, so that
only what a correct preprocessing makes meaningless is looked at: where the chromosome sits on the
canvas, what its border holds, how dark the background is. A classifier is asked for the cell
of held-out images from these alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

from benchmark.data.manifest import Manifest

ALPHA = 0.001
"""Error rate of the permutation test."""
TOLERANCE = 2.0
"""Accuracy, as a multiple of chance, up to which a significant trace is tolerated."""
PERMUTATIONS = 4999

MOST_CELLS = 200
"""Cells that are asked about, drawn where there are more: a forest's memory grows with cells times images."""

FRAME_FEATURES = (
    "offset across",
    "offset along",
    "border mean",
    "border maximum",
    "border filled",
    "corner mean",
    "darkest",
    "background",
)

_SPLITS = 3
_TREES = 40

F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]


class Prediction(NamedTuple):
    """How well cells are predicted.

    Args:
        accuracy: part of the held-out images given to their cell.
        chance: mean accuracy under permuted cells.
        p: permutation p-value.
        cells: number of cells.
        images: number of images.
    """

    accuracy: float
    chance: float
    p: float
    cells: int
    images: int

    @property
    def leaks(self) -> bool:
        """Significant and beyond the tolerance."""
        return self.p < ALPHA and self.ratio > TOLERANCE

    @property
    def ratio(self) -> float:
        """Accuracy as a multiple of chance."""
        return self.accuracy / self.chance if self.chance else float("inf")


def raw_frames(manifest: Manifest) -> F64:
    """Width and height of every raw image, in pixels, shape (n, 2)."""
    return np.array([(entry.width, entry.height) for entry in manifest.entries], dtype=np.float64)


def frames(images: U8) -> F64:
    """What is left of the frame in prepared images.

    The offset is that of the foreground's bounding box from the canvas' centre, in pixels; the
    foreground is what differs from the darkest level by more than 8 of 255. The border is one
    pixel wide. `background` is the most frequent grey value.

    Args:
        images: uint8 (n, height, width).

    Returns:
        Features in the order of `FRAME_FEATURES`, shape (n, 8).
    """
    return np.array([_frame(image) for image in images], dtype=np.float64).reshape(len(images), len(FRAME_FEATURES))


def predict_cell(features: F64, cells: npt.NDArray[np.str_], seed: int = 0) -> Prediction | None:
    """Predict the cell of held-out images with a random forest.

    Images are split within their cell. The null distribution keeps the predictions and
    permutes the true cells within each held-out part, which needs no second training and is
    exact: given the training images, held-out ones are exchangeable where the frame says nothing.

    Args:
        features: (n, d).
        cells: cell of each image, (n,); images without a cell, and of cells with fewer than
            three images, are left out.
        seed: of the split, the forest and the permutations.

    Returns:
        None where fewer than two cells are known.
    """
    _, index, counts = np.unique(cells, return_inverse=True, return_counts=True)
    kept = (counts[index] >= _SPLITS) & (cells != "")
    features, truth = features[kept], index[kept]
    used = len(np.unique(truth))
    if used < 2:
        return None
    random = np.random.default_rng(seed)
    if used > MOST_CELLS:
        drawn = np.isin(truth, random.choice(np.unique(truth), MOST_CELLS, replace=False))
        features, truth, used = features[drawn], truth[drawn], MOST_CELLS
    hits = np.zeros(PERMUTATIONS + 1, dtype=np.int64)
    for train, test in StratifiedKFold(_SPLITS, shuffle=True, random_state=seed).split(features, truth):
        forest = RandomForestClassifier(_TREES, min_samples_leaf=2, random_state=seed, n_jobs=1)
        guess = forest.fit(features[train], truth[train]).predict(features[test])
        held = truth[test]
        hits[0] += int((guess == held).sum())
        for number in range(1, PERMUTATIONS + 1):
            hits[number] += int((guess == random.permutation(held)).sum())
    p = float((hits[1:] >= hits[0]).sum() + 1) / (PERMUTATIONS + 1)
    return Prediction(float(hits[0]) / len(truth), float(hits[1:].mean()) / len(truth), p, used, len(truth))


def _frame(image: U8) -> tuple[float, ...]:
    height, width = image.shape
    darkest = int(image.min())
    inside = image > darkest + 8
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    across = along = 0.0
    if len(rows):
        across = float(columns[0] + columns[-1] + 1 - width) / 2
        along = float(rows[0] + rows[-1] + 1 - height) / 2
    border = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    return (
        across,
        along,
        float(border.mean()),
        float(border.max()),
        float((border > 0).mean()),
        float(corners.mean()),
        float(darkest),
        float(np.bincount(image.ravel(), minlength=256).argmax()),
    )
