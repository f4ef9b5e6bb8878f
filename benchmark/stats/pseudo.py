"""Delete-one-group jackknife pseudo-values of macro-F1: a score that is not a mean, as a table that is.

F1 needs three counts a class only: hits, claims and true images. A *tally* holds them by row
(repeat) and column (group), so that nothing here touches a 24 × 24 matrix more than once.

The folds of a repeat are pooled before F1 is taken, because the mean of F1 over folds is biased
when a class is rare or missing in a fold (Forman & Scholz, SIGKDD Explorations 12:49, 2010).
Pseudo-values: Tukey 1958; Miller, Biometrika 61:1, 1974; for F-scores of grouped data, the
influence of one group is what cluster-robust variances are made of.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Tally(NamedTuple):
    """Counts of one arm, each of shape (rows, groups, classes)."""

    hits: Floats
    claimed: Floats
    true: Floats


def tally(matrices: npt.NDArray[np.generic]) -> Tally:
    """Reduce confusion matrices, shape (rows, groups, classes, classes), true classes first.

    Raises:
        ValueError: for another shape, a negative or non-finite count.
    """
    counts = np.asarray(matrices, dtype=np.float64)
    if counts.ndim != 4 or counts.shape[-1] != counts.shape[-2]:
        raise ValueError(f"confusion matrices of shape {counts.shape}; allowed: (trainings, groups, classes, classes)")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("confusion matrices hold NaN, infinity or a negative count")
    return Tally(np.diagonal(counts, axis1=-2, axis2=-1).copy(), counts.sum(-2), counts.sum(-1))


def check_paired(first: Tally, second: Tally) -> None:
    """Refuse arms that were not tested on the same images.

    Raises:
        ValueError: when shapes or the true images of any group differ, or a count is NaN or infinite.
    """
    if not all(np.isfinite(part).all() for part in (*first, *second)):
        raise ValueError("counts hold NaN or infinity")
    if first.true.shape != second.true.shape:
        raise ValueError(f"arms are not paired: shapes {first.true.shape} and {second.true.shape}")
    if not np.array_equal(first.true, second.true):
        raise ValueError("arms are not paired: their groups hold different images")


def _f1(hits: Floats, claimed: Floats, true: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(true > 0, 2 * hits / (true + claimed), np.nan)


def f1(counts: Tally) -> Floats:
    """F1 of every class by row, all groups pooled: shape (rows, classes); NaN without a true image."""
    return _f1(counts.hits.sum(1), counts.claimed.sum(1), counts.true.sum(1))


def macro(counts: Tally) -> Floats:
    """Macro-F1 by row, shape (rows,): the mean over the classes that the row's truth holds.

    Raises:
        ValueError: when a row holds no image.
    """
    scores = f1(counts)
    if np.isnan(scores).all(1).any():
        raise ValueError("macro-F1 of no images is not defined")
    return np.asarray(np.nanmean(scores, axis=1))


def by_class(counts: Tally) -> Floats:
    """Pseudo-values of every class's F1, shape (rows, groups, classes).

    A class that one group alone holds cannot show how it varies between groups: without that
    group its F1 is taken as it was, and the group has no influence on it. A class without a true
    image is NaN throughout.
    """
    groups = counts.hits.shape[1]
    whole = f1(counts)[:, None, :]
    without = _f1(*(part.sum(1, keepdims=True) - part for part in counts))
    without = np.where(np.isnan(without), whole, without)
    return np.asarray(groups * whole - (groups - 1) * without)


def pseudo_values(counts: Tally) -> Floats:
    """Pseudo-values of macro-F1, shape (rows, groups).

    Raises:
        ValueError: with fewer than two groups, or when a row holds no image.
    """
    if counts.hits.shape[1] < 2:
        raise ValueError(f"{counts.hits.shape[1]} group: a jackknife over groups needs 2 or more")
    macro(counts)
    return np.asarray(np.nanmean(by_class(counts), axis=2))
