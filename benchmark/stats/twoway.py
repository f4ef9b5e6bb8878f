"""The test of a gain: trainings and groups are both samples, and both must be allowed for.

Primary: the variance that is robust to clustering by training and by group (Cameron, Gelbach &
Miller, Journal of Business & Economic Statistics 29:238, 2011): sums of squares of trainings plus
groups minus cells, over the squared number of cells. It needs no model of the effects and serves one
split and fold × repeat alike. The reference distribution is t with one degree of freedom less than
the smaller of the two numbers of clusters (Cameron & Miller, Journal of Human Resources 50:317, 2015).

Beside it: variance components with Satterthwaite degrees of freedom (Satterthwaite, Biometrics
2:110, 1946), the classical test of a two-way crossed table with random effects.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.stats.design import Design, Variances

Floats = npt.NDArray[np.float64]

ROUNDING = 1e-12

FLOOR = 0.75
"""Lowest variance, in parts of what independent cells would have.

Where neither trainings nor groups matter, sums of trainings plus groups minus cells estimates the
variance of independent cells, and with 10 trainings of 16 groups may by chance come out near zero or
below. A floor is needed; the calibration chose it: over its conditions that carry a verdict the test errs up
to 7.5 % of the time at a nominal 5 % with 1/2, as little as 2.9 % with 1, and 3.9 to 6.6 % with 3/4.
"""


class Estimate(NamedTuple):
    """A mean with its standard error and degrees of freedom, in the unit of the values.

    Without spread there is no evidence: p is 1, but for arms that score alike everywhere, which
    are taken for equivalent.
    """

    value: float
    se: float
    df: float

    @property
    def spread(self) -> bool:
        """Whether the standard error is more than rounding."""
        return self.se > ROUNDING * max(abs(self.value), ROUNDING)

    def p(self, null: float = 0.0) -> float:
        """Two-sided p-value of the mean being `null`."""
        if not self.spread:
            return 1.0
        return float(2 * stats.t.sf(abs(self.value - null) / self.se, self.df))

    def p_inside(self, margin: float) -> float:
        """p-value of two one-sided tests (Schuirmann 1987): small when the mean is within ± margin."""
        if not self.spread:
            return 0.0 if self.value == 0 else 1.0
        below = stats.t.sf((self.value + margin) / self.se, self.df)
        above = stats.t.sf((margin - self.value) / self.se, self.df)
        return float(max(below, above))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Symmetric t interval; NaN where there is no spread to take it from, but for a value of 0."""
        if not self.spread and self.value != 0:
            return math.nan, math.nan
        half = float(stats.t.ppf((1 + level) / 2, self.df)) * self.se
        return self.value - half, self.value + half


def two_way_variance(sums: Floats, cells: int) -> Floats:
    """Variance of a mean, robust to clustering by training and by group.

    Args:
        sums: of squares by training, group and cell, shape (..., 3), from `Design.sums_of_squares`.
        cells: number of values under the mean.

    Returns:
        Shape (...). Never below `FLOOR` times the variance that independent cells would have.
    """
    sums = np.asarray(sums)
    return np.asarray(np.maximum(sums[..., 0] + sums[..., 1] - sums[..., 2], FLOOR * sums[..., 2]) / cells**2)


def cluster_robust(value: float, table: Floats, design: Design) -> Estimate:
    """Primary test.

    Args:
        value: the statistic whose pseudo-values the table holds.
        table: shape (repeats, groups).
        design: which training tested which group.

    Raises:
        ValueError: when the table is not of the design's shape or not finite.
    """
    variance = float(two_way_variance(design.sums_of_squares(table), table.size))
    return Estimate(value, math.sqrt(variance), min(design.trainings, design.groups) - 1)


def components(table: Floats, design: Design) -> Variances:
    """Variance components of a table, none below zero (`group` is NaN with one repeat)."""
    _, inverse = design.solve()
    training, group, rest = np.maximum(inverse @ design.sums_of_squares(table), 0.0)
    return Variances(float(training), float("nan") if design.repeats == 1 else float(group), float(rest))


def satterthwaite(value: float, table: Floats, design: Design) -> Estimate:
    """Classical two-way crossed random-effects test, generalised to blocks.

    Negative components count as zero. See `cluster_robust` for arguments and errors.
    """
    found = np.nan_to_num(np.array(components(table, design)))
    variance = float(design.of_mean() @ found)
    return Estimate(value, math.sqrt(variance), max(1.0, design.degrees(found)) if variance > 0 else 1.0)
