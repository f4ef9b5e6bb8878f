import numpy as np
import pytest

from benchmark.insight.errors.labels import DENVER, plant, suspects
from benchmark.stats.metrics import softmax


def chances(truth: np.ndarray, seed: int = 0, sure: float = 4.0, noise: float = 1.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return softmax(np.eye(24)[truth] * sure + random.normal(0, noise, (len(truth), 24)))


def test_the_rule_by_hand() -> None:
    """Thresholds: mean of p[:, 0] over labels 0 is 0.65, of p[:, 1] over labels 1 is 0.55."""
    found = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.4, 0.6]])
    told = suspects(np.array([0, 0, 1, 1]), found)
    assert told.suspected.tolist() == [False, True, False, False], "the third reaches no threshold"
    assert told.instead.tolist() == [0, 1, 1, 1]
    assert told.margin == pytest.approx([0.8, -0.2, 0.0, 0.2])


def test_an_image_that_only_its_own_class_claims_is_not_suspected_although_another_is_more_probable() -> None:
    """Class 1 is always said loudly, so that 0.5 of it is little: per-class thresholds are the point of the rule."""
    found = np.array([[0.45, 0.55], [0.5, 0.5], [0.05, 0.95], [0.1, 0.9]])
    assert not suspects(np.array([0, 0, 1, 1]), found).suspected.any()


@pytest.mark.parametrize("alike", [False, True])
def test_planted_errors_are_found(alike: bool) -> None:
    truth = np.tile(np.arange(24), 40)
    given, changed = plant(truth, 0.05, alike, np.random.default_rng(1))
    found = suspects(given, chances(truth, sure=9.0)).suspected
    assert (
        changed.sum() == 48 and (given[changed] != truth[changed]).all() and (given[~changed] == truth[~changed]).all()
    )
    assert (found & changed).sum() / changed.sum() > 0.8 and (found & changed).sum() / found.sum() > 0.6


def test_alike_stays_in_the_group_of_like_size() -> None:
    truth = np.tile(np.arange(24), 20)
    given, changed = plant(truth, 0.5, True, np.random.default_rng(0))
    home = {one: number for number, group in enumerate(DENVER) for one in group}
    assert all(home[a] == home[b] for a, b in zip(truth[changed], given[changed], strict=True))
    assert sorted(one for group in DENVER for one in group) == list(range(24))


def test_a_class_that_no_image_bears_is_never_suggested() -> None:
    truth = np.tile(np.arange(23), 10)
    found = suspects(truth, chances(truth, sure=0.5))
    assert (found.instead != 23).all()


def test_planting_is_seeded() -> None:
    truth = np.tile(np.arange(24), 5)
    one, other, third = (plant(truth, 0.1, True, np.random.default_rng(s))[0] for s in (4, 4, 5))
    assert np.array_equal(one, other) and not np.array_equal(one, third)
