"""How long units will take, from units that were timed, with an interval of 95 %.

Method: a submission's rate is the seconds of its timed units over their images; how far single units
lie from their submission's rate, as a factor, is pooled over all submissions and widened by √(n / (n − 1)) for
the rate that was estimated from them (a residual bootstrap: Davison & Hinkley 1997, §6.2.4). Every draw takes
new factors for the timed units, which moves the rates, and new factors for the units to come; the schedule that
the engines use is then run over the drawn times. Where that would be too much work (`BUDGET`), it is run once, over the
expected times, and its seconds are multiplied by the drawn sum of all times over the expected one, whose single factors are
then summed as a normal variable. What changes all times at once, such as another load of the machine, no interval knows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.engine.simulation import Cluster, simulate
from benchmark.plan import Unit

DRAWS = 200
LEVEL = 0.95
BUDGET = 60_000
"""Starts of units that the draws of one forecast may simulate: about a second."""

SPREAD_FROM = 2
"""Degrees of freedom of the pooled factors that an interval needs at least."""

LEAST = 0.05
"""No unit is drawn faster than this part of its expected time."""


class Timed(NamedTuple):
    """A unit that was timed: its submission, the images that it trained on, epochs included, and its seconds."""

    submission: str
    images: float
    seconds: float


class Range(NamedTuple):
    """A figure with its interval; no bounds where too little was timed to give them."""

    value: float
    low: float | None = None
    high: float | None = None

    def times(self, factor: float) -> Range:
        """The same in another measure."""
        return Range(self.value * factor, *(None if one is None else one * factor for one in self[1:]))


class Forecast(NamedTuple):
    """What units will take.

    Attributes:
        wall: seconds until the last has ended; of no known unit: 0.
        work: slot-seconds of all together.
        timed: units that were timed, by submission of the units to come.
        unknown: submissions of units to come of which nothing was timed: they are not counted, or by guess.
        guessed: whether they are counted, at the mean rate of the others.
    """

    wall: Range
    work: Range
    timed: dict[str, int]
    unknown: tuple[str, ...]
    guessed: bool = False


class Rates:
    """Seconds an image by submission, and how single units differ.

    Args:
        timed: in any order; units without images or seconds are left out.
    """

    def __init__(self, timed: Sequence[Timed]) -> None:
        sums: dict[str, list[Timed]] = {}
        for one in timed:
            if one.images > 0 and one.seconds > 0:
                sums.setdefault(one.submission, []).append(one)
        self.counts = {name: len(found) for name, found in sums.items()}
        self.means = {
            name: math.fsum(one.seconds for one in found) / math.fsum(one.images for one in found)
            for name, found in sums.items()
        }
        factors: list[float] = []
        for name, found in sums.items():
            widen = math.sqrt(len(found) / (len(found) - 1)) if len(found) > 1 else 0.0
            if widen:
                factors += [1 + widen * (one.seconds / one.images / self.means[name] - 1) for one in found]
        self.free = sum(count - 1 for count in self.counts.values())
        self.factors = np.maximum(np.array(factors or [1.0]), LEAST)

    @property
    def middle(self) -> float | None:
        """The mean rate over submissions; None where nothing was timed."""
        return sum(self.means.values()) / len(self.means) if self.means else None

    def draw(self, names: Sequence[str], random: np.random.Generator) -> npt.NDArray[np.float64]:
        """Rates over their estimates, one a submission, as another set of timed units would have given them."""
        return np.array([random.choice(self.factors, self.counts.get(name, 1)).mean() for name in names])


def forecast(
    units: Sequence[Unit],
    timed: Sequence[Timed],
    cluster: Cluster,
    *,
    left: Mapping[str, float] | None = None,
    each: float = 0.0,
    guess: bool = False,
    budget: int = BUDGET,
    seed: int = 0,
) -> Forecast:
    """Predict what some units take on a cluster.

    Args:
        units: those to come and those under way.
        timed: units of the same track on the same kind of device.
        cluster: how many run at once, and what the head takes.
        left: of units under way the part that is still to do; they keep their place.
        each: seconds that a slot is held besides a unit's own.
        guess: whether units of submissions that were not timed are counted, at the mean rate of the others.
        budget: starts of units that may be simulated for the interval.
        seed: of the draws.
    """
    rates, left = Rates(timed), left or {}
    unknown = tuple(sorted({unit.submission for unit in units} - rates.means.keys()))
    guessed = guess and rates.middle is not None
    counted = [unit for unit in units if guessed or unit.submission in rates.means]
    names = sorted({unit.submission for unit in counted})
    known = {name: rates.counts.get(name, 0) for name in names}
    if not counted:
        return Forecast(Range(0.0), Range(0.0), known, unknown, guessed)
    model = _Model(counted, names, rates, left, each)
    if rates.free < SPREAD_FROM:
        wall, work = model.wall(model.expected, cluster), Range(float(model.expected.sum()))
        return Forecast(Range(wall), work, known, unknown, guessed)
    random = np.random.default_rng(seed)
    if len(counted) * DRAWS <= budget:
        walls, works = model.simulated(cluster, random)
        return Forecast(_range(walls), _range(works), known, unknown, guessed)
    works = model.summed(random)
    expected = float(model.expected.sum())
    low, high = np.quantile(works, _tails())
    wall = model.wall(model.expected, cluster)
    spread = Range(expected, float(low), float(high))
    return Forecast(spread.times(wall / expected), spread, known, unknown, guessed)


class _Model:
    """Expected seconds of every unit, and draws of them."""

    def __init__(
        self, units: Sequence[Unit], names: Sequence[str], rates: Rates, left: Mapping[str, float], each: float
    ) -> None:
        self.units, self.names, self.rates, self.left = units, names, rates, left
        places = {name: number for number, name in enumerate(names)}
        self.of = np.array([places[unit.submission] for unit in units])
        middle = rates.middle or 0.0
        mean = np.array([rates.means.get(name, middle) for name in names])
        part = np.array([left.get(unit.key, 1.0) for unit in units])
        self.own = np.array([unit.cost for unit in units]) * mean[self.of] * part
        self.each = each * part
        self.expected = self.own + self.each

    def wall(self, seconds: npt.NDArray[np.float64], cluster: Cluster) -> float:
        """Seconds of the schedule over some times; units under way go first."""
        times = {unit.key: float(one) for unit, one in zip(self.units, seconds, strict=True)}
        running = [unit for unit in self.units if unit.key in self.left]
        rest = [unit for unit in self.units if unit.key not in self.left]
        return simulate([*running, *rest], times, cluster, first=self.left.keys()).seconds

    def simulated(
        self, cluster: Cluster, random: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Seconds of the schedule, and slot-seconds, of every draw."""
        walls, works = [], []
        for _ in range(DRAWS):
            factors = self.rates.draw(self.names, random)[self.of] * random.choice(self.rates.factors, len(self.units))
            seconds = self.own * factors + self.each
            walls.append(self.wall(seconds, cluster))
            works.append(float(seconds.sum()))
        return np.array(walls), np.array(works)

    def summed(self, random: np.random.Generator) -> npt.NDArray[np.float64]:
        """Slot-seconds of every draw, with the factors of the single units summed as a normal variable."""
        totals = np.bincount(self.of, self.own, len(self.names))
        squares = np.bincount(self.of, self.own**2, len(self.names))
        factors = self.rates.factors
        found = []
        for _ in range(DRAWS):
            moved = self.rates.draw(self.names, random)
            noise = random.standard_normal() * factors.std() * math.sqrt(float((moved**2 * squares).sum()))
            found.append(float((moved * totals).sum() * factors.mean() + noise + self.each.sum()))
        return np.array(found)


def _tails() -> tuple[float, float]:
    return (1 - LEVEL) / 2, (1 + LEVEL) / 2


def _range(draws: npt.NDArray[np.float64]) -> Range:
    low, high = np.quantile(draws, _tails())
    return Range(float(np.median(draws)), float(low), float(high))
