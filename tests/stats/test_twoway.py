import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups
from statsmodels.stats.weightstats import DescrStatsW

from benchmark.stats import twoway
from benchmark.stats.design import Design
from benchmark.stats.twoway import Estimate

SHAPES = pytest.mark.parametrize(
    ("repeats", "blocks"), [(6, (9,)), (9, (6,)), (2, (4, 4, 4)), (3, (2, 5, 1, 7)), (1, (3, 4, 6, 2, 5))]
)


def table(design: Design, seed: int, training: float = 1.0, group: float = 1.0, rest: float = 1.0) -> np.ndarray:
    """Values with these standard deviations about 0.5."""
    random = np.random.default_rng(seed)
    of_training = random.standard_normal((design.repeats, len(design.blocks)))[:, design.block_of]
    of_rest = random.standard_normal((design.repeats, design.groups))
    return 0.5 + training * of_training + group * random.standard_normal(design.groups) + rest * of_rest


def sandwich(values: np.ndarray, design: Design) -> tuple[float, float]:
    """statsmodels' two-way clustered variance of the mean, and its variance for independent cells."""
    training = np.arange(design.repeats)[:, None] * len(design.blocks) + design.block_of
    group = np.broadcast_to(np.arange(design.groups), training.shape)
    fit = OLS(values.ravel(), np.ones(values.size)).fit()
    both, *_ = cov_cluster_2groups(fit, training.ravel(), group.ravel(), use_correction=False)
    return both.item(), float(fit.cov_HC0.item())


def anova(values: np.ndarray) -> tuple[float, float, float]:
    """Mean squares of a crossed table, through the sums that textbooks give: trainings, groups, interaction."""
    (t, g), total = values.shape, values.sum() ** 2 / values.size
    of_training, of_group = (values.sum(1) ** 2).sum() / g - total, (values.sum(0) ** 2).sum() / t - total
    rest = (values**2).sum() - total - of_training - of_group
    return of_training / (t - 1), of_group / (g - 1), rest / ((t - 1) * (g - 1))


# ---- the variance that is robust to both


@SHAPES
@pytest.mark.parametrize("seed", range(3))
def test_variance_is_statsmodels_two_way_clustered_one(repeats: int, blocks: tuple[int, ...], seed: int) -> None:
    design = Design(repeats, blocks)
    values = table(design, seed, training=3.0)
    expected, independent = sandwich(values, design)
    assert expected > independent, "the floor must not be met"
    assert twoway.two_way_variance(design.sums_of_squares(values), values.size) == pytest.approx(expected)
    found = twoway.cluster_robust(0.4, values, design)
    assert found == (0.4, pytest.approx(np.sqrt(expected)), min(repeats * len(blocks), sum(blocks)) - 1)


@SHAPES
def test_variance_has_a_floor_where_rows_and_columns_vary_too_little(repeats: int, blocks: tuple[int, ...]) -> None:
    design = Design(repeats, blocks)
    floored = 0
    for seed in range(60):
        values = table(design, seed, training=0.0, group=0.0)
        expected, independent = sandwich(values, design)
        found = twoway.cluster_robust(0.0, values, design).se ** 2
        assert found == pytest.approx(max(expected, 0.75 * independent))
        floored += expected < 0.75 * independent
    assert 5 < floored < 55, "both sides of the maximum must be tried"


def test_floor_of_a_table_without_row_and_column_means() -> None:
    values = np.outer([1, -1, 1, -1], [1, 1, -1, -1]).astype(float)
    found = twoway.cluster_robust(0.1, values, Design(4, (4,)))
    assert found.se**2 == pytest.approx(0.75 * 16 / 16**2), "16 cells of square 1; sums of rows and columns are 0"


def test_variances_of_many_tables_at_once() -> None:
    design = Design(3, (2, 3))
    values = np.stack([[table(design, 2 * i + j) for j in range(2)] for i in range(4)])
    found = twoway.two_way_variance(design.sums_of_squares(values), 15)
    one_by_one = [[twoway.cluster_robust(0, one, design).se ** 2 for one in some] for some in values]
    assert found.shape == (4, 2) and found == pytest.approx(np.array(one_by_one))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 4), st.lists(st.integers(2, 5), min_size=2, max_size=4))
