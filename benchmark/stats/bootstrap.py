"""Intervals to show: of a score, and of a gain where the trainings are too few for a test.

The grouped bootstrap draws groups with replacement, with all their images. It speaks of other
chromosomes under the trainings at hand. It does not speak of other trainings, and so is no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.stats.design import Design
from benchmark.stats.power import minimum_clusters
from benchmark.stats.pseudo import Tally, macro, pseudo_values, tally
from benchmark.stats.twoway import cluster_robust

MINIMUM_GROUPS = 4
"""Below this many groups an interval from resampling them says nothing, and none is given."""


Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A value with its interval, in the unit of the value; NaN bounds where none can be given."""

    value: float
    low: float
    high: float


@lru_cache(maxsize=8)
def _draws(groups: int, resamples: int, seed: int) -> npt.NDArray[np.float64]:
    random = np.random.default_rng(seed)
    drawn = random.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def _scores(matrices: npt.NDArray[np.generic], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over trainings of macro-F1 under each weighting: (t, g, c, c) and (r, g) give (r,)."""
    scores = [_macro(*(weights @ part for part in one)) for one in zip(*tally(matrices), strict=True)]
    return np.asarray(np.mean(scores, axis=0), dtype=np.float64)


def _macro(hits: Floats, claimed: Floats, true: Floats) -> Floats:
    """`pseudo.macro` of pooled counts, (r, c) each: the hot part, without a mask where every class is there."""
    total = true + claimed
    held = true > 0
    if held.all():
        return np.asarray((2 * hits / total).mean(axis=1))
    return macro(Tally(hits[:, None], claimed[:, None], true[:, None]))


def _interval(value: float, sample: npt.NDArray[np.float64], level: float) -> Interval:
    low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def score_interval(
    matrices: npt.NDArray[np.generic],
    blocks: Sequence[int] | None = None,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Macro-F1, averaged over repeats, with its interval.

    From six trainings and six groups on it is the two-way t interval, which speaks of new trainings
    on new groups. Below, it is a percentile bootstrap over groups, for these very trainings.

    Args:
        matrices: confusion matrices by group, shape (repeats, groups, classes, classes).
        blocks: groups of each fold; default: all in one.
        resamples: number of resamples.
        level: coverage.
        seed: of the resampling.
    """
    counts = tally(matrices)
    rows, groups, _ = counts.hits.shape
    value = float(macro(counts).mean())
    folds = tuple(blocks) if blocks else (groups,)
    least = minimum_clusters()
    if rows * len(folds) >= least and groups >= least:
        low, high = cluster_robust(value, pseudo_values(counts), Design(rows, folds)).interval(level)
        return Interval(value, max(low, 0.0), min(high, 1.0))
    if groups < MINIMUM_GROUPS:
        return Interval(value, float("nan"), float("nan"))
    return _interval(value, _scores(matrices, _draws(groups, resamples, seed)), level)


def gain_interval(
    arm: npt.NDArray[np.generic],
    baseline: npt.NDArray[np.generic],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a paired difference of macro-F1, arm minus baseline.

    Args:
        arm: confusion matrices by group, shape (trainings, groups, classes, classes).
        baseline: the same trainings and groups of the other arm.
        resamples: number of resamples.
        level: coverage.
        seed: of the resampling.

    Raises:
        ValueError: when the arms are not of one shape or not of the same images.
    """
    if arm.shape != baseline.shape:
        raise ValueError(f"arms are not paired: shapes {arm.shape} and {baseline.shape}")
    if not np.array_equal(np.sum(arm, axis=-1), np.sum(baseline, axis=-1)):
        raise ValueError("arms are not paired: their groups hold different images")
    groups = arm.shape[1]
    ones = np.ones((1, groups))
    value = float((_scores(arm, ones) - _scores(baseline, ones))[0])
    if groups < MINIMUM_GROUPS:
        return Interval(value, float("nan"), float("nan"))
    draws = _draws(groups, resamples, seed)
    return _interval(value, _scores(arm, draws) - _scores(baseline, draws), level)
