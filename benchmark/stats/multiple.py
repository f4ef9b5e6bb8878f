"""p-values of many tests: Holm over a family that was fixed beforehand, Benjamini-Hochberg to explore.

Holm keeps the chance of even one false claim, whatever the dependence of the tests, and so carries
verdicts. Benjamini-Hochberg keeps the expected part of claims that are false (independent or
positively dependent tests), which is a weaker promise: for exploratory columns only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


def _checked(p: npt.ArrayLike) -> Floats:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"p-values of shape {values.shape}; allowed: (n,)")
    wrong = values[~((values >= 0) & (values <= 1))]
    if wrong.size:
        raise ValueError(f"p-values hold {wrong[0]}; allowed: 0 to 1")
    return values


def holm(p: npt.ArrayLike, family: int | None = None) -> Floats:
    """Adjusted p-values of Holm's step-down method (Holm, Scandinavian Journal of Statistics 6:65, 1979).

    Args:
        p: shape (n,), in any order.
        family: size of the pre-registered family, where some of its members are not tested yet.
            They count as p = 1, so that a claim made early still stands when all are tested.
            Default: n.

    Returns:
        Shape (n,), in the order of `p`; a test is significant at a level when its value is at most that.

    Raises:
        ValueError: for NaN, a value outside 0 to 1, another shape, or a family smaller than n.
    """
    values = _checked(p)
    size = len(values) if family is None else family
    if size < len(values):
        raise ValueError(f"a family of {size} has {len(values)} p-values; allowed: {len(values)} members or more")
    order = np.argsort(values)
    steps = np.maximum.accumulate((size - np.arange(len(values))) * values[order])
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """Adjusted p-values that control the false discovery rate (Benjamini & Hochberg, JRSS B 57:289, 1995).

    Args:
        p: shape (n,), in any order.

    Returns:
        Shape (n,), in the order of `p`.

    Raises:
        ValueError: for NaN, a value outside 0 to 1, or another shape.
    """
    return np.asarray(stats.false_discovery_control(_checked(p), method="bh"), dtype=np.float64)
