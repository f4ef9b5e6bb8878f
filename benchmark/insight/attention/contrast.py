"""Means and paired differences of numbers of images, with errors that allow for groups and trainings.

The images of one group are alike and all are judged by the same few trainings, so that images are no independent
sample. A mean over images is a ratio of sums over groups; its delete-one-group jackknife pseudo-values form the table
repeats × groups that `benchmark.stats` knows. With six trainings or more its two-way cluster-robust test is used, and the
result speaks of a new training. With fewer, groups alone are the sample: the t test over the pseudo-values of groups, and
the result speaks of these trainings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.insight.resample import LEAST_GROUPS, Floats
from benchmark.stats.design import Design
from benchmark.stats.multiple import holm
from benchmark.stats.power import minimum_clusters
from benchmark.stats.twoway import Estimate, cluster_robust

ALPHA = 0.05
FEWEST = minimum_clusters(ALPHA)
"""Groups that a verdict takes, and trainings from which on a result speaks of a new one."""


class Sample(NamedTuple):
    """Which image each row is: the rows of one protocol's trainings, one after the other.

    Attributes:
        group: name of each row's group, (rows,).
        repeat: of the training that each row is of, (rows,).
        fold: likewise, (rows,).
    """

    group: npt.NDArray[np.str_]
    repeat: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]


class Found(NamedTuple):
    """A mean over images.

    Attributes:
        value: the mean; NaN of nothing.
        low: of the 95 % interval; NaN with fewer than four groups.
        high: likewise.
        p: two-sided, against 0; NaN where a verdict takes more groups.
        images: rows that are not NaN.
        groups: that they are of.
    """

    value: float
    low: float
    high: float
    p: float
    images: int
    groups: int


def trainings(sample: Sample) -> int:
    """How many trainings the rows are of."""
    return len(set(zip(sample.repeat.tolist(), sample.fold.tolist(), strict=True)))


def speaks_of_new_trainings(sample: Sample) -> bool:
    """Whether there are enough trainings to speak of another one."""
    return trainings(sample) >= FEWEST


def mean(values: Floats, sample: Sample) -> Found:
    """Mean of one number over images; each repeat weighs the same.

    Args:
        values: of the rows, NaN where there is none, (rows,).
        sample: which row is what.
    """
    there, nan = np.isfinite(values), float("nan")
    if not there.any():
        return Found(nan, nan, nan, nan, 0, 0)
    estimate, groups = _estimate(values[there], Sample(sample.group[there], sample.repeat[there], sample.fold[there]))
    low, high = estimate.interval() if groups >= LEAST_GROUPS else (nan, nan)
    p = estimate.p() if groups >= FEWEST else nan
    return Found(estimate.value, low, high, p, int(there.sum()), groups)


def _estimate(values: Floats, sample: Sample) -> tuple[Estimate, int]:
    """The mean over repeats of the mean over images, and the number of groups."""
    folds = dict(zip(sample.group.tolist(), sample.fold.tolist(), strict=True))
    names = sorted(folds, key=lambda name: (folds[name], name))
    column = {name: number for number, name in enumerate(names)}
    repeats, row = np.unique(sample.repeat, return_inverse=True)
    place = (row, np.array([column[name] for name in sample.group.tolist()]))
    sums, counts = (np.zeros((len(repeats), len(names))) for _ in range(2))
    np.add.at(sums, place, values)
    np.add.at(counts, place, 1.0)
    whole = sums.sum(1) / counts.sum(1)
    if len(names) < 2:
        return Estimate(float(whole.mean()), float("nan"), 1.0), len(names)
    left = counts.sum(1, keepdims=True) - counts
    without = (sums.sum(1, keepdims=True) - sums) / np.where(left > 0, left, 1.0)
    table = len(names) * whole[:, None] - (len(names) - 1) * np.where(left > 0, without, whole[:, None])
    value = float(whole.mean())
    if speaks_of_new_trainings(sample):
        blocks = np.unique([folds[name] for name in names], return_counts=True)[1]
        return cluster_robust(value, table, Design(len(repeats), blocks.tolist())), len(names)
    by_group = table.mean(axis=0)
    return Estimate(value, float(by_group.std(ddof=1) / np.sqrt(len(names))), len(names) - 1.0), len(names)


def adjusted(found: Sequence[Found]) -> Floats:
    """p-values of a family after Holm, (n,); one without a p-value counts as 1 in the family and stays NaN."""
    p = np.array([one.p for one in found])
    filled = holm(np.where(np.isfinite(p), p, 1.0)) if len(p) else p
    return np.where(np.isfinite(p), filled, np.nan)
