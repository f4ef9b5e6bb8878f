import numpy as np
import pytest

from benchmark.stats import bootstrap, metrics
from benchmark.stats.bootstrap import Interval
from benchmark.stats.pseudo import Tally, tally


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


def gain(first: np.ndarray, second: np.ndarray, resamples: int = bootstrap.RESAMPLES) -> Interval:
    return bootstrap.gain_interval(tally(first), tally(second), resamples=resamples)


def test_value_is_the_pooled_macro_f1_averaged_over_trainings() -> None:
    matrices = arm(0, 0.8)
    expected = np.mean([metrics.macro_f1(one.sum(0)) for one in matrices])
    assert bootstrap.score_interval(tally(matrices)).value == pytest.approx(expected)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """True macro-F1 of many images, against intervals from 30 groups each."""
    truth = metrics.macro_f1(arm(0, 0.8, trainings=1, groups=2000)[0].sum(0))
    hits = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        labels = random.integers(0, 24, 30 * 46)
        predicted = np.where(random.random(len(labels)) < 0.8, labels, random.integers(0, 24, len(labels)))
        matrices = metrics.confusion_by_group(labels, predicted, np.repeat(np.arange(30), 46), 30, 24)[None]
        found = bootstrap.score_interval(tally(matrices), resamples=300)
        hits += found.low <= truth <= found.high
    assert 85 <= hits <= 100


def test_gain_swaps_sign_with_its_arms() -> None:
    first, second = arm(0, 0.9), arm(1, 0.8)
    there, back = gain(first, second), gain(second, first)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high) and there.low > 0


def test_order_of_groups_does_not_change_the_value() -> None:
    first, second = arm(0, 0.9), arm(1, 0.8)
    order = np.random.default_rng(0).permutation(first.shape[1])
    found = gain(first[:, order], second[:, order])
    assert found.value == pytest.approx(gain(first, second).value)


def test_arms_of_different_images_are_refused() -> None:
    first = arm(0, 0.9)
    with pytest.raises(ValueError, match="different images"):
        gain(first, first[:, ::-1])
    with pytest.raises(ValueError, match="not paired"):
        gain(first, first[:, :-1])


def test_too_few_groups_give_no_interval() -> None:
    found = bootstrap.score_interval(tally(arm(0, 0.9, groups=3)))
    assert np.isnan(found.low) and np.isnan(found.high) and 0 < found.value < 1


FEW = 300
BOUNDS = (1 - 0.95) / 2, (1 + 0.95) / 2


def drawn(matrices: np.ndarray) -> np.ndarray:
    """Macro-F1 of one arm under each draw, by the book: every resample for itself, from whole matrices."""
    groups = matrices.shape[1]
    weights = np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), size=FEW)
    return np.mean([metrics.macro_f1(np.einsum("rg,gij->rij", weights, one)) for one in matrices], axis=0)


def rare(matrices: np.ndarray) -> np.ndarray:
    """Without most of the images of one class, so that many resamples hold none of it."""
    found = matrices.copy()
    found[:, 1:, 23] = 0
    return found


@pytest.mark.parametrize(("trainings", "groups"), [(1, 4), (1, 5), (3, 9), (11, 5), (5, 24)])
@pytest.mark.parametrize("thinned", [False, True])
def test_many_arms_at_once_have_the_intervals_of_each_to_the_bit(trainings: int, groups: int, thinned: bool) -> None:
    arms = [arm(seed, 0.6 + 0.05 * seed, trainings, groups) for seed in range(3)]
    arms = [rare(one) for one in arms] if thinned else arms
    stacked = Tally(*(np.stack(part) for part in zip(*map(tally, arms), strict=True)))
    draws = bootstrap.draws(groups, FEW)
    found = bootstrap.resampled(stacked, draws)
    samples = [drawn(one) for one in arms]
    assert np.array_equal(found[:, draws.which], samples)
    scores = bootstrap.score_intervals(stacked, found=found, resamples=FEW)
    for one, sample, score in zip(arms, samples, scores, strict=True):
        assert (
            score == bootstrap.score_interval(tally(one), resamples=FEW)
            and score.value == metrics.macro_f1(one.sum(1)).mean()
        )
        assert score[1:] == tuple(np.quantile(sample, BOUNDS))
    gains = bootstrap.gain_intervals(found[1:], found[:-1], draws)
    for number, one in enumerate(gains):
        assert one == gain(arms[number + 1], arms[number], FEW)
        assert one[1:] == tuple(np.quantile(samples[number + 1] - samples[number], BOUNDS))


def test_draws_that_are_alike_are_counted_once() -> None:
    few, many = bootstrap.draws(5), bootstrap.draws(119)
    assert len(few.weights) <= 1 + 126, "five groups can be drawn in so many ways"
    assert len(many.weights) == 1 + bootstrap.RESAMPLES == 1 + len(few.which) == 1 + len(many.which)
    for one, groups in ((few, 5), (many, 119)):
        assert (one.weights[0] == 1).all() and (one.weights.sum(1) == groups).all() and one.which.min() == 1


def test_arms_of_different_images_may_stand_together() -> None:
    whole, thin = arm(0, 0.8, 1, 5), rare(arm(1, 0.8, 1, 5))
    stacked = Tally(*(np.stack(part) for part in zip(tally(whole), tally(thin), strict=True)))
    assert bootstrap.score_intervals(stacked) == [bootstrap.score_interval(tally(one)) for one in (whole, thin)]


def test_no_image_has_no_score() -> None:
    with pytest.raises(ValueError, match="no images"):
        bootstrap.score_interval(Tally(*(np.zeros((1, 5, 24)),) * 3))
