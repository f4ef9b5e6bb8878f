"""Secondary columns: printed beside a verdict for readers who know them, never the ground of one.

*McNemar and almost stochastic order are conditional on one training.* They say nothing of another
training, and McNemar also treats the images of one cell as independent: at a nominal 5 % it rejects
a true null far too often. *The Nadeau-Bengio t is a sensitivity column*: it guards against the
overlap of training sets so strongly that it would hide every real gain. *Gains by class are
exploratory*: which class gains, where the verdict has said whether anything does.

No spread is no evidence: a t of values that do not differ at all is reported as p = 1, not as 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.stats.bootstrap import MINIMUM_GROUPS
from benchmark.stats.design import Design
from benchmark.stats.multiple import benjamini_hochberg
from benchmark.stats.pseudo import Tally, by_class, check_paired, f1
from benchmark.stats.twoway import Estimate, two_way_variance

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ROUNDING = 1e-12
"""A spread below this part of the values is rounding, not spread."""


class McNemar(NamedTuple):
    """Images that one arm alone has right, and the two-sided exact p-value."""

    only_first: int
    only_second: int
    p: float


class NadeauBengio(NamedTuple):
    """Corrected resampled t, its degrees of freedom and its two-sided p-value."""

    t: float
    df: int
    p: float


@dataclass(frozen=True)
class PerClass:
    """Gain in F1 of the class of this index, in parts of 1, with its interval and p-values."""

    index: int
    gain: float
    low: float
    high: float
    p: float
    p_adjusted: float


def mcnemar(first_right: Bools, second_right: Bools) -> McNemar:
    """Exact conditional test that two arms are right equally often, for one training of each.

    Under the null the discordant images are a fair coin's (McNemar, Psychometrika 12:153, 1947; the
    exact conditional form as in Fagerland, Lydersen & Laake, BMC Med. Res. Methodol. 13:91, 2013).

    Args:
        first_right: whether the first arm is right, shape (images,).
        second_right: the same of the second arm, on the same images in the same order.

    Returns:
        Counts and p-value; p = 1 when no image is discordant.

    Raises:
        ValueError: when the arrays are not boolean, not of one shape (images,), or empty.
    """
    first, second = np.asarray(first_right), np.asarray(second_right)
    if first.dtype != np.bool_ or second.dtype != np.bool_:
        raise ValueError(f"arrays of {first.dtype} and {second.dtype}; allowed: bool")
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise ValueError(f"arrays of shapes {first.shape} and {second.shape}; allowed: one (images,), not empty")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    p = float(stats.binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
    return McNemar(only_first, only_second, p)


def _violation(first: Floats, second: Floats) -> Floats:
    """Violation ratio of scores that are sorted along the last axis: the quantile functions are steps at k / n."""
    gap = second - first
    squared = gap**2
    total = np.asarray(squared.sum(-1))
    ratio = np.full(total.shape, 0.5)
    np.divide(np.where(gap > 0, squared, 0.0).sum(-1), total, out=ratio, where=total > 0)
    return ratio


def _scores(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Floats, Floats]:
    pair = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if pair[0].ndim != 1 or pair[0].shape != pair[1].shape or len(pair[0]) < MINIMUM_GROUPS:
        raise ValueError(
            f"scores of shapes {pair[0].shape} and {pair[1].shape}; allowed: one (groups,), {MINIMUM_GROUPS} or more"
        )
    if not np.isfinite(pair).all():
        raise ValueError("scores hold NaN or infinity")
    return np.sort(pair[0]), np.sort(pair[1])


def violation_ratio(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """How far the first arm is from being better at every quantile, 0 (it is) to 1 (the second is).

    The squared distance between the quantile functions over the quantiles where the second is
    ahead, over the whole squared distance (del Barrio, Cuesta-Albertos & Matrán, in *The Mathematics
    of the Uncertain*, 2018, arXiv:1705.01788). It is taken exactly, without a grid of quantiles.

    Args:
        first: scores of one training by group, higher is better, shape (groups,).
        second: of the other arm.

    Returns:
        0 to 1; 0.5 when the scores do not differ.

    Raises:
        ValueError: for NaN, infinity, shapes that differ, or too few groups.
    """
    return float(_violation(*_scores(first, second)))


def almost_stochastic_order(
    first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> float:
    """Upper confidence bound of the violation ratio: epsilon-min of Dror, Shlomov & Reichart (ACL 2019).

    Ratio plus a normal quantile of bootstrap standard deviations, as in del Barrio et al. (see
    `violation_ratio`) and in deepsig (Ulmer, Hardmeier & Frellsen, arXiv:2204.06815); the program
    published with the ACL paper leaves the factor √(n/2) out of the standard deviation. The arms are
    drawn independently, as published: that their groups are the same is not made use of.

    Args:
        first: scores of one training by group, higher is better, shape (groups,).
        second: of the other arm.
        level: one-sided confidence.
        resamples: number of bootstrap samples.
        seed: of the bootstrap.

    Returns:
        0 to 1; below 0.5 the first almost stochastically dominates, for these two trainings. Read
        it against 0.2, as deepsig's authors advise: in a simulation of 20, 60 and 119 groups and two
        equal arms, 17-19 % came out below 0.5 at level 0.95, and 2-3 % below 0.2.

    Raises:
        ValueError: for NaN, infinity, shapes that differ, too few groups or resamples, or a level
            outside 0 to 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level}; allowed: between 0 and 1")
    if resamples < 2:
        raise ValueError(f"{resamples} resamples; allowed: 2 or more")
    pair = _scores(first, second)
    drawn = np.random.default_rng(seed).integers(len(pair[0]), size=(2, resamples, len(pair[0])))
    drawn.sort(axis=-1)
    spread = _violation(pair[0][drawn[0]], pair[1][drawn[1]]).std()
    return float(np.clip(_violation(*pair) + stats.norm.ppf(level) * spread, 0.0, 1.0))


