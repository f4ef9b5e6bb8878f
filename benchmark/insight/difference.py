"""Macro-F1 of some trainings minus that of others of the same images, with an interval over groups and trainings.

The two may differ in their folds, or in a setting of their track; each has its own repeats, and no training of one belongs to one of the other.
Groups (cells, or people) are one set for both, so that images of one cell are never taken for independent, also where folds were
drawn by image: then a training tests some images of every group, and else all images of a few.

From six trainings and six groups on, trainings of either and groups are drawn together (`benchmark.stats.pigeonhole`), the
groups alike for both, and the corrected spread is the standard error of a t interval with as many degrees of freedom as the
verdicts' (`benchmark.stats.twoway`): it speaks of new trainings on new groups. Below, groups alone are drawn
(`benchmark.stats.bootstrap`), for these very trainings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.insight.estimate import Found
from benchmark.stats import bootstrap, generator, pigeonhole
from benchmark.stats.design import Design
from benchmark.stats.pseudo import Tally, macro
from benchmark.stats.twoway import Estimate

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RESAMPLES = 2000


class Side(NamedTuple):
    """Counts of some trainings.

    Attributes:
        counts: parts of shape (repeats, columns, 24); a column holds the images of one group that are tested in one fold.
        group: number of each column's group, (columns,).
        blocks: columns of each fold, in their order.
    """

    counts: Tally
    group: Ints
    blocks: tuple[int, ...]

    @property
    def trainings(self) -> int:
        """How many: folds × repeats."""
        return len(self.counts.hits) * len(self.blocks)

    def whole(self, groups: int) -> Tally:
        """Counts by group alone, (repeats, groups, 24)."""
        belongs = (self.group == np.arange(groups)[:, None]).astype(np.float64)
        return Tally(*(belongs @ part for part in self.counts))


def side(truth: Ints, group: Ints, fold: Ints, said: Ints) -> Side:
    """Count predictions of some trainings.

    Args:
        truth: class of each image, (images,).
        group: number of its group, (images,).
        fold: in which it was tested, (images,).
        said: the class that it was taken for, (repeats, images).
    """
    places, column = np.unique(np.stack([fold, group]), axis=1, return_inverse=True)
    _, blocks = np.unique(places[0], return_counts=True)
    counts = generator.count(truth, column.reshape(-1), said, places.shape[1])
    return Side(counts, places[1].astype(np.int64), tuple(blocks.tolist()))


def total(
    parts: Sequence[tuple[int, Side]], groups: int, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> Found:
    """A sum of macro-F1 of trainings on the same images, each with its sign: one score, or a difference of two.

    Args:
        parts: sign and counts of each; their numbers of repeats may differ.
        groups: how many there are.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        level: of the interval.

    Raises:
        ValueError: when they are not of the same images of the same groups.
    """
    first = parts[0][1].whole(groups).true[0]
    if any((one.whole(groups).true != first).any() for _, one in parts):
        raise ValueError("they do not hold the same images of the same groups")
    value = float(sum(sign * macro(one.counts).mean() for sign, one in parts))
    trainings = min(one.trainings for _, one in parts)
    drawn = bootstrap.draws(groups, resamples, seed)
    if not bootstrap.of_trainings(trainings, groups):
        return _of_groups(parts, groups, value, drawn, level)
    spread = _spread(parts, value, drawn.weights[drawn.which], seed)
    found = Estimate(value, spread, min(trainings, groups) - 1)
    if not found.spread:
        return Found(value, None, None, None, "none")
    return Found(value, *found.interval(level), found.p(), "trainings and groups")


def _of_groups(
    parts: Sequence[tuple[int, Side]], groups: int, value: float, drawn: bootstrap.Draws, level: float
) -> Found:
    """Of these very trainings; no interval of fewer groups than the suite's others need."""
    zero = np.zeros((1, len(drawn.weights)))
    sums = zero + sum(
        sign * bootstrap.resampled(Tally(*(part[None] for part in one.whole(groups))), drawn) for sign, one in parts
    )
    [found] = bootstrap.gain_intervals(sums, zero, drawn, level)
    if np.isnan(found.low) or found.low == found.high:
        return Found(value, None, None, None, "none")
    return Found(value, found.low, found.high, None, "groups")


def _spread(parts: Sequence[tuple[int, Side]], value: float, weights: Floats, seed: int) -> float:
    """Standard error over trainings and groups.

    Args:
        parts: as `total`.
        value: of the data.
        weights: how often each group is drawn, (resamples, groups); the same for every part.
        seed: of the trainings, which are drawn for each part by itself.
    """
    designs = [Design(len(one.counts.hits), one.blocks) for _, one in parts]
    trained = [
        pigeonhole.draw(design, len(weights), seed + 1 + k).trainings for k, design in enumerate(designs)
    ]  # fmt: skip

    def sums(trainings: bool, chosen: bool) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):  # where what is drawn holds no image
            found = sum(
                (
                    sign
                    * pigeonhole.scores(
                        one.counts, design,
                        pigeonhole.Draws(own if trainings else None, weights[:, one.group] if chosen else None),
                    )
                    for (sign, one), design, own in zip(parts, designs, trained, strict=True)
                ),
                np.zeros(1),
            )  # fmt: skip
        return found[np.isfinite(found)]

    return float(np.std(pigeonhole.corrected(value, sums(True, True), sums(True, False), sums(False, True))))
