from typing import Any

import numpy as np

from benchmark.insight.adistance import ADistance, held_out
from benchmark.insight.resample import bootstrap, halves, seeds


def ones(groups: int) -> np.ndarray:
    return np.ones((1, groups), dtype=np.int64)


def test_it_is_two_for_domains_far_apart_and_about_nothing_for_one_source(clustered: Any) -> None:
    (x, g), (near, h), (far, k) = clustered(0, groups=40), clustered(1, groups=40), clustered(2, groups=40, mean=30.0)
    found = ADistance([x, near, far], [g, h, k])
    assert found.between(0, 2, ones(40), ones(40))[0] == 2
    assert abs(found.between(0, 1, ones(40), ones(40))[0]) < 0.4
    assert np.array_equal(found.errors(1, 0)[0], found.errors(0, 1)[1])


def test_a_group_is_never_in_training_and_test(clustered: Any) -> None:
    """Groups far apart, and domains that differ in nothing else: by image they would be told apart without error."""
    (x, g), (y, h) = (clustered(seed, groups=30, each=10, width=40, shared=20.0) for seed in (0, 1))
    grouped = [part.mean() for part in held_out(x, y, g, h, 0)]
    leaky = [part.mean() for part in held_out(x, y, np.arange(300), np.arange(300), 0)]
    assert sum(leaky) < 0.1 and sum(grouped) > 0.6


def test_sizes_do_not_tip_the_balance_and_resampling_weighs_groups(clustered: Any) -> None:
    (x, g), (y, h) = (
        clustered(0, groups=40, each=50, mean=0.0, shared=0.2),
        clustered(1, groups=10, each=5, mean=1.0, shared=0.2),
    )
    found = ADistance([x, y], [g, h])
    wrong = found.errors(0, 1)
    assert abs(wrong[0].sum() / len(x) - wrong[1].sum() / len(y)) < 0.2, "the smaller domain is not given up"
    w = [bootstrap(n, 3, seeds(0, "w")) for n in (40, 10)]
    rate = [(w[i][1] @ wrong[i]) / (w[i][1].sum() * each) for i, each in enumerate((50, 5))]
    assert np.isclose(found.between(0, 1, *w)[1], 2 * (1 - sum(rate)))


def test_within_a_domain_there_is_little_to_tell(clustered: Any) -> None:
    x, g = clustered(0, groups=40, shared=0.1)
    found = ADistance([x], [g]).within(0, halves(40, 20, seeds(0, "x")))
    assert len(found) == 3 and np.abs(found).max() < 0.4
