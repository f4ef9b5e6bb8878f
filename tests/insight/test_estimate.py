import numpy as np
import pytest

from benchmark.insight.estimate import Counts, by_group, macro_sum, ratio, ratios
from benchmark.stats.design import Design
from benchmark.stats.generator import MILD, simulate, tallies
from benchmark.stats.verdict import contrast


def rates(seed: int, rate: float, groups: int = 20, repeats: int = 2, each: int = 40) -> Counts:
    random = np.random.default_rng(seed)
    return Counts(random.binomial(each, rate, (repeats, groups)).astype(float), np.full((repeats, groups), float(each)))


def test_the_difference_of_two_arms_is_what_the_verdict_says() -> None:
    blocks = (4,) * 5
    found = tallies(simulate(np.random.default_rng(0), 2, blocks, MILD, 0.5), 20)
    own = macro_sum([(1, found[0]), (-1, found[1])], blocks, resamples=999)
    known = contrast(*found, Design(2, blocks), resamples=999)
    assert (own.value, own.low, own.high, own.p) == pytest.approx((known.gain, known.low, known.high, known.p))
    assert own.basis == "trainings and groups"


def test_of_few_trainings_the_interval_is_of_groups_and_there_is_no_p() -> None:
    found = tallies(simulate(np.random.default_rng(0), 1, (4,) * 5, MILD, 0.5), 20)
    own = macro_sum([(1, found[0]), (-1, found[1])], (4,) * 5)
    assert own.basis == "groups" and own.p is None and own.low is not None and own.low < own.value < (own.high or 0)
    few = tallies(simulate(np.random.default_rng(0), 1, (3,), MILD), 3)
    assert macro_sum([(1, few[0])], (3,)).basis == "none"


def test_arms_of_other_images_are_refused() -> None:
    one = tallies(simulate(np.random.default_rng(0), 2, (4,) * 5, MILD), 20)[0]
    other = tallies(simulate(np.random.default_rng(9), 2, (4,) * 5, MILD), 20)[0]
    with pytest.raises(ValueError, match="arms are not paired"):
        macro_sum([(1, one), (-1, other)], (4,) * 5)


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_ratio_and_a_difference_of_ratios_hold_the_truth(repeats: int) -> None:
    hits = apart = 0
    for seed in range(60):
        one = ratio(rates(seed, 0.1, repeats=repeats), (4,) * 5)
        two = ratios([(1, rates(seed, 0.1, repeats=repeats)), (-1, rates(seed + 999, 0.25, repeats=repeats))], (4,) * 5)
        assert one and two and one.low is not None and one.high is not None and two.high is not None
        hits += one.low <= 0.1 <= one.high
        apart += two.high < 0
    assert hits >= 52 and apart >= 58


def test_a_ratio_of_nothing_is_none_and_a_group_that_alone_counts_has_no_interval_of_nan() -> None:
    empty = Counts(np.zeros((2, 20)), np.zeros((2, 20)))
    assert ratio(empty, (4,) * 5) is None
    alone = Counts(np.zeros((2, 20)), np.zeros((2, 20)))
    alone.under[:, 3], alone.over[:, 3] = 4, 1
    found = ratio(alone, (4,) * 5)
    assert found is not None and found.value == 0.25 and (found.low is None or np.isfinite(found.low))


def test_sums_by_group() -> None:
    assert by_group(np.array([[True, True, False], [False, True, True]]), np.array([0, 2, 2]), 3).tolist() == [
        [1, 0, 1],
        [0, 0, 2],
    ]


@pytest.mark.parametrize("repeats", [1, 2])
def test_where_nothing_is_counted_there_is_no_interval_of_no_width(repeats: int) -> None:
    found = ratio(Counts(np.zeros((repeats, 20)), np.ones((repeats, 20))), (4,) * 5)
    assert found is not None and (found.value, found.low, found.high, found.basis) == (0.0, None, None, "none")
