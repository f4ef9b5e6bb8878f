import numpy as np
import pytest
from scipy import stats

from benchmark.insight.attention.contrast import Found, Sample, adjusted, mean, speaks_of_new_trainings
from benchmark.insight.attention.report import verdict


def sample(groups: int, each: int, folds: int = 1, repeats: int = 1) -> Sample:
    name, fold, repeat = [], [], []
    for r in range(repeats):
        for g in range(groups):
            name += [f"g{g}"] * each
            fold += [g % folds] * each
            repeat += [r] * each
    return Sample(np.array(name), np.array(repeat), np.array(fold))


def test_with_groups_of_one_size_it_is_the_t_interval_of_their_means() -> None:
    rows, random = sample(10, 5), np.random.default_rng(0)
    values = random.normal(size=50) + np.repeat(random.normal(size=10), 5)
    found, by_group = mean(values, rows), values.reshape(10, 5).mean(axis=1)
    low, high = stats.t.interval(0.95, 9, by_group.mean(), stats.sem(by_group))
    assert found == pytest.approx((by_group.mean(), low, high, stats.ttest_1samp(by_group, 0).pvalue, 50, 10))


def test_images_of_a_group_are_no_independent_sample() -> None:
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(200):
        values = np.repeat(rng.normal(size=12), 30) + 0.1 * rng.normal(size=360)
        wrong += mean(values, sample(12, 30)).p < 0.05
    assert wrong <= 20, "a test over the 360 images would err most of the time"


def test_trainings_are_allowed_for_where_there_are_six() -> None:
    rows = sample(20, 3, folds=5, repeats=2)
    assert speaks_of_new_trainings(rows) and not speaks_of_new_trainings(sample(20, 3, folds=5))
    rng = np.random.default_rng(2)
    shift = rng.normal(size=(2, 5))
    values = shift[rows.repeat, rows.fold] + 0.1 * rng.normal(size=120)
    both = mean(values, rows)
    by_group = values.reshape(2, 20, 3).mean(axis=(0, 2))
    low, high = stats.t.interval(0.95, 19, by_group.mean(), stats.sem(by_group))
    assert both.value == pytest.approx(by_group.mean()) and both.groups == 20
    assert both.high - both.low > 1.3 * (high - low), "20 groups under 10 trainings are not 20 samples"


def test_what_is_not_a_number_is_left_out_and_few_groups_say_less() -> None:
    values = np.array([1.0, np.nan, 3.0, 5.0, 2.0])
    rows = Sample(np.array(list("aabcd")), np.zeros(5, dtype=int), np.zeros(5, dtype=int))
    found = mean(values, rows)
    assert found.images == 4 and found.groups == 4 and found.value == 2.75 and np.isnan(found.p)
    assert found.low < 2.75 < found.high
    three = mean(values[2:], Sample(*(part[2:] for part in rows)))
    assert np.isnan([three.low, three.high, three.p]).all() and three.value == pytest.approx(10 / 3)
    assert mean(np.array([np.nan]), sample(1, 1)).images == 0


def test_holm_counts_withheld_ones_and_verdicts_follow() -> None:
    found = [Found(1.0, 0.5, 1.5, p, 10, 8) for p in (0.01, 0.03, float("nan"))]
    p = adjusted(found)
    assert p[:2].tolist() == pytest.approx([0.03, 0.06]) and np.isnan(p[2]) and len(adjusted([])) == 0
    assert [verdict(one, float(q)) for one, q in zip(found, p, strict=True)] == ["higher", "undecided", "withheld"]
    assert verdict(found[0]._replace(value=-1.0), 0.01) == "lower"
