from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm

from benchmark.insight.frechet import Frechet, distance, extrapolate
from benchmark.insight.resample import bootstrap, seeds


def ones(groups: int) -> np.ndarray:
    return np.ones((1, groups), dtype=np.int64)


def test_the_formula_agrees_with_the_matrix_root_of_scipy() -> None:
    random = np.random.default_rng(0)
    means = random.normal(size=(2, 3, 6))
    roots = random.normal(size=(2, 3, 6, 6))
    covariances = roots @ np.swapaxes(roots, -1, -2)
    found = distance(means[0], covariances[0], means[1], covariances[1])
    for i in range(3):
        a, b = covariances[:, i]
        wanted = ((means[0, i] - means[1, i]) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
        assert found[i] == pytest.approx(wanted, rel=1e-6)


def test_of_gaussians_with_diagonal_covariance_it_is_known() -> None:
    """|a - b|² + Σ (s - t)²; a covariance that lacks a rank is no trouble."""
    a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 0.0, 0.0]])
    s, t = np.array([1.0, 2.0, 0.0]), np.array([3.0, 2.0, 0.5])
    assert distance(a, np.diag(s**2)[None], b, np.diag(t**2)[None])[0] == pytest.approx(13 + 4.25)


def test_the_line_is_read_off_at_infinite_size() -> None:
    inverse = np.array([1.0, 2.0, 4.0])
    values = np.stack([3 + 2 * inverse, 1 - inverse], axis=1)
    assert extrapolate(inverse, values) == pytest.approx([3, 1])


def test_a_sample_finds_the_distance_of_its_gaussians(clustered: Any) -> None:
    x, g = clustered(0, groups=2000, each=1, shared=0.0)
    y, h = clustered(1, groups=2000, each=1, shared=0.0, mean=[2, 0, 0, 0])
    found = Frechet([x, 2 * y], [g, h])
    assert found.between(0, 1, ones(2000), ones(2000))[0] == pytest.approx(16 + 4 * 1, rel=0.05)


def test_extrapolated_over_groups_it_is_nearly_nothing_for_one_source_and_the_plain_one_is_not(clustered: Any) -> None:
    plain, over_groups, over_images = [], [], []
    for seed in range(30):
        (x, g), (y, h) = clustered(2 * seed), clustered(2 * seed + 1)
        grouped = Frechet([x, y], [g, h])
        single = Frechet([x, y], [np.arange(len(x)), np.arange(len(y))])
        plain.append(grouped.plain(0, 1, ones(12), ones(12))[0])
        over_groups.append(grouped.between(0, 1, ones(12), ones(12))[0])
        over_images.append(single.between(0, 1, ones(240), ones(240))[0])
    assert np.mean(plain) > 0.7 and np.mean(over_images) > 0.7, "images of a group are alike: more of them do not help"
    assert abs(np.mean(over_groups)) < 0.25 * np.mean(plain)


def test_resampling_groups_gives_a_wider_interval_than_resampling_images(clustered: Any) -> None:
    (x, g), (y, h) = clustered(0), clustered(1, mean=2.0)

    def spread(groups: list[np.ndarray]) -> float:
        counts = [int(own.max()) + 1 for own in groups]
        drawn = [bootstrap(n, 200, seeds(0, name)) for n, name in zip(counts, "xy", strict=True)]
        return float(Frechet([x, y], groups).between(0, 1, *drawn).std())

    assert spread([g, h]) > 2 * spread([np.arange(len(x)), np.arange(len(y))])


def test_the_same_seed_gives_the_same_and_many_draws_the_same_as_one_by_one_would(clustered: Any) -> None:
    (x, g), (y, h) = clustered(0), clustered(1)
    first, second = Frechet([x, y], [g, h], seed=3), Frechet([x, y], [g, h], seed=3)
    w = bootstrap(12, 300, seeds(0, "x"))
    assert np.array_equal(first.between(0, 1, w, w), second.between(0, 1, w, w))
    assert first.plain(0, 1, w, w)[200] == pytest.approx(first.plain(0, 1, w[200:201], w[200:201])[0])
