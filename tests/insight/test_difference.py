"""The estimate on predictions with a leak of known size and with none, and beside a plain implementation of the same."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark.insight.difference import Side, side, total
from benchmark.stats import bootstrap, pigeonhole
from benchmark.stats.design import Design
from tests.insight.leakage.made import coverage, predictions, sides


def difference(pair: tuple[Side, Side], groups: int, **options: Any) -> Any:
    careful, careless = pair
    return total([(1, careless), (-1, careful)], groups, **options)


def plain(one: Any, trained: np.ndarray | None, drawn: np.ndarray | None) -> float:
    """Macro-F1 of one split under one resample, image by image: mean over repeats, each weighing what it holds."""
    truth, group, fold, said = one
    scores, sizes = [], []
    for repeat, row in enumerate(said):
        times = np.ones(5) if trained is None else trained[repeat]
        cells = np.ones(group.max() + 1) if drawn is None else drawn
        weight = times[fold] * cells[group]
        if not weight.any():
            continue
        held = np.unique(truth[weight > 0])
        scores.append(f1_score(truth, row, labels=held, average="macro", sample_weight=weight, zero_division=0))
        places = {(f, g) for f, g in zip(fold.tolist(), group.tolist(), strict=True)}
        sizes.append(sum(times[f] * cells[g] for f, g in places))
    return float(np.average(scores, weights=sizes))


def test_the_value_is_the_mean_of_macro_f1_over_repeats_of_each() -> None:
    found = predictions(0, 12, (2, 3))
    wanted = [np.mean([f1_score(one[0], row, average="macro") for row in one[3]]) for one in found]
    careful, careless = (side(*one) for one in found)
    assert total([(1, careful)], 12).value == pytest.approx(wanted[0])
    assert total([(1, careless), (-1, careful)], 12).value == pytest.approx(wanted[1] - wanted[0])
    assert (careful.blocks, careful.trainings, careless.trainings) == ((3, 3, 2, 2, 2), 10, 15)
    assert careless.blocks == (12,) * 5 and careless.group.tolist() == list(range(12)) * 5


def test_the_spread_is_that_of_a_plain_implementation() -> None:
    found, resamples = predictions(1, 8, (2, 2)), 60
    drawn = bootstrap.draws(8, resamples, 3)
    weights = drawn.weights[drawn.which]
    trained = [
        pigeonhole.draw(Design(2, side(*one).blocks), resamples, 3 + 1 + k).trainings
        for k, one in enumerate((found[1], found[0]))
    ]
    assert all(one is not None for one in trained)

    def values(trainings: bool, groups: bool) -> np.ndarray:
        return np.array([
            plain(found[1], trained[0][k] if trainings else None, weights[k] if groups else None)
            - plain(found[0], trained[1][k] if trainings else None, weights[k] if groups else None)
            for k in range(resamples)
        ])  # fmt: skip

    both = np.var(values(True, True))
    wanted = np.sqrt(max(2 * (np.var(values(True, False)) + np.var(values(False, True))) - both, both / 3))
    got = difference((side(*found[0]), side(*found[1])), 8, resamples=resamples, seed=3)
    assert got.basis == "trainings and groups"
    assert (got.high - got.low) / 2 == pytest.approx(2.364624 * wanted, rel=1e-4), "t of 7 degrees of freedom"
    assert (got.high + got.low) / 2 == pytest.approx(got.value)


def test_few_trainings_give_the_percentiles_of_drawn_groups_alone() -> None:
    found = predictions(2, 8, (1, 1))
    drawn = bootstrap.draws(8, 200, 5)
    wanted = [plain(found[1], None, row) - plain(found[0], None, row) for row in drawn.weights[drawn.which]]
    got = difference((side(*found[0]), side(*found[1])), 8, resamples=200, seed=5)
    assert got.basis == "groups" and got.p is None
    assert (got.low, got.high) == pytest.approx(tuple(np.quantile(wanted, [0.025, 0.975])))
    both = difference((side(*found[0]), side(*predictions(2, 8, (1, 3))[1])), 8)
    assert both.basis == "groups", "the fewer of the two count"


def test_a_planted_leak_is_found_in_its_size() -> None:
    """The truth is what very many cells and trainings give."""
    truth = difference(sides(0, 400, (6, 6), leak=1.0, training=0.3), 400, resamples=50).value
    found = [difference(sides(100 + k, 30, leak=1.0), 30, resamples=200, seed=k) for k in range(20)]
    assert truth > 0.03 and np.mean([one.value for one in found]) == pytest.approx(truth, abs=0.01)
    assert sum(one.low > 0 for one in found) >= 18 and sum(one.low <= truth <= one.high for one in found) >= 17


@pytest.mark.parametrize(("repeats", "training", "groups"), [((2, 2), 0.3, 20), ((2, 3), 0.0, 16), ((1, 1), 0.0, 30)])
def test_without_a_leak_the_interval_holds_nothing_about_as_often_as_it_says(
    repeats: tuple[int, int], training: float, groups: int
) -> None:
    """One repeat speaks of its own trainings only, so that there is no luck of training in that one."""
    held = coverage(groups, repeats, training, 120, 200)
    assert held >= 0.89, f"{held:.3f}: less than one in 300 by chance at 95 %; how narrow it is, the planted leak shows"


def test_images_of_a_cell_are_not_taken_for_independent() -> None:
    """Copies of every image, each in its cell, tell nothing new."""
    found = predictions(4, 12)
    copied = [(np.tile(t, 4), np.tile(g, 4), np.tile(f, 4), np.tile(s, (1, 4))) for t, g, f, s in found]
    one, other = (difference(tuple(side(*s) for s in pair), 12) for pair in (found, copied))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_equal_predictions_and_few_groups_have_no_interval() -> None:
    truth, group, fold, _ = predictions(5, 12)[1]
    right = np.tile(truth, (2, 1))
    same = side(truth, group, fold, right), side(truth, group, group % 5, right)
    assert difference(same, 12)[:3] == (0.0, None, None) and difference(same, 12).basis == "none"
    assert difference(sides(6, 3, (1, 1)), 3).basis == "none"


def test_other_images_are_refused() -> None:
    careful, _ = sides(7, 12)
    _, careless = sides(8, 12)
    with pytest.raises(ValueError, match="do not hold the same images of the same groups"):
        difference((careful, careless), 12)
