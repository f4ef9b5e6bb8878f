"""What a design can see: the smallest detectable gain, and the repeats it takes to see a given one.

Of a two-sided t test at `alpha` with the given power, for one contrast alone: the correction for a
family of contrasts makes it larger.
"""

from __future__ import annotations

import math

from scipy import stats

from benchmark.stats.design import Design, Variances
from benchmark.stats.twoway import Estimate

LEAST_ERROR = 0.6
"""How much of its level a test must be able to use: 3 of 5 %, the lower end of what counts as calibrated."""

MOST_REPEATS = 1 << 20
"""Where the search for a number of repeats ends."""


def minimum_clusters(alpha: float = 0.05) -> int:
    """Fewest trainings, and fewest groups, from which a two-sided test can reach `alpha`.

    The exact sign-flip test of n independent differences has 2^n outcomes, so that its smallest
    two-sided p-value is 2^(1-n). Below this number a small p-value would rest on the t
    distribution's assumption alone.

    Raises:
        ValueError: when alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {alpha}; allowed: between 0 and 1")
    return 1 + math.ceil(math.log2(1 / alpha))


def smallest_detectable(se: float, df: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Gain that a two-sided test would find with the given power, in the unit of `se`."""
    return float((stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(power, df)) * se)


def smallest_of(found: Estimate, alpha: float = 0.05, power: float = 0.8) -> float:
    """`smallest_detectable` of an estimate."""
    return smallest_detectable(found.se, found.df, alpha, power)


def smallest_margin(se: float, df: float, alpha: float = 0.05) -> float:
    """Narrowest ± margin within which two one-sided tests can judge equivalence, in the unit of `se`.

    Of a true gain at the margin's edge they claim equivalence P(T < -t) - P(T < t - 2 margin / se)
    of the time, with t the quantile of `alpha`: not their level but less, and next to nothing where
    the margin is small against the error. Here it is `LEAST_ERROR` of the level (the arithmetic of
    Phillips, Journal of Pharmacokinetics and Biopharmaceutics 18:137, 1990).
    """
    quantiles = stats.t.ppf([1 - alpha, 1 - (1 - LEAST_ERROR) * alpha], df)
    return float(quantiles.mean() * se)


def repeats_for(gain: float, design: Design, variances: Variances, alpha: float = 0.05, power: float = 0.8) -> int:
    """Fewest repeats with which `gain` would be found.

    Args:
        gain: in the unit of the values.
        design: its blocks; its number of repeats is not used.
        variances: of one value.
        alpha: two-sided level.
        power: wanted.

    Returns:
        Number of repeats, or 0 when no number is enough because the groups are too few.

    Raises:
        ValueError: when the variance of groups is not known (one repeat).
    """
    if math.isnan(variances.group):
        raise ValueError("with one repeat, groups cannot be told from chance (allowed: 2 repeats or more)")
    floor = minimum_clusters(alpha)

    def enough(repeats: int) -> bool:
        if repeats * len(design.blocks) < floor:
            return False
        tried = design.at(repeats)
        se = math.sqrt(float(tried.of_mean() @ variances))
        return smallest_detectable(se, min(tried.trainings, tried.groups) - 1, alpha, power) <= gain

    if design.groups < floor or not enough(MOST_REPEATS):
        return 0
    low, high = 0, 1
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