def nadeau_bengio(differences: npt.ArrayLike, test_to_train: float) -> NadeauBengio:
    """Corrected resampled t test (Nadeau & Bengio, Machine Learning 52:239, 2003).

    Trainings on overlapping images are not independent, so that the variance of their mean is taken
    as (1 / J + n_test / n_train) of their variance and not as 1 / J of it.

    Args:
        differences: score of one arm minus the other's by training, shape (J,).
        test_to_train: images tested over images trained on, in one training.

    Returns:
        t, J - 1 and the two-sided p-value; t = 0 and p = 1 when the differences are all the same.

    Raises:
        ValueError: for fewer than two trainings, NaN, infinity, or a ratio that is negative or not finite.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"differences of shape {values.shape}; allowed: (trainings,), 2 or more")
    if not np.isfinite(values).all():
        raise ValueError("differences hold NaN or infinity")
    if not 0 <= test_to_train < math.inf:
        raise ValueError(f"test_to_train {test_to_train}; allowed: 0 or more, finite")
    df = len(values) - 1
    deviation = float(values.std(ddof=1))
    if deviation <= ROUNDING * float(np.abs(values).max()):
        return NadeauBengio(0.0, df, 1.0)
    t = float(values.mean()) / (deviation * math.sqrt(1 / len(values) + test_to_train))
    return NadeauBengio(t, df, float(2 * stats.t.sf(abs(t), df)))


def per_class(first: Tally, second: Tally, design: Design, *, level: float = 0.95) -> list[PerClass]:
    """Gain in F1 of every class that has true images, first arm minus second.

    Standard errors are the two-way cluster-robust ones of the verdict's test (see `twoway`), of the
    class's own pseudo-values; intervals are for each class alone, p-values also adjusted by Benjamini
    and Hochberg over the classes.

    Args:
        first: counts of one arm, shape (repeats, groups, classes), columns in the design's order.
        second: counts of the other arm on the same images.
        design: which training tested which group.
        level: coverage of the intervals.

    Returns:
        One entry a class, by index. Where nothing differs, p = 1 and the interval is the gain. Where
        something does but shows no spread, or one group alone holds the class, nothing can be said
        of another group: p = 1 and the interval is all that a gain can be, -1 to 1.

    Raises:
        ValueError: when the arms are not paired, do not fit the design, hold no image or a class in
            some repeats only, or the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level}; allowed: between 0 and 1")
    check_paired(first, second)
    in_row = first.true.sum(1) > 0
    classes = np.flatnonzero(in_row.any(0))
    if not classes.size:
        raise ValueError("gains by class of no images are not defined")
    if not in_row[:, classes].all():
        raise ValueError(f"class {classes[~in_row[:, classes].all(0)][0]} has true images in some repeats only")
    table = np.moveaxis((by_class(first) - by_class(second))[..., classes], -1, 0)
    errors = np.sqrt(two_way_variance(design.sums_of_squares(table), design.repeats * design.groups))
    gains = (f1(first) - f1(second)).mean(0)[classes]
    shared = (first.true.sum(0) > 0).sum(0)[classes] > 1
    df = min(design.trainings, design.groups) - 1
    found = []
    for gain, error, values, known in zip(gains.tolist(), errors.tolist(), table, shared.tolist(), strict=True):
        if not values.any():
            found.append((0.0, 0.0, 0.0, 1.0))
        elif not known or error <= ROUNDING * float(np.abs(values).max()):
            found.append((gain, -1.0, 1.0, 1.0))
        else:
            estimate = Estimate(gain, error, df)
            found.append((gain, *estimate.interval(level), estimate.p()))
    adjusted = benjamini_hochberg([p for *_, p in found])
    return [
        PerClass(index, *one, p_adjusted)
        for index, one, p_adjusted in zip(classes.tolist(), found, adjusted.tolist(), strict=True)
    ]
