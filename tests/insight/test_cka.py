import numpy as np
import pytest

from benchmark.insight.cka import ClassMeans, aligned, by_chance, linear_cka


def test_turning_scaling_and_shifting_change_nothing() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(24, 10))
    turn = np.linalg.qr(random.normal(size=(10, 10)))[0]
    assert linear_cka(x, 3 * x @ turn + 7) == pytest.approx(1)


def test_it_is_the_squared_correlation_for_one_feature() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 24))
    assert linear_cka(x[:, None], y[:, None]) == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


def test_class_means_follow_the_weights_and_say_which_classes_are_there() -> None:
    random = np.random.default_rng(0)
    labels, groups, features = random.integers(0, 5, 200), random.integers(0, 6, 200), random.normal(size=(200, 3))
    labels[groups == 2], labels[(groups != 2) & (labels == 4)] = 4, 3
    weights = np.array([0, 2, 0, 1, 1, 2])
    means, there = ClassMeans(features, labels, groups, 5)(weights)
    assert there.tolist() == [True, True, True, True, False]
    chosen = labels == 1
    assert means[1] == pytest.approx(np.average(features[chosen], axis=0, weights=weights[groups[chosen]]), rel=1e-4)
    both = ClassMeans(features, labels, groups, 5)
    assert aligned(both, both, weights[None], weights[None])[0] == pytest.approx(1)
    only = ClassMeans(features, np.minimum(labels, 1), groups, 5)
    assert np.isnan(aligned(only, only, weights[None], weights[None])[0]), "two classes are no alignment"


def test_shuffled_classes_show_how_high_it_is_by_chance() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(24, 500))
    chance = by_chance(x, x, 50, random)
    assert 0.2 < chance.mean() < 1 and chance.max() < linear_cka(x, x)
