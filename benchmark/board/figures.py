"""Figures of one arm beyond its score: classes, groups, mistakes, and the counts that a comparison needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.arm import Arm, Place
from benchmark.data.manifest import CLASSES
from benchmark.results import Results
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


def of(results: Results, arms: Sequence[Arm], places: Sequence[Place]) -> list[Figures]:
    """Figures of arms that were tested on the same images, counted together.

    Args:
        results: that hold the arms.
        arms: one at least, with predictions at every place.
        places: of full repeats, one at least.
    """
    matrices = results.matrices(arms, places)
    many, repeats = matrices.shape[:2]
    flat = tally(matrices.reshape(many * repeats, *matrices.shape[2:]))
    counts = Tally(*(part.reshape(many, repeats, *part.shape[1:]) for part in flat))
    by_group = matrices.sum(1)
    images = by_group[0].sum((-2, -1))
    confusion, groups = by_group.sum(1).tolist(), results.group_names(arms[0], places)
    held, true = counts.true[0, 0].sum(1).astype(int).tolist(), counts.true[0, 0].astype(int).ravel().tolist()
    right, mistakes, found = counts.hits.sum((1, 3)) / images, _mistakes(by_group), of_classes(counts)
    hits, claimed = (part.astype(int).reshape(many, -1).tolist() for part in (counts.hits, counts.claimed))
    return [
        Figures(
            f1=found[one][0],
            accuracy=found[one][1],
            confusion=confusion[one],
            groups=groups,
            images=held,
            right=right[one].tolist(),
            mistakes=mistakes[one],
            hits=hits[one],
            claimed=claimed[one],
            true=true,
        )
        for one in range(many)
    ]


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


def _mistakes(matrices: npt.NDArray[np.int64]) -> list[list[list[str]]]:
    """The commonest mistakes by arm and group, the most frequent first, then in the order of the matrix."""
    places = np.stack(np.nonzero(matrices))
    arm, group, true, said = places[:, places[2] != places[3]]
    count = matrices[arm, group, true, said]
    order = np.lexsort((-count, group, arm))
    found: list[list[list[str]]] = [[[] for _ in one] for one in matrices]
    parts = (part[order].tolist() for part in (arm, group, true, said, count))
    for number, place, right, wrong, times in zip(*parts, strict=True):
        told = found[number][place]
        if len(told) < MOST_MISTAKES:
            told.append(f"{CLASSES[right]}→{CLASSES[wrong]} ×{times}")
    return found
