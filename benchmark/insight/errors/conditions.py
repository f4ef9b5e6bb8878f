"""In which images a protocol errs: error against what was measured of an image, and against its cell.

Measurements are compared within a class, since length tells the class and classes differ in difficulty.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.insight import estimate
from benchmark.insight.estimate import Counts, Floats, Found
from benchmark.insight.outputs import Ints

BINS = 5
LEAST_ERRORS = 10
"""An odds ratio takes so many errors a measurement (Peduzzi et al. 1996)."""

PERMUTATIONS = 999


class Odds(NamedTuple):
    """Odds ratio of an error for one standard deviation more within the class, the other measurements equal."""

    value: float
    low: float
    high: float
    p: float


class Spread(NamedTuple):
    """How unevenly errors fall on cells.

    Attributes:
        dispersion: Pearson's statistic over its mean where errors are dealt anew within every class: 1 is even.
        p: part of such deals that are as uneven.
        worst: part of all errors that stands in the worst tenth of the cells.
        worst_by_chance: the mean of that over the deals.
    """

    dispersion: float
    p: float
    worst: float
    worst_by_chance: float


def within_class(values: Floats, truth: Ints) -> Floats:
    """Rank of each value among those of its class, above 0 and below 1, (images,); NaN stays NaN."""
    from scipy.stats import rankdata

    found = np.full(len(values), np.nan)
    for one in np.unique(truth):
        here = np.flatnonzero((truth == one) & np.isfinite(values))
        found[here] = (rankdata(values[here]) - 0.5) / max(len(here), 1)
    return found


def binned(wrong: npt.NDArray[np.bool_], ranks: Floats, column: Ints, blocks: tuple[int, ...]) -> list[Found | None]:
    """Rate of error in each fifth of the ranks, lowest values first.

    Args:
        wrong: (repeats, images).
        ranks: from `within_class`, (images,).
        column: number of the group of each image.
        blocks: groups of each fold.
    """
    which = np.where(np.isfinite(ranks), np.floor(np.nan_to_num(ranks) * BINS), -1)
    found = []
    for one in range(BINS):
        here = np.broadcast_to(which == one, wrong.shape)
        over, under = (estimate.by_group(part, column, sum(blocks)) for part in (wrong & here, here))
        found.append(estimate.ratio(Counts(over, under), blocks))
    return found


def trend(wrong: npt.NDArray[np.bool_], ranks: Floats, column: Ints, blocks: tuple[int, ...]) -> Found | None:
    """Chance that a missed image has a greater rank than one that is read rightly: 0.5 is no trend.

    Ties count half. Arguments as `binned`.
    """
    known = np.isfinite(ranks)
    wrong, ranks, column = wrong[:, known], ranks[known], column[known]
    order = np.argsort(ranks, kind="stable")
    _, level = np.unique(ranks[order], return_inverse=True)
    levels = int(level.max()) + 1 if len(level) else 0
    missed, group = wrong[:, order], column[order]

    def weighed(weights: Floats) -> Floats:
        found = np.full((len(weights), len(missed)), np.nan)
        for draw, own in enumerate(weights):
            weight = own[group]
            for row, bad in enumerate(missed):
                low = np.bincount(level, weights=weight * ~bad, minlength=levels)
                high = np.bincount(level, weights=weight * bad, minlength=levels)
                total = low.sum() * high.sum()
                if total > 0:
                    found[draw, row] = (high * (np.cumsum(low) - low / 2)).sum() / total
        return found

    return estimate.statistic(weighed, len(missed), blocks)


def regression(
    wrong: npt.NDArray[np.bool_], measured: dict[str, Floats], truth: Ints, column: Ints
) -> dict[str, Odds] | None:
    """All measurements at once: logistic regression by estimating equations, robust to groups.

    Working independence, the bias-reduced sandwich variance (Mancl & DeRouen 2001), and t with one degree of freedom
    less than there are groups. Values are standardised within the class.

    Args:
        wrong: (repeats, images); an image counts by the part of repeats in which it is missed.
        measured: values by name, (images,).
        truth: class of each image.
        column: group of each image.

    Returns:
        None where there are fewer than ten errors a measurement, or where it does not converge.
    """
    import statsmodels.api as sm
    from scipy import stats

    kept = np.all([np.isfinite(one) for one in measured.values()], axis=0)
    if not kept.any():
        return None
    missed = wrong[:, kept].mean(axis=0)
    if missed.sum() < LEAST_ERRORS * len(measured):
        return None
    columns = np.stack([_standard(one[kept], truth[kept]) for one in measured.values()], axis=1)
    order = np.argsort(column[kept], kind="stable")
    model = sm.GEE(
        missed[order], sm.add_constant(columns[order]), groups=column[kept][order], family=sm.families.Binomial()
    )
    fitted = model.fit(cov_type="bias_reduced", maxiter=100)
    if not getattr(fitted, "converged", True) or not np.isfinite(fitted.bse).all():
        return None
    df = len(np.unique(column[kept])) - 1
    half = float(stats.t.ppf(0.975, df))
    found = {}
    for k, name in enumerate(measured, start=1):
        value, error = float(fitted.params[k]), float(fitted.bse[k])
        low, middle, high = (float(np.exp(value + side * half * error)) for side in (-1, 0, 1))
        found[name] = Odds(middle, low, high, float(2 * stats.t.sf(abs(value / error), df)))
    return found


def _standard(values: Floats, truth: Ints) -> Floats:
    found = np.zeros(len(values))
    for one in np.unique(truth):
        here = truth == one
        spread = float(values[here].std())
        found[here] = (values[here] - values[here].mean()) / spread if spread > 0 else 0.0
    return found


def by_cell(wrong: npt.NDArray[np.bool_], truth: Ints, cells: Ints, seed: int) -> Spread | None:
    """How unevenly errors fall on cells, against deals of the same errors within every class.

    Args:
        wrong: (repeats, images).
        truth: class of each image.
        cells: number of its cell, -1 where not known.
        seed: of the deals.

    Returns:
        None with fewer than ten cells, or without an error.
    """
    known = cells >= 0
    missed, truth = wrong.mean(axis=0)[known], truth[known]
    _, cell = np.unique(cells[known], return_inverse=True)
    count = int(cell.max()) + 1 if len(cell) else 0
    if count < BINS * 2 or not missed.any():
        return None
    rates = np.bincount(truth, weights=missed) / np.maximum(np.bincount(truth), 1)
    expected = np.bincount(cell, weights=rates[truth], minlength=count)
    tenth = max(1, count // 10)

    def told(values: Floats) -> tuple[float, float]:
        errors = np.bincount(cell, weights=values, minlength=count)
        pearson = float(((errors - expected) ** 2 / np.maximum(expected, 1e-12)).sum())
        return pearson, float(np.sort(errors)[-tenth:].sum() / errors.sum())

    own = told(missed)
    random = np.random.default_rng(seed)
    order = np.argsort(truth, kind="stable")
    bounds = np.flatnonzero(np.diff(truth[order])) + 1
    deals = []
    for _ in range(PERMUTATIONS):
        dealt = np.empty_like(missed)
        for part in np.split(order, bounds):
            dealt[part] = missed[random.permutation(part)]
        deals.append(told(dealt))
    pearson, worst = np.array(deals).T
    p = (int((pearson >= own[0] - 1e-9).sum()) + 1) / (PERMUTATIONS + 1)
    return Spread(own[0] / float(pearson.mean()), p, own[1], float(worst.mean()))
