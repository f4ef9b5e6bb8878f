"""Linear centred kernel alignment of class means (Kornblith et al. 2019).

It compares two views of the *same* things, so it needs pairs. Chromosomes of two stains are pairs only by
their class: the mean features of the 24 classes in Q against those in G. Photographs have no such classes, and
there it is not defined. With 24 pairs and many features it is far above nothing by chance alone; shuffled classes
show by how much.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmark.insight.resample import Floats, Ints

LEAST_CLASSES = 3


def linear_cka(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> float:
    """1 where one is the other turned and scaled as a whole; not changed by either.

    Args:
        x: (pairs, d).
        y: (pairs, e).
    """
    first, second = _gram(x), _gram(y)
    return float((first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum()))


def _gram(x: npt.NDArray[np.floating]) -> Floats:
    centred = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    return np.asarray(centred @ centred.T, dtype=np.float64)


class ClassMeans:
    """Mean features of every class under weights of the groups.

    Args:
        features: (images, d).
        labels: class of each image, (images,).
        groups: number of the group of each image, (images,), from 0 without gaps.
        classes: number of classes.
    """

    def __init__(self, features: npt.NDArray[np.floating], labels: Ints, groups: Ints, classes: int) -> None:
        place = groups * classes + labels
        count = (int(groups.max()) + 1) * classes
        order = np.argsort(place, kind="stable")
        present, starts = np.unique(place[order], return_index=True)
        sums = np.zeros((count, features.shape[1]), dtype=np.float32)
        sums[present] = np.add.reduceat(features[order].astype(np.float32), starts, axis=0)
        self._sums = sums.reshape(-1, classes, features.shape[1])
        self._sizes = np.bincount(place, minlength=count).reshape(-1, classes)

    def __call__(self, weights: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Means (classes, d) under one row of weights (groups,), and which classes are there."""
        size = weights @ self._sizes
        chosen = np.flatnonzero(weights)
        total = np.tensordot(weights[chosen].astype(np.float32), self._sums[chosen], axes=1)
        return np.asarray(total / np.maximum(size, 1)[:, None], dtype=np.float64), size > 0


def aligned(first: ClassMeans, second: ClassMeans, wa: Ints, wb: Ints) -> Floats:
    """CKA over the classes that both hold, of every draw: (draws, groups) twice give (draws,).

    NaN where fewer than three classes are in both.
    """
    found = []
    for one, other in zip(wa, wb, strict=True):
        (x, has_x), (y, has_y) = first(one), second(other)
        shared = has_x & has_y
        found.append(linear_cka(x[shared], y[shared]) if shared.sum() >= LEAST_CLASSES else np.nan)
    return np.array(found)


def by_chance(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.floating], draws: int, random: np.random.Generator
) -> Floats:
    """CKA with the pairs shuffled: (draws,)."""
    return np.array([linear_cka(x, y[random.permutation(len(y))]) for _ in range(draws)])
