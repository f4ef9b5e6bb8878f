import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from benchmark.stats import power
from benchmark.stats.design import Design, Variances
from benchmark.stats.twoway import Estimate

VARIANCES = Variances(training=1e-4, group=4e-4, rest=1e-3)


def smallest_p_of_sign_flips(n: int) -> float:
    """Of n differences that all have one sign, by going through every pattern of signs."""
    sums = np.abs([sum(signs) for signs in product((-1, 1), repeat=n)])
    return float((sums >= n).mean())


# ---- fewest trainings and groups


def test_six_are_needed_at_five_percent() -> None:
    assert power.minimum_clusters() == power.minimum_clusters(0.05) == 6


@pytest.mark.parametrize("alpha", [0.9, 0.5, 0.25, 0.1, 0.0625, 0.05, 0.03125, 0.01, 0.005])
def test_fewest_clusters_are_those_of_the_exact_sign_flip_test(alpha: float) -> None:
    found = power.minimum_clusters(alpha)
    assert smallest_p_of_sign_flips(found) <= alpha < smallest_p_of_sign_flips(found - 1)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.05, 5.0, math.nan])
def test_levels_that_are_none_are_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="allowed: between 0 and 1"):
        power.minimum_clusters(alpha)


# ---- smallest margin


def claims_at_the_edge(margin: float, se: float, df: float, alpha: float) -> float:
    """How often two one-sided tests claim equivalence of a gain at the margin, by integrating over their region."""
    half = margin - stats.t.ppf(1 - alpha, df) * se
    return float(stats.t.cdf((half - margin) / se, df) - stats.t.cdf((-half - margin) / se, df))


@pytest.mark.parametrize("df", [5, 9, 19, 1e6])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_equivalence_is_judged_where_it_may_err_three_times_in_a_hundred(df: float, alpha: float) -> None:
    margin = power.smallest_margin(0.02, df, alpha)
    assert claims_at_the_edge(margin, 0.02, df, alpha) == pytest.approx(0.6 * alpha)
    assert (
        claims_at_the_edge(1.1 * margin, 0.02, df, alpha)
        > 0.6 * alpha
        > claims_at_the_edge(0.9 * margin, 0.02, df, alpha)
    )


# ---- smallest gain


@pytest.mark.parametrize("n", [6, 10, 20, 60])
@pytest.mark.parametrize(("alpha", "wanted"), [(0.05, 0.8), (0.01, 0.8), (0.05, 0.9)])
def test_smallest_gain_is_statsmodels(n: int, alpha: float, wanted: float) -> None:
    """Within 5 % at six values and 0.5 % at sixty: it takes the noncentral t, and the formula shifts the central one."""
    effect = TTestPower().solve_power(nobs=n, alpha=alpha, power=wanted, alternative="two-sided")
    found = power.smallest_detectable(0.02 / math.sqrt(n), n - 1, alpha, wanted)
    assert found == pytest.approx(0.02 * effect, rel=0.3 / n)


def test_smallest_gain_of_many_degrees_of_freedom_is_the_normal_one() -> None:
    """1.96 + 0.84 standard errors."""
    expected = 0.01 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert power.smallest_detectable(0.01, 1e6) == pytest.approx(expected, rel=1e-4)
    assert power.smallest_detectable(0.01, 1e6) == pytest.approx(0.028, abs=1e-4)


def test_smallest_gain_of_an_estimate_is_that_of_its_error() -> None:
    found = power.smallest_of(Estimate(0.3, 0.02, 7), 0.01, 0.9)
    assert (
        found
        == power.smallest_detectable(0.02, 7, 0.01, 0.9)
        == pytest.approx(2 * power.smallest_detectable(0.01, 7, 0.01, 0.9))
    )
    assert power.smallest_of(Estimate(0.3, 0.02, 7)) == power.smallest_detectable(0.02, 7, 0.05, 0.8)


# ---- repeats


