import numpy as np
import pytest

from benchmark.stats import bootstrap, metrics


def arm(seed: int, skill: float, trainings: int = 2, groups: int = 20, per_group: int = 46) -> np.ndarray:
    """Confusion matrices of `trainings` classifiers on the same images."""
    truth = np.random.default_rng(99).integers(0, 24, groups * per_group)
    group = np.repeat(np.arange(groups), per_group)
    found = []
    for training in range(trainings):
        random = np.random.default_rng([seed, training])
        predicted = np.where(random.random(len(truth)) < skill, truth, random.integers(0, 24, len(truth)))
        found.append(metrics.confusion_by_group(truth, predicted, group, groups, 24))
    return np.stack(found)


def test_value_is_the_pooled_macro_f1_averaged_over_trainings() -> None:
    matrices = arm(0, 0.8)
    expected = np.mean([metrics.macro_f1(one.sum(0)) for one in matrices])
    assert bootstrap.score_interval(matrices).value == pytest.approx(expected)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """True macro-F1 of many images, against intervals from 30 groups each."""
    truth = metrics.macro_f1(arm(0, 0.8, trainings=1, groups=2000)[0].sum(0))
    hits = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        labels = random.integers(0, 24, 30 * 46)
        predicted = np.where(random.random(len(labels)) < 0.8, labels, random.integers(0, 24, len(labels)))
        matrices = metrics.confusion_by_group(labels, predicted, np.repeat(np.arange(30), 46), 30, 24)[None]
        found = bootstrap.score_interval(matrices, resamples=300)
        hits += found.low <= truth <= found.high
    assert 85 <= hits <= 100


def test_gain_swaps_sign_with_its_arms() -> None:
    first, second = arm(0, 0.9), arm(1, 0.8)
    there, back = bootstrap.gain_interval(first, second), bootstrap.gain_interval(second, first)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high) and there.low > 0


def test_order_of_groups_does_not_change_the_value() -> None:
    first, second = arm(0, 0.9), arm(1, 0.8)
    order = np.random.default_rng(0).permutation(first.shape[1])
    found = bootstrap.gain_interval(first[:, order], second[:, order])
    assert found.value == pytest.approx(bootstrap.gain_interval(first, second).value)


def test_arms_of_different_images_are_refused() -> None:
    first = arm(0, 0.9)
    with pytest.raises(ValueError, match="different images"):
        bootstrap.gain_interval(first, first[:, ::-1])
    with pytest.raises(ValueError, match="not paired"):
        bootstrap.gain_interval(first, first[:, :-1])


def test_too_few_groups_give_no_interval() -> None:
    found = bootstrap.score_interval(arm(0, 0.9, groups=3))
    assert np.isnan(found.low) and np.isnan(found.high) and 0 < found.value < 1
