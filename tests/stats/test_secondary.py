import numpy as np
import pytest
from deepsig import aso
from deepsig.aso import compute_violation_ratio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.datasets import make_moons
from sklearn.metrics import f1_score
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC
from statsmodels.regression.linear_model import OLS
from statsmodels.stats import contingency_tables
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from benchmark.stats import generator, pseudo
from benchmark.stats.design import Design
from benchmark.stats.pseudo import Tally
from benchmark.stats.secondary import (
    PerClass,
    almost_stochastic_order,
    mcnemar,
    nadeau_bengio,
    per_class,
    violation_ratio,
)
from benchmark.stats.twoway import FLOOR

# ---- McNemar


def pairs(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = [both, only_first, only_second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_mcnemar_of_the_sputum_specimens() -> None:
    """Two culture media, Armitage & Berry 1994, p. 127: exact two-sided p = 0.0129."""
    found = mcnemar(*pairs(20, 12, 2, 16))
    assert found[:2] == (12, 2) and found.p == pytest.approx(0.0129, abs=5e-5)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 9), st.integers(1, 9))
def test_mcnemar_is_statsmodels(only_first: int, only_second: int, both: int, neither: int) -> None:
    found = mcnemar(*pairs(both, only_first, only_second, neither))
    table = [[both, only_first], [only_second, neither]]
    assert found.p == pytest.approx(contingency_tables.mcnemar(table, exact=True).pvalue)
    assert mcnemar(*pairs(both, only_second, only_first, neither)) == (only_second, only_first, pytest.approx(found.p))


def test_mcnemar_without_a_discordant_image_finds_nothing() -> None:
    assert mcnemar(*pairs(3, 0, 0, 2)) == (0, 0, 1.0)


@pytest.mark.parametrize(
    ("first", "second"),
    [([1, 0], [1, 1]), ([True], [True, False]), ([[True]], [[True]]), (np.zeros(0, bool), np.zeros(0, bool))],
)
def test_mcnemar_refuses_what_is_not_paired_truth_values(first, second) -> None:
    with pytest.raises(ValueError, match="allowed"):
        mcnemar(first, second)


# ---- almost stochastic order


