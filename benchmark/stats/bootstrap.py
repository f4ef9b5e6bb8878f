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
from benchmark.stats.pseudo import Tally, check_paired, macro, pseudo_values
from benchmark.stats.twoway import cluster_robust

MINIMUM_GROUPS = 4
"""Below this many groups an interval from resampling them says nothing, and none is given."""


RESAMPLES = 2000

CHUNK = 1 << 16
"""Numbers in one temporary: keeps it inside the processor's cache."""

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A value with its interval, in the unit of the value; NaN bounds where none can be given."""

    value: float
    low: float
    high: float


class Draws(NamedTuple):
    """How often each group is drawn.

    Attributes:
        weights: every group once, then each draw that occurs, shape (1 + different draws, groups).
        which: the row of every resample, shape (resamples,). Few groups are drawn alike again and again.
    """

    weights: Floats
    which: npt.NDArray[np.int64]


def draws(groups: int, resamples: int = RESAMPLES, seed: int = 0) -> Draws:
    """Groups drawn with replacement; one seed gives all arms the same draws."""
    return _draws(groups, resamples, seed)


@lru_cache(maxsize=8)
def _draws(groups: int, resamples: int, seed: int) -> Draws:
    random = np.random.default_rng(seed)
    drawn = random.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples)
    different, which = np.unique(drawn, axis=0, return_inverse=True)
    return Draws(np.concatenate([np.ones((1, groups)), different]), which.reshape(-1) + 1)


def resampled(counts: Tally, drawn: Draws) -> Floats:
    """Macro-F1 of many arms under each row of weights, mean over trainings.

    Args:
        counts: parts of shape (arms, trainings, groups, classes).
        drawn: from `draws`.

    Returns:
        Shape (arms, rows of weights).

    Raises:
        ValueError: when a training holds no image under some draw.
    """
    true = counts.true
    if (true == true[:1, :1]).all():
        true = true[:1, :1]
    held = drawn.weights @ true > 0
    if not held.any(-1).all():
        raise ValueError("macro-F1 of no images is not defined")
    every = held.all()
    arms, trainings, _, classes = counts.hits.shape
    found = np.empty((arms, len(drawn.weights)))
    step = max(1, CHUNK // (trainings * len(drawn.weights) * classes))
    for start in range(0, arms, step):
        part = slice(start, start + step)
        hits, total = (
            drawn.weights @ (2 * counts.hits[part]),
            drawn.weights @ (counts.claimed[part] + counts.true[part]),
        )
        if every:
            scores = (hits / total).mean(-1)
        else:
            here = held[part] if len(held) > 1 else held
            scores = np.nanmean(np.divide(hits, total, out=np.full_like(hits, np.nan), where=here), -1)
        found[part] = scores.mean(1)
    return found


def _intervals(values: Floats, found: Floats, drawn: Draws, level: float) -> list[Interval]:
    """Percentile intervals of what is resampled, shape (arms, rows of weights)."""
    if drawn.weights.shape[1] < MINIMUM_GROUPS:
        return [Interval(float(value), float("nan"), float("nan")) for value in values]
    bounds = np.quantile(found[:, drawn.which], [(1 - level) / 2, (1 + level) / 2], axis=1)
    return [Interval(*map(float, one)) for one in zip(values, *bounds, strict=True)]


def of_trainings(trainings: int, groups: int) -> bool:
    """Whether so many trainings and groups have a two-way t interval, which speaks of new trainings on new groups."""
    return min(trainings, groups) >= minimum_clusters()


def score_intervals(
    counts: Tally,
    blocks: Sequence[int] | None = None,
    *,
    found: Floats | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """Macro-F1 of many arms of one design, averaged over repeats, with intervals: `score_interval` of each.

    Args:
        counts: parts of shape (arms, repeats, groups, classes).
        blocks: groups of each fold; default: all in one.
        found: from `resampled` with those draws, where it is known.
        resamples: number of resamples.
        level: coverage.
        seed: of the resampling.
    """
    arms, rows, groups, classes = counts.hits.shape
    folds = tuple(blocks) if blocks else (groups,)
    values = macro(Tally(*(part.reshape(-1, groups, classes) for part in counts))).reshape(arms, rows).mean(1)
    if of_trainings(rows * len(folds), groups):
        tables = (pseudo_values(Tally(*one)) for one in zip(*counts, strict=True))
        pairs = zip(values.tolist(), tables, strict=True)
        bounds = [(value, cluster_robust(value, table, Design(rows, folds)).interval(level)) for value, table in pairs]
        return [Interval(value, max(low, 0.0), min(high, 1.0)) for value, (low, high) in bounds]
    drawn = draws(groups, resamples, seed)
    return _intervals(values, resampled(counts, drawn) if found is None else found, drawn, level)


def score_interval(
    counts: Tally,
    blocks: Sequence[int] | None = None,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Macro-F1, averaged over repeats, with its interval.

    From six trainings and six groups on it is the two-way t interval, which speaks of new trainings
    on new groups. Below, it is a percentile bootstrap over groups, for these very trainings.

    Args:
        counts: by group, parts of shape (repeats, groups, classes).
        blocks: groups of each fold; default: all in one.
        resamples: number of resamples.
        level: coverage.
        seed: of the resampling.
    """
    one = Tally(*(part[None] for part in counts))
    [found] = score_intervals(one, blocks, resamples=resamples, level=level, seed=seed)
    return found


def gain_intervals(arm: Floats, baseline: Floats, drawn: Draws, level: float = 0.95) -> list[Interval]:
    """Percentile intervals of many paired differences of macro-F1.

    Args:
        arm: from `resampled`, shape (arms, rows of weights).
        baseline: of the same images under the same draws.
        drawn: those draws.
        level: coverage.
    """
    found = arm - baseline
    return _intervals(found[:, 0], found, drawn, level)


def gain_interval(
    arm: Tally,
    baseline: Tally,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a paired difference of macro-F1, arm minus baseline.

    Args:
        arm: counts by group, parts of shape (trainings, groups, classes).
        baseline: the same trainings and groups of the other arm.
        resamples: number of resamples.
        level: coverage.
        seed: of the resampling.

    Raises:
        ValueError: when the arms are not of one shape or not of the same images.
    """
    check_paired(arm, baseline)
    drawn = draws(arm.hits.shape[1], resamples, seed)
    first, second = (resampled(Tally(*(part[None] for part in one)), drawn) for one in (arm, baseline))
    [found] = gain_intervals(first, second, drawn, level)
    return found
