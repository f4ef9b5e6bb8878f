import json
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_ind

from bench import quality

SAMPLES = [
    ([0.950, 0.957, 0.961, 0.955], [0.949, 0.958, 0.960, 0.953, 0.962]),
    ([0.97, 0.96, 0.98, 0.95], [0.90, 0.95, 0.85]),
    ([0.9501, 0.9502, 0.9503], [0.9504, 0.9502, 0.9503]),
]


@pytest.mark.parametrize(("ours", "theirs"), SAMPLES)
def test_the_two_tests_are_those_of_another_implementation(ours: list[float], theirs: list[float]) -> None:
    found = quality.equivalence(ours, theirs)
    p, _, _ = ttost_ind(np.array(ours), np.array(theirs), -quality.MARGIN, quality.MARGIN, usevar="unequal")
    p_low = ttost_ind(np.array(ours), np.array(theirs), -quality.MARGIN, quality.MARGIN, usevar="unequal")[1][1]
    assert found.p == pytest.approx(p, rel=1e-9) and found.worse == pytest.approx(p_low, rel=1e-9)
    assert found.difference == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert (found.p < 0.05) == (found.low > -quality.MARGIN and found.high < quality.MARGIN)


def test_many_equal_trainings_are_equal_and_few_scattered_ones_are_not() -> None:
    random = np.random.default_rng(0)
    many = random.normal(0.95, 0.005, (2, 40))
    assert quality.equivalence(*many.tolist()).p < 0.01
    assert quality.equivalence([0.95, 0.97], [0.95, 0.97]).p > 0.2
    assert quality.equivalence((many[0] + 0.02).tolist(), many[1].tolist()).p > 0.9


def test_the_page_says_what_the_trainings_say() -> None:
    docs = Path(__file__).parents[2] / "docs"
    found = json.loads((docs / "performance" / "quality.json").read_text())
    said = quality.sentence([*found["ours"].values()], [*found[quality.PEER].values()])
    assert said in " ".join((docs / "performance.md").read_text().split())
