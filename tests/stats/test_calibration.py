import numpy as np
import pytest
from scipy import stats

from benchmark.stats import pigeonhole
from benchmark.stats.calibration import (
    CONDITIONS,
    STRENGTHS,
    Condition,
    effect_for,
    rate,
    run,
    run_swaps,
    true_gain,
)
from benchmark.stats.design import Design
from benchmark.stats.generator import STRONG, Experiment, simulate
from benchmark.stats.procedures import PROCEDURES, Sample, favours

SMALL = Condition("mild", 16, 5, 2)


def test_the_grid_is_the_one_that_was_promised() -> None:
    assert {(c.groups, c.folds, c.repeats) for c in CONDITIONS} == {
        (groups, *design) for groups in (16, 65, 119) for design in ((5, 1), (5, 2), (5, 4), (1, 5), (1, 10))
    }
    assert len(CONDITIONS) == 30 and {c.effects for c in CONDITIONS} == {"mild", "strong"}
    assert {(c.folds, c.repeats) for c in CONDITIONS if c.withheld} == {(5, 1), (1, 5)}
    assert SMALL.blocks == (4, 3, 3, 3, 3) and SMALL.label == "16 groups, 5 folds × 2, mild"


def test_a_rate_has_its_exact_binomial_interval() -> None:
    found = rate("ours", 75, 1500)
    wanted = stats.binomtest(75, 1500).proportion_ci(method="exact")
    assert found == ("ours", 0.05, wanted.low, wanted.high, 1500)


def test_true_gain_is_what_a_large_experiment_shows() -> None:
    from benchmark.stats.generator import tallies
    from benchmark.stats.pseudo import macro

    gain, _ = true_gain(SMALL, 0.5, 0)
    found = []
    for seed in range(8):
        arm, baseline = tallies(
            simulate(np.random.default_rng([9, seed]), 10, (400,), STRONG.__class__(0.2, 0.1), 0.5), 400
        )
        found.append(float((macro(arm) - macro(baseline)).mean()))
    assert gain == pytest.approx(np.mean(found), rel=0.15)


@pytest.mark.parametrize(("scenario", "wanted"), [("margin", 0.005), ("point", 0.01)])
def test_an_effect_gives_the_gain_it_is_for(scenario: str, wanted: float) -> None:
    logit, margin = effect_for(SMALL, scenario, 0)
    gain, _ = true_gain(SMALL, logit, 1)
    assert gain == pytest.approx(wanted, abs=0.0015) and margin == 0.005


def test_the_wide_margin_is_the_true_gain() -> None:
    logit, margin = effect_for(SMALL, "wide", 0)
    assert true_gain(SMALL, logit, 0)[0] == pytest.approx(margin) and margin > 0.01


def test_every_procedure_is_measured_for_errors_and_power_and_ours_for_equivalence() -> None:
    steps: list[None] = []
    assert [one.procedure for one in run(SMALL, "null", 3, step=lambda: steps.append(None))] == list(PROCEDURES)
    assert len(steps) == 3
    assert [one.procedure for one in run(SMALL, "point", 2)] == list(PROCEDURES)
    for scenario in ("margin", "wide"):
        assert [one.procedure for one in run(SMALL, scenario, 2)] == ["ours", "equivalence judged"]


def test_a_procedure_alone_has_the_rate_that_it_has_among_all() -> None:
    among = {one.procedure: one for one in run(SMALL, "null", 4, seed=3)}
    for name in ("McNemar", "ours"):
        assert run(SMALL, "null", 4, seed=3, procedures=[name]) == [among[name]]


def test_a_gain_found_in_the_wrong_direction_is_no_power() -> None:
    one = simulate(np.random.default_rng(5), 2, SMALL.blocks, STRENGTHS["mild"], -3.0)
    draws = pigeonhole.draw(SMALL.design, 99, 0)
    turned = Experiment(one.truth, one.group, one.baseline, one.arm)
    worse, better = (Sample(found, SMALL.design, draws) for found in (one, turned))
    for name, test in PROCEDURES.items():
        assert test(worse) <= 0.05 and test(better) <= 0.05, name
        assert favours(name, better) and not favours(name, worse), name


def test_mcnemar_points_where_its_own_training_does() -> None:
    one, design = simulate(np.random.default_rng(6), 4, SMALL.blocks, STRENGTHS["mild"], 3.0), SMALL.design.at(4)
    first, second = one.arm.copy(), one.baseline.copy()
    first[0], second[0] = one.baseline[0], one.arm[0]
    sample = Sample(Experiment(one.truth, one.group, first, second), design, pigeonhole.draw(design, 9, 0))
    assert favours("ours", sample) and not favours("McNemar", sample), "it looks at the first training alone"


FEWER = 199
"""Resamples that make a level of 5 % exact, as 999 do, and cost a fifth."""


@pytest.mark.slow
def test_ours_holds_its_level_where_mcnemar_does_not() -> None:
    """The claim of docs/statistics.md, in small: 400 nulls with strong effects, 65 groups."""
    names = ["ours", "McNemar", "image bootstrap"]
    rates = run(Condition("strong", 65, 5, 2), "null", 400, procedures=names, resamples=FEWER)
    found = {one.procedure: one for one in rates}
    assert 0.02 <= found["ours"].rate <= 0.085, "within four standard errors of 5 %"
    assert found["McNemar"].low > 0.15 and found["image bootstrap"].low > 0.15


@pytest.mark.slow
def test_ours_holds_its_level_at_the_edge_of_what_gets_a_verdict() -> None:
    """Six trainings of six groups, the fewest: 400 nulls with strong effects."""
    edge = Condition("strong", 6, 1, 6)
    assert not edge.withheld and Condition("strong", 5, 1, 6).withheld and Condition("strong", 6, 1, 5).withheld
    assert run(edge, "null", 400, procedures=["ours"])[0].rate <= 0.085, "within three standard errors of 5 %"


@pytest.mark.slow
def test_power_grows_with_the_repeats() -> None:
    few, many = (
        run(Condition("mild", 65, 5, repeats), "point", 150, procedures=["ours"], resamples=FEWER)[0]
        for repeats in (2, 4)
    )
    assert many.low > few.rate > 0.2


@pytest.mark.slow
def test_swapped_arms_are_a_true_null() -> None:
    real = simulate(np.random.default_rng(3), 2, (13,) * 5, STRONG, 2.0)
    [found] = run_swaps(real, Design(2, (13,) * 5), 300, procedures=["ours"], resamples=FEWER)
    assert found.rate <= 0.09, "though one arm of the real predictions is far better"
