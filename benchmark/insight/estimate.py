"""Estimates with intervals that allow for trainings and groups: sums of macro-F1, and ratios of counts.

From six trainings and six groups on the two-way cluster-robust t of the verdicts (`benchmark.stats.twoway`), which
speaks of new trainings on new groups; for macro-F1 the corrected pigeonhole bootstrap beside it, and the larger
p-value counts. Below, a percentile bootstrap of groups, which speaks of these very trainings, and no p-value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.stats import bootstrap, pigeonhole, twoway
from benchmark.stats.design import Design
from benchmark.stats.pseudo import Tally, check_paired, macro, pseudo_values
from benchmark.stats.verdict import RESAMPLES, SPREAD_RESAMPLES

Floats = npt.NDArray[np.float64]
Basis = Literal["trainings and groups", "groups", "none"]


class Found(NamedTuple):
    """An estimate; bounds and p are None where none can be given."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    basis: Basis


class Counts(NamedTuple):
    """What a ratio is made of, each of shape (repeats, groups): `over` counted among `under`."""

    over: Floats
    under: Floats


@lru_cache(maxsize=4)
def _drawn(repeats: int, blocks: tuple[int, ...], resamples: int) -> pigeonhole.Draws:
    return pigeonhole.draw(Design(repeats, blocks), resamples, 0)


def macro_sum(parts: Sequence[tuple[int, Tally]], blocks: tuple[int, ...], resamples: int = RESAMPLES) -> Found:
    """A sum of macro-F1 of several arms on the same images, each with its sign: a gain, or a difference of gains.

    Args:
        parts: sign and counts of each arm, (repeats, groups, classes).
        blocks: groups of each fold.
        resamples: of the bootstrap.

    Raises:
        ValueError: when the arms are not of the same images.
    """
    for _, one in parts[1:]:
        check_paired(parts[0][1], one)
    rows, groups, _ = parts[0][1].hits.shape
    value = float(sum(sign * macro(one).mean() for sign, one in parts))
    if not bootstrap.of_trainings(rows * len(blocks), groups):
        drawn = bootstrap.draws(groups, bootstrap.RESAMPLES)
        stacked = Tally(*(np.stack([one[k] for _, one in parts]) for k in range(3)))
        signs = np.array([sign for sign, _ in parts])
        return _percentile(value, (signs @ bootstrap.resampled(stacked, drawn))[drawn.which], groups)
    design = Design(rows, blocks)
    table = sum((sign * pseudo_values(one) for sign, one in parts), np.zeros((rows, groups)))
    test = twoway.cluster_robust(value, table, design)
    draws = _drawn(rows, blocks, resamples)
    some = pigeonhole.first(draws, SPREAD_RESAMPLES)

    def sums(which: pigeonhole.Draws) -> Floats:
        return sum((sign * pigeonhole.scores(one, design, which) for sign, one in parts), np.zeros(1))

    values = pigeonhole.corrected(
        value, sums(draws), sums(pigeonhole.only_trainings(some)), sums(pigeonhole.only_groups(some))
    )
    return _tested(test, max(test.p(), pigeonhole.two_sided(values)))


def ratio(counts: Counts, blocks: tuple[int, ...]) -> Found | None:
    """A ratio of counts, mean over repeats; None where a repeat counts nothing below the line."""
    return ratios([(1, counts)], blocks)


def ratios(parts: Sequence[tuple[int, Counts]], blocks: tuple[int, ...]) -> Found | None:
    """A sum of ratios, each with its sign: the difference of two rates of error, say.

    Args:
        parts: sign and counts of each, (repeats, groups).
        blocks: groups of each fold.

    Returns:
        None where one of them is not defined in every repeat.
    """

    def weighed(weights: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return sum(
                (sign * (weights @ one.over.T) / (weights @ one.under.T) for sign, one in parts),
                np.zeros((len(weights), len(parts[0][1].over))),
            )

    return statistic(weighed, parts[0][1].over.shape[0], blocks)


def statistic(weighed: Callable[[Floats], Floats], rows: int, blocks: tuple[int, ...]) -> Found | None:
    """Any statistic of groups, mean over repeats, by delete-one-group pseudo-values or resampled groups.

    Args:
        weighed: from weights of the groups, (draws, groups), to the statistic, (draws, repeats), NaN where undefined.
            A group without which it is undefined is given no influence.
        rows: repeats.
        blocks: groups of each fold.

    Returns:
        None where it is not defined in every repeat.
    """
    groups = sum(blocks)
    whole = weighed(np.ones((1, groups)))
    if not np.isfinite(whole).all():
        return None
    value = float(whole.mean())
    if bootstrap.of_trainings(rows * len(blocks), groups):
        without = weighed(1.0 - np.eye(groups))
        without = np.where(np.isfinite(without), without, whole)
        table = np.ascontiguousarray((groups * whole - (groups - 1) * without).T)
        test = twoway.cluster_robust(value, table, Design(rows, blocks))
        return _tested(test, test.p())
    drawn = bootstrap.draws(groups, bootstrap.RESAMPLES)
    return _percentile(value, weighed(drawn.weights).mean(1)[drawn.which], groups)


def _tested(test: twoway.Estimate, p: float) -> Found:
    if not test.spread:  # nothing was counted in any group, say: that is no proof of nothing
        return Found(test.value, None, None, p, "none")
    return Found(test.value, *test.interval(), p, "trainings and groups")


def _percentile(value: float, resampled: Floats, groups: int) -> Found:
    kept = resampled[np.isfinite(resampled)]
    if groups < bootstrap.MINIMUM_GROUPS or not kept.size or not np.ptp(kept):
        return Found(value, None, None, None, "none")
    low, high = np.quantile(kept, [0.025, 0.975])
    return Found(value, float(low), float(high), None, "groups")


def by_group(values: npt.NDArray[np.generic], column: npt.NDArray[np.int64], groups: int) -> Floats:
    """Sums over the images of each group: (repeats, images) gives (repeats, groups)."""
    return np.stack(
        [np.bincount(column, weights=np.asarray(row, dtype=np.float64), minlength=groups) for row in values]
    )