def samples(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(0.90 + 0.03 * random.random(), 0.03, n), random.normal(0.9, 0.02 + 0.02 * random.random(), n)


@pytest.mark.parametrize(("mean", "sd"), [(0.3, 2.0), (-0.2, 1.5), (0.5, 0.5), (0.0, 3.0)])
def test_violation_ratio_of_normal_distributions(mean: float, sd: float) -> None:
    """Closed form for N(0, 1) against N(mean, sd): the gap of quantiles is mean + (sd - 1) z, z normal."""
    slope = sd - 1
    ratio = mean / abs(slope)
    density = mean * abs(slope) * stats.norm.pdf(ratio) / (mean**2 + slope**2)
    z = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    assert violation_ratio(z, mean + sd * z) == pytest.approx(stats.norm.cdf(ratio) + density, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_violation_ratio_is_deepsigs_on_a_fine_grid(seed: int) -> None:
    first, second = samples(seed, 40)
    expected = compute_violation_ratio(first, second, dt=1e-4)
    assert 0.001 < expected < 0.999
    assert violation_ratio(first, second) == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize(("seed", "n", "level"), [(0, 20, 0.9), (2, 60, 0.99), (6, 119, 0.95)])
def test_order_is_the_ratio_plus_scipys_bootstrap_error(seed: int, n: int, level: float) -> None:
    first, second = samples(seed, n)

    def ratio(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        ahead = np.sort(other, axis) - np.sort(one, axis)
        return (np.maximum(ahead, 0) ** 2).sum(axis) / (ahead**2).sum(axis)

    spread = stats.bootstrap((first, second), ratio, n_resamples=20_000, method="basic", rng=1).standard_error
    found = almost_stochastic_order(first, second, level=level, resamples=20_000)
    assert found == pytest.approx(ratio(first, second, 0) + stats.norm.ppf(level) * spread, abs=0.006)


@pytest.mark.parametrize(("seed", "n"), [(0, 20), (2, 60), (6, 119)])
def test_order_is_deepsigs(seed: int, n: int) -> None:
    """Within the noise of its 200 bootstrap samples and what its grid of 0.005 leaves out of the tails."""
    first, second = samples(seed, n)
    expected = aso(first, second, num_bootstrap_iterations=200, show_progress=False, seed=1)
    assert 0.15 < expected < 0.85
    assert almost_stochastic_order(first, second, resamples=10_000) == pytest.approx(expected, abs=0.07)


scores = st.lists(st.integers(0, 100), min_size=4, max_size=20).map(lambda drawn: np.array(drawn) / 128)


@settings(deadline=None)
@given(scores, st.integers(0, 100))
def test_the_two_directions_share_what_there_is_to_violate(first: np.ndarray, seed: int) -> None:
    second = np.random.default_rng(seed).integers(0, 100, len(first)) / 128
    assert violation_ratio(first, second) + violation_ratio(second, first) == pytest.approx(1)
    found = almost_stochastic_order(first, second, resamples=50, seed=seed)
    assert 0 <= violation_ratio(first, second) <= found <= 1
    assert found == pytest.approx(almost_stochastic_order(4 * first + 1, 4 * second + 1, resamples=50, seed=seed))
    assert found == almost_stochastic_order(first[::-1], np.sort(second), resamples=50, seed=seed)


def test_an_arm_that_is_better_in_every_group_dominates() -> None:
    low, high = np.linspace(0.1, 0.4, 10), np.linspace(0.6, 0.9, 10)
    assert almost_stochastic_order(high, low) == 0
    assert almost_stochastic_order(low, high) == 1


def test_equal_arms_do_not_dominate() -> None:
    assert almost_stochastic_order(np.linspace(0, 1, 30), np.linspace(0, 1, 30)) > 0.5
    assert almost_stochastic_order(np.ones(30), np.ones(30)) == 0.5


def test_equal_arms_often_fall_below_a_half_but_not_below_a_fifth() -> None:
    """What the docstring warns of; the bounds are 99.9 % limits of 18 % and 2.5 % in 200 samples."""
    random = np.random.default_rng(0)
    drawn = (random.normal(0.9, 0.03, (2, 60)) for _ in range(200))
    found = np.array([almost_stochastic_order(*pair, resamples=200) for pair in drawn])
    assert 19 <= (found < 0.5).sum() <= 54
    assert (found < 0.2).sum() <= 13


@pytest.mark.parametrize(
    ("first", "second", "options"),
    [
        ([0.1, 0.2, 0.3, np.nan], [0.1, 0.2, 0.3, 0.4], {}),
        ([0.1, 0.2, 0.3, np.inf], [0.1, 0.2, 0.3, 0.4], {}),
        ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], {}),
        ([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4, 0.5], {}),
        (np.ones((2, 4)), np.ones((2, 4)), {}),
        (np.ones(4), np.zeros(4), {"level": 1.0}),
        (np.ones(4), np.zeros(4), {"resamples": 1}),
    ],
)
def test_order_refuses_bad_input(first, second, options) -> None:
    with pytest.raises(ValueError, match=r"allowed|NaN"):
        almost_stochastic_order(first, second, **options)


# ---- Nadeau-Bengio


def compute_corrected_ttest(differences, df, n_train, n_test):
    """As in scikit-learn's example "Statistical comparison of models using grid search": right-tailed."""
    mean = np.mean(differences)
    std = np.sqrt(np.var(differences, ddof=1) * (1 / len(differences) + n_test / n_train))
    t_stat = mean / std
    return t_stat, stats.t.sf(np.abs(t_stat), df)


def test_nadeau_bengio_of_scikit_learns_example() -> None:
    """Published there: corrected t 0.750, right-tailed p 0.227; uncorrected 2.611."""
    points, labels = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (
        cross_val_score(SVC(kernel=kernel, random_state=0), points, labels, cv=folds, scoring="roc_auc")
        for kernel in ("rbf", "linear")
    )
    found = nadeau_bengio(rbf - linear, 10 / 90)
    assert (round(found.t, 3), found.df, round(found.p / 2, 3)) == (0.750, 99, 0.227)
    assert nadeau_bengio(rbf - linear, 0).t == pytest.approx(2.611, abs=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_nadeau_bengio_is_scikit_learns_function(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.01, 0.02, 20)
    t, p = compute_corrected_ttest(differences, 19, 95, 24)
    assert nadeau_bengio(differences, 24 / 95) == (pytest.approx(t), 19, pytest.approx(2 * p))


def test_nadeau_bengio_without_overlap_is_the_plain_t_test() -> None:
    differences = np.random.default_rng(0).normal(0.01, 0.02, 12)
    expected = stats.ttest_1samp(differences, 0)
    assert nadeau_bengio(differences, 0) == (pytest.approx(expected.statistic), 11, pytest.approx(expected.pvalue))


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3])
def test_differences_without_spread_are_no_evidence(value: float) -> None:
    assert nadeau_bengio(np.full(7, value), 0.25) == (0.0, 6, 1.0)


