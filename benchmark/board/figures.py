"""Figures of one arm beyond its score: classes, groups, mistakes, and the counts that a comparison needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.results import Arm, Place, Results
from benchmark.stats.pseudo import f1, tally

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
    """Figures of an arm, remembered between builds.

    Args:
        results: that hold the arm.
        arm: with predictions at every place.
        places: of full repeats, one at least.
    """
    return Figures(*results.memo.get("figures", arm.hashes(places), lambda: _compute(results, arm, places)))


def classes(results: Results, arm: Arm, places: Sequence[Place]) -> tuple[list[float], float]:
    """Only `f1` and `accuracy`, which every row shows; arguments as `of`."""

    def compute() -> tuple[list[float], float]:
        found = of(results, arm, places)
        return found.f1, found.accuracy

    f1_, accuracy = results.memo.get("classes", arm.hashes(places), compute)
    return f1_, accuracy


def _compute(results: Results, arm: Arm, places: Sequence[Place]) -> Figures:
    matrices = results.matrices(arm, places)
    counts = tally(matrices)
    by_group = matrices.sum(0)
    images = matrices[0].sum((-2, -1))
    hits = np.trace(by_group, axis1=-2, axis2=-1)
    return Figures(
        f1=_mean_over_repeats(f1(counts)),
        accuracy=float(hits.sum() / by_group.sum()),
        confusion=by_group.sum(0).tolist(),
        groups=results.group_names(arm, places),
        images=images.tolist(),
        right=(hits / by_group.sum((-2, -1))).tolist(),
        mistakes=[_mistakes(one) for one in by_group],
        hits=counts.hits.astype(int).ravel().tolist(),
        claimed=counts.claimed.astype(int).ravel().tolist(),
        true=counts.true[0].astype(int).ravel().tolist(),
    )


def _mean_over_repeats(scores: npt.NDArray[np.float64]) -> list[float]:
    """Repeats test the same images, so that a class is absent from all of them or from none."""
    return [float(score) for score in scores.mean(0)]


def _mistakes(matrix: npt.NDArray[np.int64]) -> list[str]:
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MISTAKES]
    places = [np.unravel_index(flat, wrong.shape) for flat in order]
    return [f"{CLASSES[true]}→{CLASSES[said]} ×{wrong[true, said]}" for true, said in places if wrong[true, said]]
