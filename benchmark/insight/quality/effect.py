"""What flagged images do to a score: with and without them, against random removal, and how often each are wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.insight.quality.schema import Estimate
from benchmark.insight.resample import LEAST_GROUPS, LEVEL, Floats, Ints, seeds
from benchmark.stats.bootstrap import draws, resampled
from benchmark.stats.pseudo import Tally, macro

Bools = npt.NDArray[np.bool_]

REMOVALS = 500


class Tested(NamedTuple):
    """The test images of one arm.

    Attributes:
        truth: class of each image, (n,).
        said: class that each training took it for, (trainings, n).
        unit: number of what is resampled, from 0 without gaps, (n,).
        flagged: which are flagged, (n,).
    """

    truth: Ints
    said: Ints
    unit: Ints
    flagged: Bools


class Compared(NamedTuple):
    """Figures of one arm; fields as in `schema.Effect`."""

    with_flagged: Estimate
    without_flagged: Estimate
    difference: Estimate
    random: Estimate
    as_much_by_chance: float
    error_flagged: Estimate
    error_unflagged: Estimate
    risk_ratio: Estimate
    errors_on_flagged: float
    errors_explained: Estimate


def tally(found: Tested, keep: Bools) -> Tally:
    """Counts by unit of the images that are kept, parts of shape (trainings, units, classes)."""
    units, classes = int(found.unit.max()) + 1, len(CLASSES)
    truth, cell = found.truth[keep], found.unit[keep] * classes

    def counted(place: Ints, chosen: Bools | None = None) -> Floats:
        some = place if chosen is None else place[chosen]
        return np.bincount(some, minlength=units * classes).reshape(units, classes).astype(np.float64)

    rows = [said[keep] for said in found.said]
    return Tally(
        np.stack([counted(cell + truth, said == truth) for said in rows]),
        np.stack([counted(cell + said) for said in rows]),
        np.stack([counted(cell + truth) for _ in rows]),
    )


def estimate(value: float, drawn: Floats, given: bool) -> Estimate:
    """A value with its percentile interval, where one is given."""
    real = drawn[np.isfinite(drawn)]
    if not np.isfinite(value):
        return Estimate(value=None, low=None, high=None)
    if not given or len(real) < 0.5 * len(drawn):
        return Estimate(value=value, low=None, high=None)
    low, high = np.quantile(real, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value=value, low=float(low), high=float(high))


def _scores(found: Tested, keep: Bools, resamples: int) -> Floats:
    """Macro-F1 of the images at hand, then of every resample, (1 + resamples,); NaN for one that holds no image."""
    counts = tally(found, keep)
    drawn = draws(counts.hits.shape[1], resamples)
    held = np.flatnonzero(drawn.weights @ counts.true[0].sum(axis=1) > 0)
    rows = np.full(len(drawn.weights), np.nan)
    rows[held] = resampled(Tally(*(part[None] for part in counts)), drawn._replace(weights=drawn.weights[held]))[0]
    return np.concatenate([rows[:1], rows[drawn.which]])


def randomly_removed(found: Tested, seed: int, removals: int) -> Floats:
    """Change of macro-F1 when as many random images of the same classes are removed, (removals,)."""
    random = seeds(seed, "random removal")
    number = np.bincount(found.truth[found.flagged], minlength=len(CLASSES))
    by_class = [np.flatnonzero(found.truth == label) for label in range(len(CLASSES))]
    whole = macro(tally(found, np.ones(len(found.truth), dtype=bool))).mean()
    changes = np.empty(removals)
    for row in range(removals):
        keep = np.ones(len(found.truth), dtype=bool)
        for label, count in enumerate(number):
            keep[random.permutation(by_class[label])[:count]] = False
        changes[row] = macro(tally(found, keep)).mean() - whole
    return changes


class _Rates(NamedTuple):
    """Errors and images, flagged and not, by unit and class: parts of shape (units, classes)."""

    wrong_flagged: Floats
    flagged: Floats
    wrong_other: Floats
    other: Floats


def _rates(found: Tested) -> _Rates:
    wrong = (found.said != found.truth).mean(axis=0)
    units, classes = int(found.unit.max()) + 1, len(CLASSES)
    place = found.unit * classes + found.truth

    def summed(weights: Floats) -> Floats:
        return np.asarray(
            np.bincount(place, weights=weights, minlength=units * classes).reshape(units, classes), dtype=np.float64
        )

    flagged = found.flagged.astype(float)
    return _Rates(summed(wrong * flagged), summed(flagged), summed(wrong * (1 - flagged)), summed(1 - flagged))


def risk_ratio(wrong_flagged: Floats, flagged: Floats, wrong_other: Floats, other: Floats) -> Floats:
    """Mantel-Haenszel: flagged images against others of their class (Greenland & Robins 1985), (..., classes) gives (...)."""
    every = np.maximum(flagged + other, 1e-9)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((wrong_flagged * other / every).sum(-1) / (wrong_other * flagged / every).sum(-1))


def explained(wrong_flagged: Floats, flagged: Floats, wrong_other: Floats, other: Floats) -> Floats:
    """Part of all errors that flagged images have beyond the error rate of the others of their class, (...)."""
    usual = np.where(other > 0, wrong_other / np.maximum(other, 1e-9), 0.0)
    more = np.where(other > 0, wrong_flagged - flagged * usual, 0.0).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(more / (wrong_flagged + wrong_other).sum(-1))


def compare(found: Tested, seed: int, resamples: int, removals: int = REMOVALS) -> Compared | None:
    """Every figure of one arm; None where no image, or every one, is flagged.

    Args:
        found: its test images.
        seed: of the random removal.
        resamples: of the units.
        removals: of random images.
    """
    if not found.flagged.any() or found.flagged.all():
        return None
    units = int(found.unit.max()) + 1
    given = units >= LEAST_GROUPS
    every = np.ones(len(found.truth), dtype=bool)
    whole, without = (_scores(found, keep, resamples) for keep in (every, ~found.flagged))
    change = without - whole
    by_chance = randomly_removed(found, seed, removals)
    rates = _rates(found)
    drawn = draws(units, resamples)
    weights = np.concatenate([np.ones((1, units)), drawn.weights[drawn.which]])
    parts = [weights @ part for part in rates]

    def of(function: Callable[..., Floats]) -> Estimate:
        values = function(*parts)
        return estimate(float(values[0]), values[1:], given)

    def rate(wrong: Floats, images: Floats) -> Floats:
        return np.asarray(wrong.sum(-1) / np.maximum(images.sum(-1), 1e-9))

    low, high = np.quantile(by_chance, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    wrong = sum(float(part.sum()) for part in (rates.wrong_flagged, rates.wrong_other))
    return Compared(
        estimate(float(whole[0]), whole[1:], given),
        estimate(float(without[0]), without[1:], given),
        estimate(float(change[0]), change[1:], given),
        Estimate(value=float(by_chance.mean()), low=float(low), high=float(high)),
        float((1 + (by_chance >= change[0]).sum()) / (1 + removals)),
        of(lambda a, b, c, d: rate(a, b)),
        of(lambda a, b, c, d: rate(c, d)),
        of(risk_ratio),
        float(rates.wrong_flagged.sum() / wrong) if wrong else 0.0,
        of(explained),
    )  # fmt: skip
