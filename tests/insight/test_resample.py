import numpy as np
import pytest

from benchmark.insight.resample import bootstrap, counted, halves, interval, seeds, shuffled


def test_draws_have_one_sum_and_repeat_by_seed_and_name() -> None:
    one, again, other = (bootstrap(9, 50, seeds(0, name)) for name in ("q", "q", "g"))
    assert (one.sum(axis=1) == 9).all() and np.array_equal(one, again) and not np.array_equal(one, other)
    assert (halves(9, 50, seeds(0, "q")).sum(axis=1) == 4).all()


def test_no_draw_of_few_groups_is_one_group_alone() -> None:
    drawn = bootstrap(4, 2000, seeds(0, "q"))
    assert ((drawn > 0).sum(axis=1) >= 2).all() and (drawn.sum(axis=1) == 4).all() and (drawn == 3).any()


def test_shuffling_keeps_what_was_drawn() -> None:
    weights = bootstrap(7, 20, seeds(0, "q"))
    order = shuffled(weights, seeds(1, "q"))
    assert np.array_equal(counted(order, 7), weights)
    assert (counted(order[:, :3], 7) <= weights).all()
    with pytest.raises(ValueError, match="as many groups"):
        shuffled(np.array([[1, 0], [1, 1]]), seeds(0, "q"))


def test_the_interval_moves_the_bias_of_resamples_away() -> None:
    """Resamples scatter 1 about a plain value of 5; the corrected estimate is 3."""
    resampled = np.random.default_rng(0).normal(5, 1, 100_000)
    found = interval(3.0, 5.0, resampled)
    assert (
        found.value == 3 and found.low == pytest.approx(1.04, abs=0.03) and found.high == pytest.approx(4.96, abs=0.03)
    )
