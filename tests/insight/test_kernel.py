from typing import Any

import numpy as np
import pytest

from benchmark.insight.kernel import Kernel
from benchmark.insight.resample import bootstrap, halves, seeds


def ones(groups: int) -> np.ndarray:
    return np.ones((1, groups), dtype=np.int64)


def test_with_every_image_its_own_group_it_is_the_textbook_estimate() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(7, 5)), random.normal(1, 1, size=(9, 5))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 5 + 1) ** 3)

    own = [np.mean([k(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]) for z in (x, y)]
    wanted = sum(own) - 2 * np.mean([k(a, b) for a in x for b in y])
    found = Kernel([x, y], [np.arange(7), np.arange(9)])
    assert found.between(0, 1, ones(7), ones(9))[0] == pytest.approx(wanted, rel=1e-4)
    assert found.between(1, 0, ones(9), ones(7))[0] == pytest.approx(wanted, rel=1e-4)


def test_the_order_of_images_does_not_matter() -> None:
    random = np.random.default_rng(0)
    x, g = random.normal(size=(40, 5)), random.integers(0, 5, 40)
    g[:5] = range(5)
    order = random.permutation(40)
    w = bootstrap(5, 10, seeds(0, "x"))
    one, other = Kernel([x, x + 1], [g, g]), Kernel([x[order], x[order] + 1], [g[order], g[order]])
    assert one.between(0, 1, w, w) == pytest.approx(other.between(0, 1, w, w), rel=1e-4)


def test_it_has_no_bias_where_groups_share_something_and_by_image_it_has(clustered: Any) -> None:
    by_group, by_image = [], []
    for seed in range(200):
        (x, g), (y, h) = clustered(2 * seed, each=5), clustered(2 * seed + 1, each=5)
        by_group.append(Kernel([x, y], [g, h]).between(0, 1, ones(12), ones(12))[0])
        by_image.append(Kernel([x, y], [np.arange(60), np.arange(60)]).between(0, 1, ones(60), ones(60))[0])
    error = np.std(by_group) / np.sqrt(len(by_group))
    assert abs(np.mean(by_group)) < 3 * error and np.mean(by_image) > 5 * error


def test_resamples_scatter_about_the_estimate(clustered: Any) -> None:
    (x, g), (y, h) = clustered(0), clustered(1, mean=1.0)
    found = Kernel([x, y], [g, h])
    drawn = found.between(0, 1, bootstrap(12, 4000, seeds(0, "x")), bootstrap(12, 4000, seeds(0, "y")))
    assert drawn.mean() == pytest.approx(found.between(0, 1, ones(12), ones(12))[0], abs=0.1 * drawn.std())


def test_within_a_domain_halves_share_no_group(clustered: Any) -> None:
    x, g = clustered(0)
    first = halves(12, 5, seeds(0, "x"))
    found = Kernel([x], [g]).within(0, first)
    side = first[2][g]
    apart = Kernel([x[side], x[~side]], [np.unique(g[part], return_inverse=True)[1] for part in (side, ~side)])
    assert found[2] == pytest.approx(apart.between(0, 1, ones(6), ones(6))[0], rel=1e-4)
