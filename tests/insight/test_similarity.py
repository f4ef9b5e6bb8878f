import numpy as np
import pytest
from sklearn.decomposition import PCA

from benchmark.insight.similarity import project


def test_components_are_those_of_scikit_learn_for_domains_of_one_size() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 60, 8)) * np.arange(8, 0, -1)
    found = project([x, y + 3], 5)
    model = PCA(5).fit(np.concatenate([x, y + 3]))
    wanted = model.transform(np.concatenate([x, y + 3]))
    assert np.abs(np.concatenate(found.points)) == pytest.approx(np.abs(wanted))
    assert found.explained == pytest.approx(model.explained_variance_ratio_.sum())


def test_every_domain_weighs_the_same_whatever_its_size() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 6)), random.normal(1, 3, size=(20, 6))
    once, often = project([x, y], 3), project([np.tile(x, (30, 1)), y], 3)
    assert once.points[1] == pytest.approx(often.points[1])


def test_few_images_leave_few_components() -> None:
    random = np.random.default_rng(0)
    found = project([random.normal(size=(50, 30)), random.normal(size=(5, 30))], 64)
    assert [points.shape for points in found.points] == [(50, 4), (5, 4)] and 0 < found.explained < 1