@pytest.mark.parametrize(
    ("differences", "ratio"),
    [([0.1], 0.25), ([0.1, np.nan], 0.25), ([[0.1, 0.2]], 0.25), ([0.1, 0.2], -0.1), ([0.1, 0.2], np.nan)],
)
def test_nadeau_bengio_refuses_bad_input(differences, ratio: float) -> None:
    with pytest.raises(ValueError, match=r"allowed|NaN"):
        nadeau_bengio(differences, ratio)


# ---- gain by class

DESIGNS = pytest.mark.parametrize(("repeats", "blocks"), [(5, (8,)), (9, (6,)), (2, (5, 4, 6))])


def experiment(repeats: int, blocks: tuple[int, ...], seed: int = 0) -> generator.Experiment:
    return generator.simulate(np.random.default_rng(seed), repeats, blocks, generator.STRONG, gain=0.5)


def arms(repeats: int, blocks: tuple[int, ...], seed: int = 0) -> tuple[Tally, Tally, Design]:
    return *generator.tallies(experiment(repeats, blocks, seed), sum(blocks)), Design(repeats, blocks)


def of(found: list[PerClass], name: str) -> np.ndarray:
    return np.array([getattr(one, name) for one in found])


def f1_gain(drawn: generator.Experiment, row: int, groups: np.ndarray) -> np.ndarray:
    kept = np.isin(drawn.group, groups)
    first, second = (
        f1_score(drawn.truth[kept], one[row, kept], labels=range(24), average=None, zero_division=0)
        for one in (drawn.arm, drawn.baseline)
    )
    return first - second


@DESIGNS
def test_gains_are_scikit_learns_and_errors_are_statsmodels(repeats: int, blocks: tuple[int, ...]) -> None:
    """Gains, pseudo-values and the two-way variance, all from predictions and without our code."""
    drawn = experiment(repeats, blocks)
    groups = np.arange(sum(blocks))
    whole = np.stack([f1_gain(drawn, row, groups) for row in range(repeats)])
    without = np.stack([[f1_gain(drawn, row, np.delete(groups, g)) for g in groups] for row in range(repeats)])
    table = len(groups) * whole[:, None] - (len(groups) - 1) * without
    training = np.arange(repeats)[:, None] * len(blocks) + np.repeat(np.arange(len(blocks)), blocks)
    group = np.broadcast_to(groups, training.shape)
    df = min(repeats * len(blocks), len(groups)) - 1

    found = per_class(*arms(repeats, blocks), level=0.9)
    assert (of(found, "index") == np.arange(24)).all()
    floored = 0
    for one, values in zip(found, np.moveaxis(table, -1, 0), strict=True):
        fit = OLS(values.ravel(), np.ones(values.size)).fit()
        both, *_ = cov_cluster_2groups(fit, training.ravel(), group.ravel(), use_correction=False)
        cells = FLOOR * ((values - values.mean()) ** 2).sum() / values.size**2
        floored += both.item() < cells
        error = np.sqrt(max(both.item(), cells))
        half = stats.t.ppf(0.95, df) * error
        gain = whole[:, one.index].mean()
        assert (one.gain, one.low, one.high) == pytest.approx((gain, gain - half, gain + half))
        assert one.p == pytest.approx(2 * stats.t.sf(abs(gain) / error, df))
    assert 0 < floored < 24, "both sides of the variance's maximum must be tried"
    assert of(found, "p_adjusted") == pytest.approx(multipletests(of(found, "p"), method="fdr_bh")[1])


@DESIGNS
def test_mean_of_the_gains_is_the_gain_in_macro_f1(repeats: int, blocks: tuple[int, ...]) -> None:
    first, second, design = arms(repeats, blocks)
    expected = (pseudo.macro(first) - pseudo.macro(second)).mean()
    assert of(per_class(first, second, design), "gain").mean() == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 30))
