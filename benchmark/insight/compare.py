"""All distances between all domains with their intervals, their floors, and the claim that two stains are close."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from benchmark.insight.domains import NATURAL, Domain
from benchmark.insight.measure import Measure
from benchmark.insight.resample import Floats, Ints, bootstrap, halves, interval, seeds
from benchmark.insight.schema import Claim, Distance, Floor, Verdict
from benchmark.stats.bootstrap import Interval

HALVES = 20
Step = Callable[[], None]


class Estimates(NamedTuple):
    """One distance of two domains.

    Attributes:
        value: the estimate.
        plain: uncorrected, of the data at hand.
        resampled: estimates of the resamples, (resamples,).
    """

    value: float
    plain: float
    resampled: Floats

    @property
    def interval(self) -> Interval:
        """Of the distance."""
        return interval(self.value, self.plain, self.resampled)


class Comparison:
    """One measure over all pairs of domains; every pair uses the same resamples of a domain.

    Args:
        measure: which.
        names: of the domains, in the measure's order.
        groups: number of groups of each.
        resamples: how many.
        seed: of the resampling.
        step: called after every pair.
    """

    def __init__(
        self, measure: Measure, names: Sequence[str], groups: Sequence[int], resamples: int, seed: int, step: Step
    ) -> None:
        self.measure, self.names = measure, list(names)
        weights = [bootstrap(n, resamples, seeds(seed, f"bootstrap {name}")) for n, name in zip(groups, names, strict=True)]  # fmt: skip
        ones = [np.ones((1, n), dtype=np.int64) for n in groups]
        self.pairs: dict[tuple[str, str], Estimates] = {}
        for a, b in combinations(range(len(names)), 2):
            self.pairs[names[a], names[b]] = self._estimates(a, b, ones, weights)
            step()
        self.floors: list[Floor] = []
        for number, (name, n) in enumerate(zip(names, groups, strict=True)):
            found = measure.within(number, halves(n, HALVES, seeds(seed, f"halves {name}")))
            self.floors.append(
                Floor(measure=measure.key, domain=name, mean=float(found.mean()), highest=float(found.max()), splits=len(found))
            )  # fmt: skip
            step()

    def _estimates(self, a: int, b: int, ones: list[Ints], weights: list[Ints]) -> Estimates:
        return Estimates(
            float(self.measure.between(a, b, ones[a], ones[b])[0]),
            float(self.measure.plain(a, b, ones[a], ones[b])[0]),
            self.measure.between(a, b, weights[a], weights[b]),
        )

    def of(self, a: str, b: str) -> Estimates:
        """The estimates of two domains, in either order."""
        return self.pairs[(a, b) if (a, b) in self.pairs else (b, a)]

    def distances(self) -> list[Distance]:
        """Every pair with its interval."""
        found = []
        for (a, b), one in self.pairs.items():
            value, low, high = one.interval
            found.append(Distance(measure=self.measure.key, first=a, second=b, value=value, low=low, high=high))
        return found

    def claim(self, q: str, g: str) -> Claim:
        """Whether two stains are closer to each other than either is to natural images."""
        own, far = self.of(q, g), (self.of(q, NATURAL), self.of(g, NATURAL))
        gap = Estimates(
            min(one.value for one in far) - own.value,
            min(one.plain for one in far) - own.plain,
            np.minimum(far[0].resampled, far[1].resampled) - own.resampled,
        )
        value, low, high = gap.interval
        verdict = decide(low, high)
        sentence = _sentence(self.measure.title, q, g, own.value, min(one.value for one in far), gap.interval, verdict)
        return Claim(
            measure=self.measure.key, q=q, g=g, value=value, low=low, high=high, verdict=verdict, sentence=sentence
        )


def decide(low: float, high: float) -> Verdict:
    """What an interval of the difference says."""
    return "holds" if low > 0 else "does not hold" if high < 0 else "not decided"


_SAYS = {
    "holds": "are closer to each other than either is to natural images",
    "does not hold": "are not closer to each other than either is to natural images",
    "not decided": "cannot be said to be closer to each other than either is to natural images, nor the reverse",
}


def number(value: float) -> str:
    """Three significant digits, with a real minus sign; never in powers of ten."""
    if value == 0 or abs(value) < 5e-5:
        return "0"
    places = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return f"{value:,.{min(places, 4)}f}".replace("-", "−")


def _sentence(
    title: str, q: str, g: str, own: float, far: float, gap: Interval, verdict: Verdict
) -> str:  # fmt: skip
    return (
        f"By the {title}, {q} and {g} {_SAYS[verdict]}: {number(own)} between them, {number(far)} to the nearest natural "
        f"images, difference {number(gap.value)} [{number(gap.low)}, {number(gap.high)}] ({verdict})."
    )


def stains(domains: Sequence[Domain]) -> list[tuple[str, str]]:
    """Every Q-band dataset with every G-band dataset."""
    return [(q.name, g.name) for q in domains if q.kind == "Q" for g in domains if g.kind == "G"]


def unclaimed(domains: Sequence[Domain]) -> str | None:
    """Why there is no claim, in a sentence; None where there is one."""
    if stains(domains):
        return None
    names = ", ".join(domain.name for domain in domains if domain.kind != "natural")
    return f"The claim takes a Q-band and a G-band dataset, and only {names} was compared."
