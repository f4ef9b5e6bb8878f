"""Drawing the five folds of a dataset, once, for its committed manifest.

Groups stay whole; classes stay balanced. scikit-learn's stratified grouped split is drawn for
many seeds; the most even draws are improved by moving and swapping groups (with 16 cases of unequal
size and seven men among them the bare split leaves folds with a single Y), and the best is kept. Inside each fold the groups are halved, and one half
of fold k+1 is the validation part of fold k.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from benchmark.data.manifest import CLASSES, FOLDS, Manifest
from benchmark.errors import InputError

Ints = npt.NDArray[np.int64]

MANY = 300
"""Groups above which a bare split is even already, and swaps of groups, whose number grows as the square, are left out."""


class Drawn(NamedTuple):
    """Fold of each image, and the fold it is validation of (-1: none), each of shape (n,)."""

    fold: Ints
    validation_of: Ints


def imbalance(fold: Ints, labels: Ints) -> float:
    """How unevenly classes and sizes fall on the folds; 0 is perfectly even.

    The sum over folds and classes of the squared relative deviation from the fair share, a fold's
    size counting as much as all classes together.
    """
    table = np.zeros((FOLDS, len(CLASSES)))
    np.add.at(table, (fold, labels), 1)
    return _cost(table)


def _cost(table: npt.NDArray[np.float64]) -> float:
    fair = table.sum(0) / FOLDS
    present = fair > 0
    by_class = (table[:, present] / fair[present] - 1.0) ** 2
    size = (table.sum(1) / table.sum() * FOLDS - 1.0) ** 2
    return float(by_class.sum() + present.sum() * size.sum())


def draw(manifest: Manifest, seed: int = 0, attempts: int = 100) -> Drawn:
    """Draw folds.

    Args:
        manifest: its `group_by` decides what stays whole.
        seed: first seed tried.
        attempts: number of seeds tried.

    Raises:
        InputError: when there are fewer groups than folds can be halved from.
    """
    labels, groups = manifest.labels, manifest.groups
    count = len(np.unique(groups))
    if count < 2 * FOLDS:
        raise InputError(
            "too few groups for five folds with validation",
            field=manifest.group_by,
            found=count,
            allowed=f"at least {2 * FOLDS}",
        )
    if manifest.group_by == "image":
        best = _split(labels, groups, seed)
    else:
        many = count > MANY
        drawn = [_split(labels, groups, seed + k) for k in range(min(attempts, 5) if many else attempts)]
        drawn.sort(key=lambda fold: imbalance(fold, labels))
        improved = drawn if many else [_improve(fold, labels, groups) for fold in drawn[:10]]
        best = min(improved, key=lambda fold: imbalance(fold, labels))
    validation_of = np.full(len(labels), -1, dtype=np.int64)
    for k in range(FOLDS):
        inside = np.flatnonzero(best == (k + 1) % FOLDS)
        validation_of[inside[_half(labels[inside], groups[inside], seed)]] = k
    return Drawn(best, validation_of)


def _split(labels: Ints, groups: npt.NDArray[np.str_], seed: int) -> Ints:
    fold = np.empty(len(labels), dtype=np.int64)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(splitter.split(labels, labels, groups)):
        fold[test] = number
    return fold


def _improve(fold: Ints, labels: Ints, groups: npt.NDArray[np.str_]) -> Ints:
    """Move and swap whole groups between folds for as long as that makes them more even."""
    names, index = np.unique(groups, return_inverse=True)
    content = np.zeros((len(names), len(CLASSES)))
    np.add.at(content, (index, labels), 1)
    place = np.zeros(len(names), dtype=np.int64)
    place[index] = fold
    table = np.stack([content[place == k].sum(0) for k in range(FOLDS)])
    cost, better = _cost(table), True
    while better:
        better = False
        for first, second in _moves(len(names)):
            a, b = place[first], second if second < FOLDS else place[second - FOLDS]
            if a == b:
                continue
            change = content[first] - (content[second - FOLDS] if second >= FOLDS else 0.0)
            table[a] -= change
            table[b] += change
            tried = _cost(table)
            if tried < cost - 1e-12:
                cost, better = tried, True
                place[first] = b
                if second >= FOLDS:
                    place[second - FOLDS] = a
            else:
                table[a] += change
                table[b] -= change
    return place[index]


def _moves(count: int) -> Iterator[tuple[int, int]]:
    """(group, fold) for a move; (group, FOLDS + other group) for a swap."""
    for first in range(count):
        for second in range(FOLDS + first):
            yield first, second


def _half(labels: Ints, groups: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.bool_]:
    """Whole groups nearest to half of the images, with as many classes as can be had."""
    names, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    random = np.random.default_rng(seed)
    best, best_cost = np.zeros(len(labels), dtype=bool), np.inf
    for _ in range(200):
        order = random.permutation(len(names))
        filled = np.cumsum(sizes[order])
        take = order[: int(np.argmin(np.abs(filled - len(labels) / 2))) + 1]
        if len(take) == len(names):
            take = take[:-1]
        chosen = np.isin(index, take)
        missing = len(np.setdiff1d(labels, labels[chosen]))
        cost = missing + 4 * abs(chosen.mean() - 0.5)
        if cost < best_cost:
            best, best_cost = chosen, cost
    return best
