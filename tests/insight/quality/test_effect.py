import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark.insight.quality import effect
from benchmark.insight.quality.effect import compare, explained, randomly_removed, risk_ratio, tally
from benchmark.stats.pseudo import macro


def made(flag_rate: float = 0.1, bad: float = 0.6, good: float = 0.1, units: int = 20, seed: int = 0) -> effect.Tested:
    """24 classes, two images a class and unit; flagged images are wrong with chance `bad`, others with `good`."""
    random = np.random.default_rng(seed)
    truth, unit = np.tile(np.repeat(np.arange(24), 2), units), np.repeat(np.arange(units), 48)
    flagged = random.random(len(truth)) < flag_rate
    wrong = random.random((2, len(truth))) < np.where(flagged, bad, good)
    said = np.where(wrong, (truth + random.integers(1, 24, wrong.shape)) % 24, truth)
    return effect.Tested(truth, said, unit, flagged)


def test_scores_with_and_without_are_those_of_scikit_learn() -> None:
    found = made()
    figures = compare(found, 0, 100, 20)
    assert figures is not None
    for keep, shown in (
        (np.ones(len(found.truth), bool), figures.with_flagged),
        (~found.flagged, figures.without_flagged),
    ):
        expected = np.mean([f1_score(found.truth[keep], said[keep], average="macro") for said in found.said])
        assert shown.value == pytest.approx(expected, abs=1e-12)
        assert shown.low is not None and shown.high is not None and shown.low < expected < shown.high
    difference = (figures.without_flagged.value or 0) - (figures.with_flagged.value or 0)
    assert figures.difference.value == pytest.approx(difference) and difference > 0.03
    assert figures.difference.low is not None and figures.difference.low > 0
    assert figures.as_much_by_chance == pytest.approx(1 / 21)


def test_flags_that_say_nothing_change_nothing() -> None:
    ratios = []
    for seed in range(40):
        figures = compare(made(bad=0.2, good=0.2, seed=seed), seed, 200, 20)
        assert figures is not None and figures.risk_ratio.low is not None and figures.risk_ratio.high is not None
        ratios.append(figures.risk_ratio.low <= 1 <= figures.risk_ratio.high)
    assert sum(ratios) >= 33, "95 % intervals hold the truth"


def test_the_risk_ratio_is_within_classes() -> None:
    """A class that is both hard and often flagged does not make flags look guilty."""
    flagged, other = np.array([90.0, 10.0]), np.array([10.0, 90.0])
    wrong, fine = flagged * [0.5, 0.1], other * [0.5, 0.1]
    crude = (wrong.sum() / flagged.sum()) / (fine.sum() / other.sum())
    assert crude > 2 and risk_ratio(wrong, flagged, fine, other) == pytest.approx(1.0)
    assert explained(wrong, flagged, fine, other) == pytest.approx(0.0)
    assert explained(2 * wrong, flagged, fine, other) == pytest.approx(wrong.sum() / (2 * wrong + fine).sum())


def test_random_removal_takes_as_many_of_each_class_and_is_seeded() -> None:
    found = made()
    first = randomly_removed(found, 3, 30)
    assert first.tolist() == randomly_removed(found, 3, 30).tolist() != randomly_removed(found, 4, 30).tolist()
    assert abs(first.mean()) < 0.01
    only = found._replace(flagged=(found.truth == 5))
    whole, left = macro(tally(found, np.ones(len(found.truth), bool))), macro(tally(found, found.truth != 5))
    assert randomly_removed(only, 0, 3) == pytest.approx([(left - whole).mean()] * 3), "the whole class, however drawn"


@pytest.mark.parametrize("every", [True, False])
def test_with_no_image_or_every_image_flagged_there_is_no_comparison(every: bool) -> None:
    found = made()
    assert compare(found._replace(flagged=np.full(len(found.truth), every)), 0, 10, 5) is None


def test_of_three_units_no_interval_is_given() -> None:
    figures = compare(made(units=3), 0, 50, 5)
    assert figures is not None and figures.difference.value is not None
    assert figures.difference.low is None and figures.risk_ratio.high is None


def test_a_unit_of_which_every_image_is_flagged_is_no_error() -> None:
    found = made(units=2)
    figures = compare(found._replace(flagged=found.unit == 0), 0, 50, 5)
    assert figures is not None and figures.without_flagged.value is not None and figures.difference.low is None