def test_swapped_arms_turn_signs_and_intervals(seed: int) -> None:
    first, second, design = arms(2, (4, 3), seed)
    there, back = per_class(first, second, design), per_class(second, first, design)
    assert of(there, "gain") == pytest.approx(-of(back, "gain"))
    assert of(there, "low") == pytest.approx(-of(back, "high"))
    assert of(there, "p") == pytest.approx(of(back, "p"))


def test_order_of_groups_inside_a_block_does_not_matter() -> None:
    first, second, design = arms(2, (5, 4, 6))
    random = np.random.default_rng(3)
    order = np.concatenate([start + random.permutation(size) for start, size in zip((0, 5, 9), (5, 4, 6), strict=True)])
    moved = per_class(*(Tally(*(part[:, order] for part in arm)) for arm in (first, second)), design)
    across = per_class(*(Tally(*(np.roll(part, 3, 1) for part in arm)) for arm in (first, second)), design)
    found = per_class(first, second, design)
    for name in ("gain", "low", "high", "p", "p_adjusted"):
        assert of(moved, name) == pytest.approx(of(found, name))
    assert of(across, "low") != pytest.approx(of(found, "low"))


def small(*rows: list[list[list[int]]]) -> Tally:
    """One tally of confusion matrices, given by row and group."""
    return pseudo.tally(np.array(rows))


RIGHT = [[2, 0, 0], [0, 2, 0], [0, 0, 0]]
WRONG = [[2, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_a_class_that_nobody_gains_in_has_p_1_and_no_width() -> None:
    first, second = small([RIGHT, RIGHT, RIGHT], [RIGHT, WRONG, RIGHT]), small([RIGHT] * 3, [RIGHT, WRONG, RIGHT])
    same = per_class(first, second, Design(2, (3,)))
    assert same == [PerClass(0, 0.0, 0.0, 0.0, 1.0, 1.0), PerClass(1, 0.0, 0.0, 0.0, 1.0, 1.0)]


def test_a_class_without_true_images_is_left_out() -> None:
    found = per_class(small([RIGHT, WRONG], [RIGHT, RIGHT]), small([WRONG] * 2, [WRONG] * 2), Design(2, (2,)))
    assert [one.index for one in found] == [0, 1]


def test_a_gain_without_spread_is_no_evidence() -> None:
    found = per_class(small([RIGHT] * 3, [RIGHT] * 3), small([WRONG] * 3, [WRONG] * 3), Design(2, (3,)))
    assert found[1].gain == pytest.approx(1 / 3)
    assert (found[1].low, found[1].high, found[1].p) == (-1.0, 1.0, 1.0)


def test_a_class_of_one_group_says_nothing_of_another_group() -> None:
    rare, missed = [[2, 0, 0], [0, 2, 0], [0, 0, 1]], [[2, 0, 0], [0, 2, 0], [0, 1, 0]]
    first = small([RIGHT, rare, RIGHT], [RIGHT, rare, RIGHT], [RIGHT, missed, RIGHT])
    second = small(*[[RIGHT, missed, RIGHT]] * 3)
    found = per_class(first, second, Design(3, (3,)))[2]
    assert found.gain == pytest.approx(2 / 3) and (found.low, found.high, found.p) == (-1.0, 1.0, 1.0)


def test_gains_by_class_refuse_bad_input() -> None:
    first, second, design = arms(2, (4, 3))
    with pytest.raises(ValueError, match="not paired"):
        per_class(first, Tally(*(part[:, ::-1] for part in second)), design)
    with pytest.raises(ValueError, match="the design is"):
        per_class(first, second, Design(2, (4, 4)))
    with pytest.raises(ValueError, match="NaN"):
        per_class(first._replace(hits=np.full_like(first.hits, np.nan)), second, design)
    with pytest.raises(ValueError, match="level"):
        per_class(first, second, design, level=95)
    with pytest.raises(ValueError, match="no images"):
        per_class(*(Tally(*(np.zeros_like(part) for part in first)),) * 2, design)
    partly = small([RIGHT] * 2, [[[2, 0, 0], [0, 0, 0], [0, 0, 0]]] * 2)
    with pytest.raises(ValueError, match="class 1 has true images in some repeats only"):
        per_class(partly, partly, Design(2, (2,)))
