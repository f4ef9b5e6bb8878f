import numpy as np
import pytest

from benchmark.insight.errors.conditions import binned, by_cell, regression, trend, within_class

BLOCKS = (6,) * 5


def data(seed: int, slope: float, each: int = 46, repeats: int = 2) -> tuple[np.ndarray, ...]:
    """Errors whose logit rises with a measurement's deviation from its class's mean; groups differ in difficulty."""
    random = np.random.default_rng(seed)
    column = np.repeat(np.arange(30), each)
    truth = np.tile(np.arange(each) % 23, 30)
    deviation = random.normal(0, 1, len(column))
    chance = 1 / (1 + np.exp(2.0 - slope * deviation - random.normal(0, 0.5, 30)[column]))
    wrong = random.random((repeats, len(column))) < chance
    return wrong, 40.0 - truth + 0.3 * deviation, truth, column


def test_ranks_are_within_the_class_and_keep_what_is_not_known() -> None:
    values, truth = np.array([5.0, 1.0, 100.0, 300.0, np.nan, 3.0]), np.array([0, 0, 1, 1, 1, 0])
    found = within_class(values, truth)
    assert found[[0, 1, 2, 3, 5]] == pytest.approx([5 / 6, 1 / 6, 0.25, 0.75, 0.5]) and np.isnan(found[4])


def test_a_planted_trend_is_found_and_its_sign_is_right() -> None:
    wrong, values, truth, column = data(0, slope=1.0)
    ranks = within_class(values, truth)
    found = trend(wrong, ranks, column, BLOCKS)
    assert (
        found is not None and found.low is not None and found.low > 0.5 and found.value == pytest.approx(0.72, abs=0.06)
    )
    rates = [one.value for one in binned(wrong, ranks, column, BLOCKS) if one is not None]
    assert len(rates) == 5 and rates == sorted(rates) and rates[-1] > 3 * rates[0]
    down = trend(wrong, -ranks, column, BLOCKS)
    assert down is not None and down.value == pytest.approx(1 - found.value)


def test_the_trend_is_the_area_under_the_curve() -> None:
    from sklearn.metrics import roc_auc_score

    wrong, values, truth, column = data(3, slope=0.5, repeats=1)
    ranks = within_class(values.round(1), truth)  # with ties
    found = trend(wrong, ranks, column, BLOCKS)
    assert found is not None and found.value == pytest.approx(roc_auc_score(wrong[0], ranks))


def test_without_a_trend_the_interval_holds_a_half() -> None:
    held = 0
    for seed in range(20):
        wrong, values, truth, column = data(seed, slope=0.0)
        found = trend(wrong, within_class(values, truth), column, BLOCKS)
        assert found is not None and found.low is not None and found.high is not None
        held += found.low <= 0.5 <= found.high
    assert held >= 17


def test_the_regression_gives_the_planted_odds_and_tells_two_measurements_apart() -> None:
    wrong, values, truth, column = data(1, slope=0.8, each=92)
    other = values + np.random.default_rng(9).normal(
        0, 0.3, len(values)
    )  # goes with the first, and explains nothing more
    found = regression(wrong, {"length": values, "bend": other}, truth, column)
    assert found is not None
    assert found["length"].low < np.exp(0.8) < found["length"].high and found["length"].p < 0.001
    assert found["bend"].low < 1 < found["bend"].high and found["bend"].p > 0.01


def test_with_few_errors_or_nothing_measured_there_are_no_odds() -> None:
    wrong, values, truth, column = data(1, slope=0.8)
    rare = wrong & (np.arange(wrong.shape[1]) < 60)
    assert regression(rare, {"length": values, "bend": values}, truth, column) is None
    assert regression(wrong, {"length": np.full(len(values), np.nan)}, truth, column) is None


def test_errors_that_stand_in_few_cells_are_uneven_and_dealt_ones_are_not() -> None:
    random = np.random.default_rng(0)
    cells = np.repeat(np.arange(40), 46)
    truth = np.tile(np.arange(46) % 23, 40)
    bad = random.random((1, len(cells))) < np.where(cells < 4, 0.5, 0.02)
    found = by_cell(bad, truth, cells, 0)
    assert found is not None and found.p == pytest.approx(1 / 1000) and found.dispersion > 5
    assert found.worst > 0.5 > found.worst_by_chance
    even = by_cell(random.random((1, len(cells))) < 0.07, truth, cells, 0)
    assert even is not None and even.p > 0.01 and even.dispersion == pytest.approx(1, abs=0.5)


def test_unknown_or_few_cells_or_no_error_give_nothing() -> None:
    truth = np.zeros(100, dtype=np.int64)
    wrong = np.ones((1, 100), dtype=bool)
    assert by_cell(wrong, truth, np.full(100, -1), 0) is None
    assert by_cell(wrong, truth, np.arange(100) % 5, 0) is None
    assert by_cell(~wrong, truth, np.arange(100) % 20, 0) is None