def finds(repeats: int, gain: float, blocks: tuple[int, ...], variances: Variances) -> bool:
    """Whether that many repeats are enough, with the variance of the mean written out."""
    trainings, groups = repeats * len(blocks), sum(blocks)
    if min(trainings, groups) < 6:
        return False
    of_training = variances.training * sum((n / groups) ** 2 for n in blocks) / repeats
    se = math.sqrt(of_training + variances.group / groups + variances.rest / (groups * repeats))
    df = min(trainings, groups) - 1
    return bool((stats.t.ppf(0.975, df) + stats.t.ppf(0.8, df)) * se <= gain)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.002, 0.1), st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(0, 10**6))
def test_the_number_of_repeats_suffices_and_one_fewer_does_not(gain: float, blocks: list[int], seed: int) -> None:
    assume(sum(blocks) > 1)
    variances = Variances(*np.random.default_rng(seed).exponential([2e-4, 4e-4, 2e-3]))
    sizes = tuple(blocks)
    found = power.repeats_for(gain, Design(2, sizes), variances)
    if found:
        assert finds(found, gain, sizes, variances)
        assert not finds(found - 1, gain, sizes, variances)
    else:
        assert not finds(power.MOST_REPEATS, gain, sizes, variances)


@pytest.mark.parametrize(("gain", "blocks"), [(0.03, (8,)), (0.02, (4, 4)), (0.03, (60,))])
def test_degrees_of_freedom_are_of_the_fewer_of_trainings_and_groups(gain: float, blocks: tuple[int, ...]) -> None:
    variances = Variances(training=2e-3, group=1e-4, rest=1e-2)
    found = power.repeats_for(gain, Design(2, blocks), variances)
    assert found * len(blocks) != sum(blocks) and found > 3
    assert finds(found, gain, blocks, variances) and not finds(found - 1, gain, blocks, variances)


@pytest.mark.parametrize("blocks", [(40,), (24, 24, 24, 24, 23)])
def test_smaller_gains_take_more_repeats(blocks: tuple[int, ...]) -> None:
    design = Design(2, blocks)
    found = [power.repeats_for(gain, design, VARIANCES) for gain in (0.1, 0.03, 0.02, 0.015, 0.0125, 0.011)]
    assert found == sorted(found) and found[0] == -(-6 // len(blocks)) and found[-1] > found[1] > 0


def test_level_and_power_are_heeded() -> None:
    design = Design(2, (40,))
    plain = power.repeats_for(0.015, design, VARIANCES)
    assert power.repeats_for(0.015, design, VARIANCES, power=0.9) > plain
    assert power.repeats_for(0.015, design, VARIANCES, alpha=0.01) > plain
    assert power.repeats_for(0.015, Design(9, (40,)), VARIANCES) == plain, "the repeats of now do not count"


def test_no_repeats_are_enough_where_groups_are_too_few() -> None:
    """The variance of groups stays however often is trained: 4e-4 / 16 is a standard error of half a point."""
    assert power.repeats_for(0.01, Design(2, (16,)), VARIANCES) == 0
    assert power.repeats_for(0.01, Design(2, (160,)), VARIANCES) > 0
    assert power.repeats_for(0.5, Design(2, (5,)), VARIANCES) == 0, "five groups cannot reach 5 %"
    assert power.repeats_for(0.5, Design(2, (6,)), VARIANCES) > 0


def test_groups_are_not_blamed_for_trainings_that_vary() -> None:
    """1,500 repeats are enough and the groups are all alike: 0 would say that more groups are needed."""
    variances, blocks = Variances(training=0.0184, group=0.0, rest=0.0), (10_000,)
    assert finds(1500, 0.01, blocks, variances) and not finds(1000, 0.01, blocks, variances)
    assert power.repeats_for(0.01, Design(2, blocks), variances) != 0


def test_one_repeat_tells_nothing_of_groups() -> None:
    with pytest.raises(ValueError, match="with one repeat"):
        power.repeats_for(0.01, Design(1, (5, 5)), Variances(1e-4, math.nan, 1e-3))
