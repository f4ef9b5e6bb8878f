"""Does each procedure keep its error rate? Many experiments with known truth, each tested by all.

Four scenarios a condition:

- `null`: no gain. How often is one claimed?
- `margin`: the true gain is half a point, the edge of equivalence. How often is equivalence claimed?
- `wide`: the true gain is at the edge of a margin wide enough for equivalence to be claimed at
  all. Where half a point is small against the standard error, equivalence is withheld in `margin`:
  that is safe, but says nothing of whether the test is right.
- `point`: the true gain is one point. How often is it found (power)?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.stats import pigeonhole
from benchmark.stats.design import Design
from benchmark.stats.generator import MILD, STRONG, Effects, Experiment, simulate, swapped, tallies
from benchmark.stats.procedures import PROCEDURES, Sample, favours
from benchmark.stats.pseudo import macro
from benchmark.stats.verdict import ALPHA, MARGIN, POINT, needs

Scenario = Literal["null", "margin", "wide", "point"]
SCENARIOS: tuple[Scenario, ...] = ("null", "margin", "wide", "point")
RESAMPLES = 999
PILOT = 300
WIDE = 2.2
"""Standard errors of the `wide` margin: about the smallest at which equivalence is claimed at all."""

BAR = (0.03, 0.07)
"""Error rates at a nominal 5 % within which a procedure counts as calibrated."""


@dataclass(frozen=True)
class Condition:
    """A design and how strong its effects are.

    Args:
        effects: `mild` or `strong`, or the name of real predictions.
        groups: number of groups.
        folds: number of blocks.
        repeats: rows.
    """

    effects: str
    groups: int
    folds: int
    repeats: int

    @property
    def blocks(self) -> tuple[int, ...]:
        """Groups of each fold, as even as they go."""
        return tuple(len(part) for part in np.array_split(np.arange(self.groups), self.folds))

    @property
    def design(self) -> Design:
        """Which training tests which group."""
        return Design(self.repeats, self.blocks)

    @property
    def label(self) -> str:
        """For tables."""
        design = f"{self.folds} folds × {self.repeats}" if self.folds > 1 else f"one split × {self.repeats}"
        return f"{self.groups} groups, {design}, {self.effects}"

    @property
    def withheld(self) -> bool:
        """Whether the design is too small for a verdict."""
        return bool(needs(self.design))


STRENGTHS: dict[str, Effects] = {"mild": MILD, "strong": STRONG}

CONDITIONS = tuple(
    Condition(effects, groups, folds, repeats)
    for effects in STRENGTHS
    for groups in (16, 65, 119)
    for folds, repeats in ((5, 1), (5, 2), (5, 4), (1, 5), (1, 10))
)
"""The grid: CIR's cases, CIR's cells, BioImLab's cells; a track's folds, and one split."""


JUDGED = "equivalence judged"
"""Name of the rate that says in how many experiments equivalence was not withheld."""


class Rate(NamedTuple):
    """How often a procedure rejected, in parts of 1, with its exact binomial interval (95 %)."""

    procedure: str
    rate: float
    low: float
    high: float
    replicates: int


def rate(procedure: str, rejected: int, replicates: int) -> Rate:
    """A rate with its Clopper-Pearson interval."""
    interval = stats.binomtest(rejected, replicates).proportion_ci(0.95, "exact")
    return Rate(procedure, rejected / replicates, float(interval.low), float(interval.high), replicates)


def _gain(found: Experiment, groups: int) -> float:
    arm, baseline = tallies(found, groups)
    return float((macro(arm) - macro(baseline)).mean())


@cache
def _pilot(condition: Condition, logit: float, seed: int, number: int) -> npt.NDArray[np.float64]:
    """Gains of the first experiments with a logit effect; without one they serve every scenario of a condition."""
    effects = STRENGTHS[condition.effects]
    return np.array([
        _gain(simulate(np.random.default_rng([seed, 1, one]), condition.repeats, condition.blocks, effects, logit),
              condition.groups)
        for one in range(number)
    ])  # fmt: skip


def true_gain(condition: Condition, logit: float, seed: int) -> tuple[float, float]:
    """Expected gain of a logit effect, and the standard deviation of an estimate of it without one.

    The same random numbers are used with and without the effect, so that their difference is
    nearly free of noise.
    """
    with_it, without = (_pilot(condition, gain, seed, PILOT) for gain in (logit, 0.0))
    return float((with_it - without).mean()), float(without.std())


def effect_for(condition: Condition, scenario: Scenario, seed: int) -> tuple[float, float]:
    """Logit effect of a scenario, and the margin of equivalence that goes with it."""
    if scenario == "null":
        return 0.0, MARGIN
    probe = 0.3
    gained, spread = true_gain(condition, probe, seed)
    target = {"margin": MARGIN, "point": POINT, "wide": max(MARGIN, WIDE * spread)}[scenario]
    logit = probe * target / gained
    gained, _ = true_gain(condition, logit, seed)
    if scenario == "wide":
        return logit, gained
    return logit * target / gained, MARGIN


def run(
    condition: Condition,
    scenario: Scenario,
    replicates: int,
    seed: int = 0,
    step: Callable[[], None] | None = None,
    procedures: Sequence[str] = tuple(PROCEDURES),
    resamples: int = RESAMPLES,
) -> list[Rate]:
    """Rejection rates of one condition and scenario.

    Args:
        condition: of simulated effects.
        scenario: what is true.
        replicates: number of experiments.
        seed: of everything.
        step: called after each experiment.
        procedures: names of those to measure, where no gain or one point is true.
        resamples: of the bootstraps.
    """
    logit, margin = effect_for(condition, scenario, seed)

    def experiment(number: int) -> Experiment:
        random = np.random.default_rng([seed, 0, number])
        return simulate(random, condition.repeats, condition.blocks, STRENGTHS[condition.effects], logit)

    return _rates(condition.design, experiment, scenario, replicates, seed, margin, step, procedures, resamples)


def run_swaps(
    real: Experiment,
    design: Design,
    replicates: int,
    seed: int = 0,
    step: Callable[[], None] | None = None,
    procedures: Sequence[str] = tuple(PROCEDURES),
    resamples: int = RESAMPLES,
) -> list[Rate]:
    """Rejection rates on real predictions whose arms change places by lot (see `generator.swapped`)."""

    def experiment(number: int) -> Experiment:
        return swapped(real, design.blocks, np.random.default_rng([seed, 2, number]))

    return _rates(design, experiment, "null", replicates, seed, MARGIN, step, procedures, resamples)


def _rates(
    design: Design,
    experiment: Callable[[int], Experiment],
    scenario: Scenario,
    replicates: int,
    seed: int,
    margin: float,
    step: Callable[[], None] | None,
    procedures: Sequence[str],
    resamples: int,
) -> list[Rate]:
    draws = pigeonhole.draw(design, resamples, seed)
    rejected = dict.fromkeys(procedures if scenario in ("null", "point") else ("ours", JUDGED), 0)
    for number in range(replicates):
        sample = Sample(experiment(number), design, draws, margin)
        if scenario in ("margin", "wide"):
            judged = sample.contrast.judges_equivalence
            rejected["ours"] += judged and sample.contrast.p_equivalent <= ALPHA
            rejected[JUDGED] += judged
        else:
            for name in rejected:
                claimed = PROCEDURES[name](sample) <= ALPHA
                rejected[name] += claimed and (scenario == "null" or favours(name, sample))
        if step:
            step()
    return [rate(name, int(count), replicates) for name, count in rejected.items()]