def test_order_of_repeats_and_of_groups_inside_a_block_does_not_matter(
    seed: int, repeats: int, blocks: list[int]
) -> None:
    design = Design(repeats, blocks)
    random = np.random.default_rng(seed)
    values = table(design, seed)
    columns = np.concatenate([start + random.permutation(n) for start, n in zip(design.starts, blocks, strict=True)])
    moved = values[random.permutation(repeats)][:, columns]
    for test in (twoway.cluster_robust, twoway.satterthwaite):
        assert test(0.5, moved, design) == pytest.approx(test(0.5, values, design))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-0.5, 0.5))
def test_swapped_arms_and_another_unit_change_no_p(seed: int, unit: float, null: float) -> None:
    design = Design(2, (3, 4))
    values = table(design, seed)
    value = float(values.mean())
    for test in (twoway.cluster_robust, twoway.satterthwaite):
        found, back = test(value, values, design), test(-unit * value, -unit * values, design)
        assert (back.value, back.se, back.df) == pytest.approx((-unit * value, unit * found.se, found.df))
        assert back.p(-unit * null) == pytest.approx(found.p(null))
        assert back.p_inside(unit) == pytest.approx(found.p_inside(1))
        low, high = found.interval()
        assert back.interval() == pytest.approx((-unit * high, -unit * low))


# ---- variance components


@pytest.mark.parametrize("seed", range(4))
def test_satterthwaite_of_a_crossed_table_is_the_textbook_one(seed: int) -> None:
    """F' of a two-way table with both effects random: mean square of rows + of columns - of interaction."""
    design = Design(6, (9,))
    values = table(design, seed)
    t, g, rest = anova(values)
    assert t > rest and g > rest, "no component below zero"
    df = (t + g - rest) ** 2 / (t**2 / 5 + g**2 / 8 + rest**2 / 40)
    found = twoway.satterthwaite(0.7, values, design)
    assert found == pytest.approx((0.7, np.sqrt((t + g - rest) / 54), df))
    assert found.p() == pytest.approx(2 * stats.t.sf(0.7 / found.se, df))
    assert twoway.components(values, design) == pytest.approx(((t - rest) / 9, (g - rest) / 6, rest))


def test_components_below_zero_count_as_zero() -> None:
    """Rows of one sum: trainings vary less than by chance, and the variance is that of groups and cells."""
    values = table(Design(6, (9,)), 0)
    values -= values.mean(1, keepdims=True)
    t, g, rest = anova(values)
    assert t == pytest.approx(0, abs=1e-12) and g > rest
    design = Design(6, (9,))
    assert twoway.components(values, design) == pytest.approx((0, (g - rest) / 6, rest))
    found = twoway.satterthwaite(0.7, values, design)
    assert found.se**2 == pytest.approx((g - rest) / 6 / 9 + rest / 54)


def test_only_trainings_vary_gives_the_t_test_over_trainings() -> None:
    """Every group the same: groups and cells have no variance, and rows are independent values."""
    values = np.repeat(np.random.default_rng(0).normal(0.4, 1, (7, 1)), 11, axis=1)
    expected = stats.ttest_1samp(values[:, 0], 0.1)
    found = twoway.satterthwaite(float(values.mean()), values, Design(7, (11,)))
    assert found.p(0.1) == pytest.approx(expected.pvalue)
    assert found.df == pytest.approx(6)
    assert found.interval(0.9) == pytest.approx(tuple(expected.confidence_interval(0.9)))
    robust = twoway.cluster_robust(float(values.mean()), values, Design(7, (11,)))
    assert robust.df == 6 and robust.se == pytest.approx(found.se * np.sqrt(6 / 7 * 10 / 11)), "not corrected for size"


def test_with_one_repeat_the_component_of_groups_is_not_known() -> None:
    design = Design(1, (3, 4, 6))
    values = table(design, 1, training=3.0)
    found = twoway.components(values, design)
    assert np.isnan(found.group) and found.training > 0 and found.rest > 0
    estimate = twoway.satterthwaite(0.2, values, design)
    assert estimate.se**2 == pytest.approx(design.of_mean() @ [found.training, 0, found.rest])
    assert 1 <= estimate.df <= 2 and 0 < estimate.p() < 1


