"""From two arms to a verdict: better, worse, equivalent or undecided.

A verdict needs the two-way t test and the pigeonhole bootstrap to agree: the larger of their
p-values counts (an intersection-union test, Berger, Technometrics 24:295, 1982). Over a family of
contrasts the p-values are adjusted by Holm's method. Equivalence is two one-sided tests within ±
half a point, again by both, with its own Holm adjustment; it is withheld where half a point is so
small against the standard error that the two tests could not err as often as they may. Where trainings
or groups are too few, the whole verdict is withheld, and `needs` says how many it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.stats import pigeonhole, power, twoway
from benchmark.stats.design import Design, Variances
from benchmark.stats.multiple import benjamini_hochberg, holm
from benchmark.stats.pseudo import Tally, check_paired, macro, pseudo_values

MARGIN = 0.005
"""Gains within ± half a point count as none."""

ALPHA = 0.05
POINT = 0.01
RESAMPLES = 9999
SPREAD_RESAMPLES = 2000
"""Resamples from which the spread of trainings alone and of groups alone is taken."""

Name = Literal["better", "worse", "equivalent", "undecided", "withheld"]
NAMES: tuple[Name, ...] = ("better", "worse", "equivalent", "undecided", "withheld")


class Contrast(NamedTuple):
    """A gain of macro-F1 and what is known of it, in parts of 1.

    Args:
        gain: of the arm over the baseline, mean over repeats.
        low: of the t interval, 95 %, of this contrast alone.
        high: the same.
        se: standard error.
        df: degrees of freedom.
        p: two-sided, the larger of test and bootstrap.
        p_test: of the test.
        p_bootstrap: of the bootstrap.
        p_equivalent: of the gain being outside ± the margin, the larger of test and bootstrap.
        bootstrap_low: of the corrected percentile interval, 95 %.
        bootstrap_high: the same.
        p_satterthwaite: of the variance-components test, for comparison.
        smallest: gain that this design would find with 80 % power.
        margin: gains within ± this count as none.
        smallest_margin: narrowest within which equivalence can be judged, see `power.smallest_margin`.
        variances: of one training on one group.
        repeats_for_point: repeats that it takes to find one point; 0: no number of repeats is
            enough, more groups are needed; None: not known from one repeat.
        trainings: how many.
        groups: how many.
        needs: why no verdict can be given; empty when it can.
    """

    gain: float
    low: float
    high: float
    se: float
    df: float
    p: float
    p_test: float
    p_bootstrap: float
    p_equivalent: float
    bootstrap_low: float
    bootstrap_high: float
    p_satterthwaite: float
    smallest: float
    margin: float
    smallest_margin: float
    variances: Variances
    repeats_for_point: int | None
    trainings: int
    groups: int
    needs: str

    @property
    def judges_equivalence(self) -> bool:
        """Whether the margin is wide enough for this error; elsewhere equivalence is withheld."""
        return self.smallest_margin <= self.margin


class Verdict(NamedTuple):
    """A verdict with its adjusted p-values and the size of its family."""

    name: Name
    p: float
    p_equivalent: float
    family: int


def shortage(trainings: int, groups: int, folds: int, alpha: float = ALPHA) -> str:
    """Why so many trainings, of so many folds, and groups cannot carry a verdict; empty when they can."""
    floor = power.minimum_clusters(alpha)
    wanted = []
    if trainings < floor:
        wanted.append(f"{floor} trainings or more (found {trainings}; {-(-floor // folds)} repeats give them)")
    if groups < floor:
        wanted.append(f"{floor} groups or more (found {groups})")
    return " and ".join(wanted)


def needs(design: Design, alpha: float = ALPHA) -> str:
    """Why a design cannot carry a verdict; empty when it can."""
    return shortage(design.trainings, design.groups, len(design.blocks), alpha)


def table_of_gains(arm: Tally, baseline: Tally) -> npt.NDArray[np.float64]:
    """Differences of pseudo-values, shape (repeats, groups).

    Raises:
        ValueError: when the arms are not paired.
    """
    check_paired(arm, baseline)
    return pseudo_values(arm) - pseudo_values(baseline)


def contrast(
    arm: Tally,
    baseline: Tally,
    design: Design,
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    seed: int = 0,
    draws: pigeonhole.Draws | None = None,
) -> Contrast:
    """Everything about the gain of one arm over another.

    Args:
        arm: counts, shape (repeats, groups, classes), columns in the design's order.
        baseline: counts of the same images.
        design: which training tested which group.
        margin: of equivalence.
        alpha: level of the test; decides how many trainings it takes.
        resamples: of the bootstrap.
        seed: of the bootstrap; one seed gives all contrasts of a design the same draws.
        draws: made before with that design, to be shared by many contrasts.

    Raises:
        ValueError: when the arms are not paired, hold no image, or do not fit the design.
    """
    table = table_of_gains(arm, baseline)
    gain = float((macro(arm) - macro(baseline)).mean())
    test = twoway.cluster_robust(gain, table, design)
    drawn = draws or pigeonhole.draw(design, resamples, seed)
    some = pigeonhole.first(drawn, SPREAD_RESAMPLES)

    def gains(which: pigeonhole.Draws) -> npt.NDArray[np.float64]:
        return pigeonhole.scores(arm, design, which) - pigeonhole.scores(baseline, design, which)

    values = pigeonhole.corrected(
        gain, gains(drawn), gains(pigeonhole.only_trainings(some)), gains(pigeonhole.only_groups(some))
    )
    p_bootstrap = pigeonhole.two_sided(values)
    outside = max(int((values <= -margin).sum()), int((values >= margin).sum()))
    variances = twoway.components(table, design)
    low, high = test.interval()
    bootstrap_low, bootstrap_high = np.quantile(values, [0.025, 0.975])
    return Contrast(
        gain=gain,
        low=low,
        high=high,
        se=test.se,
        df=test.df,
        p=max(test.p(), p_bootstrap),
        p_test=test.p(),
        p_bootstrap=p_bootstrap,
        p_equivalent=max(test.p_inside(margin), (outside + 1) / (len(values) + 1)),
        bootstrap_low=float(bootstrap_low),
        bootstrap_high=float(bootstrap_high),
        p_satterthwaite=twoway.satterthwaite(gain, table, design).p(),
        smallest=power.smallest_of(test, alpha),
        margin=margin,
        smallest_margin=power.smallest_margin(test.se, test.df, alpha) if test.spread else 0.0,
        variances=variances,
        repeats_for_point=None if design.repeats == 1 else power.repeats_for(POINT, design, variances, alpha),
        trainings=design.trainings,
        groups=design.groups,
        needs=needs(design, alpha),
    )


def decide(
    contrasts: Sequence[Contrast], *, alpha: float = ALPHA, family: int | None = None, exploratory: bool = False
) -> list[Verdict]:
    """Verdicts of a family of contrasts, by Holm's method over all of them.

    Args:
        contrasts: of the family, in any order. One whose verdict is withheld still counts as a
            member, so that it cannot make the others' evidence look stronger.
        alpha: familywise level.
        family: size of the family where it has members that were not computed.
        exploratory: by Benjamini-Hochberg instead, over those whose verdict is not withheld.

    Returns:
        One verdict a contrast. A gain that is significant is `better` or `worse` even where it is
        also within the margin. None is `equivalent` whose margin is too narrow to be judged; its
        adjusted p-value of equivalence is 1.
    """
    size = len(contrasts) if family is None else family
    adjusted, inside = np.ones(len(contrasts)), np.ones(len(contrasts))
    tested = np.array([not one.needs for one in contrasts], dtype=bool)
    judged = tested & np.array([one.judges_equivalence for one in contrasts], dtype=bool)
    for into, values, which in (
        (adjusted, [c.p for c in contrasts], tested),
        (inside, [c.p_equivalent for c in contrasts], judged),
    ):
        chosen = np.array(values)[which]
        into[which] = benjamini_hochberg(chosen) if exploratory else holm(chosen, family=size)
    verdicts = []
    for one, p, p_inside in zip(contrasts, adjusted, inside, strict=True):
        name: Name = "undecided"
        if one.needs:
            name = "withheld"
        elif p <= alpha:
            name = "better" if one.gain > 0 else "worse"
        elif p_inside <= alpha:
            name = "equivalent"
        verdicts.append(Verdict(name, float(p), float(p_inside), size))
    return verdicts
