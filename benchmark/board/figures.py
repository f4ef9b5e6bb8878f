"""Figures of one arm beyond its score: classes, groups, mistakes, and the counts that a comparison needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.results import Arm, Place, Results
from benchmark.stats.pseudo import Tally, f1, tally

MOST_MISTAKES = 3


class Figures(NamedTuple):
    """Of one arm over its full repeats.

    Attributes:
        f1: of every class, mean over repeats; NaN where the class is absent.
        accuracy: part of all images, mean over repeats.
        confusion: true classes in rows, summed over repeats, shape (24, 24).
        groups: names, in the order of the folds.
        images: of every group, in one repeat.
        right: part of every group's images that was read rightly, mean over repeats.
        mistakes: the commonest of every group, as `8→X ×3`, counted over repeats.
        hits: flat, [repeat][group][class].
        claimed: likewise.
        true: flat, [group][class].
    """

    f1: list[float]
    accuracy: float
    confusion: list[list[int]]
    groups: list[str]
    images: list[int]
    right: list[float]
    mistakes: list[list[str]]
    hits: list[int]
    claimed: list[int]
    true: list[int]


def of(results: Results, arm: Arm, places: Sequence[Place]) -> Figures:
    """Figures of an arm.

    Args:
        results: that hold the arm.
        arm: with predictions at every place.
        places: of full repeats, one at least.
    """
    matrices = results.matrices(arm, places)
    counts, by_group = tally(matrices), matrices.sum(0)
    hits, images = counts.hits.sum((0, 2)), by_group.sum((-2, -1))
    f1_, accuracy = _classes(counts)
    return Figures(
        f1=f1_,
        accuracy=accuracy,
        confusion=by_group.sum(0).tolist(),
        groups=results.group_names(arm, places),
        images=counts.true[0].sum(1).astype(int).tolist(),
        right=(hits / images).tolist(),
        mistakes=_mistakes(by_group),
        hits=counts.hits.astype(int).ravel().tolist(),
        claimed=counts.claimed.astype(int).ravel().tolist(),
        true=counts.true[0].astype(int).ravel().tolist(),
    )


def classes(results: Results, arm: Arm, places: Sequence[Place]) -> tuple[list[float], float]:
    """Only `f1` and `accuracy`, which every row shows, remembered between builds; arguments as `of`."""
    f1_, accuracy = results.memo.get("classes", arm.hashes(places), lambda: _classes(results.tally(arm, places)))
    return f1_, accuracy


def _classes(counts: Tally) -> tuple[list[float], float]:
    [found] = of_classes(Tally(*(part[None] for part in counts)))
    return found


def of_classes(counts: Tally) -> list[tuple[list[float], float]]:
    """`f1` and `accuracy` of many arms, from counts of shape (arms, repeats, groups, classes).

    Repeats test the same images, so that a class is absent from all of them or from none.
    """
    arms, rows, groups, number = counts.hits.shape
    scores = f1(Tally(*(part.reshape(-1, groups, number) for part in counts))).reshape(arms, rows, number).mean(1)
    right = counts.hits.sum((1, 2, 3)) / counts.true.sum((1, 2, 3))
    return list(zip(scores.tolist(), right.tolist(), strict=True))


def _mistakes(matrices: npt.NDArray[np.int64]) -> list[list[str]]:
    """The commonest mistakes of every group, the most frequent first, then in the order of the matrix."""
    group, true, said = np.nonzero(matrices * (1 - np.eye(len(CLASSES), dtype=np.int64)))
    count = matrices[group, true, said]
    found: list[list[str]] = [[] for _ in matrices]
    for place in np.lexsort((-count, group)).tolist():
        told = found[group[place]]
        if len(told) < MOST_MISTAKES:
            told.append(f"{CLASSES[true[place]]}→{CLASSES[said[place]]} ×{count[place]}")
    return found