def test_degrees_of_freedom_are_never_below_one() -> None:
    """Two trainings that differ much and groups that do not."""
    found = [
        twoway.satterthwaite(0.1, table(Design(2, (3,)), seed, group=0.0), Design(2, (3,))).df for seed in range(50)
    ]
    assert min(found) >= 1 and max(found) > 1


# ---- estimates


def sample(seed: int, n: int = 12) -> tuple[np.ndarray, Estimate]:
    values = np.random.default_rng(seed).normal(0.3, 1, n)
    return values, Estimate(float(values.mean()), float(stats.sem(values)), n - 1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("null", [0.0, -0.2, 1.5])
def test_p_and_interval_are_scipys_t_test(seed: int, null: float) -> None:
    values, found = sample(seed)
    expected = stats.ttest_1samp(values, null)
    assert found.p(null) == pytest.approx(expected.pvalue)
    for level in (0.8, 0.95):
        assert found.interval(level) == pytest.approx(tuple(expected.confidence_interval(level)))
    low, high = found.interval(0.9)
    assert found.p(low) == pytest.approx(0.1) and found.p(high) == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("margin", [0.05, 0.6, 1.5])
def test_p_inside_is_statsmodels_two_one_sided_tests(seed: int, margin: float) -> None:
    values, found = sample(seed)
    expected, *_ = DescrStatsW(values).ttost_mean(-margin, margin)
    assert found.p_inside(margin) == pytest.approx(expected)
    low, high = found.interval(0.9)
    assert (found.p_inside(margin) < 0.05) == (-margin < low and high < margin), "the 90 % interval is inside"


def test_without_spread_there_is_no_evidence_but_for_arms_that_are_alike() -> None:
    """A constant table keeps a spread of rounding, which must not pass for precision."""
    design = Design(3, (4, 5))
    alike = twoway.cluster_robust(0.0, np.zeros((3, 9)), design)
    assert (alike.se, alike.p(), alike.p_inside(0.005), alike.interval()) == (0, 1.0, 0.0, (0.0, 0.0))
    values = np.full((3, 9), 0.1) + np.random.default_rng(0).uniform(-1e-16, 1e-16, (3, 9))
    assert len(np.unique(values)) > 1
    for test in (twoway.cluster_robust, twoway.satterthwaite):
        found = test(0.1, values, design)
        assert not found.spread and found.p() == 1.0 and found.p_inside(0.2) == 1.0
    assert Estimate(0.1, 1e-9, 5).spread and Estimate(0.1, 1e-9, 5).p() < 1e-6


@pytest.mark.parametrize(("trainings", "groups", "most"), [(6, 6, 9.5), (10, 16, 7.8)])
@pytest.mark.parametrize("spreads", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_normal_effects_are_claimed_to_be_a_gain_about_as_often_as_the_level(
    trainings: int, groups: int, most: float, spreads: tuple[float, float]
) -> None:
    """The worst case of docs/statistics.md: the fewest of both, where only trainings or only groups matter."""
    random, number = np.random.default_rng(1), 8000
    values = random.standard_normal((number, trainings, groups))
    values += spreads[0] * random.standard_normal((number, trainings, 1))
    values += spreads[1] * random.standard_normal((number, 1, groups))
    sums = Design(trainings, [groups]).sums_of_squares(values)
    t = values.mean((1, 2)) / np.sqrt(twoway.two_way_variance(sums, trainings * groups))
    rate = 100 * float((2 * stats.t.sf(abs(t), min(trainings, groups) - 1) <= 0.05).mean())
    assert 1.5 <= rate <= most


@pytest.mark.parametrize("test", [twoway.cluster_robust, twoway.satterthwaite, lambda v, t, d: twoway.components(t, d)])
def test_tables_that_do_not_fit_are_refused(test) -> None:
    design = Design(2, (3, 4))
    with pytest.raises(ValueError, match="the design is"):
        test(0.0, np.zeros((7, 2)), design)
    with pytest.raises(ValueError, match="NaN"):
        test(0.0, np.full((2, 7), np.nan), design)


def test_a_value_without_spread_has_no_interval() -> None:
    assert all(math.isnan(end) for end in Estimate(0.02, 0.0, 9).interval()), "a width of zero would look certain"
