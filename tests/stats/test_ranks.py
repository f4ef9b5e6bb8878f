import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.stats import pigeonhole
from benchmark.stats.design import Design
from benchmark.stats.generator import STRONG, simulate, tallies
from benchmark.stats.pseudo import Tally, macro
from benchmark.stats.ranks import Rank, better, ranks

PLAIN = math.inf


def table(seed: int, scores: np.ndarray, resamples: int, correlated: float = 0.0) -> np.ndarray:
    """Resampled scores with a spread of one; what all share does not matter to a difference."""
    random = np.random.default_rng(seed)
    shared = correlated * random.standard_normal(resamples)
    rows = [np.random.default_rng([seed, j]).standard_normal(resamples) for j in range(len(scores))]
    return scores[:, None] + np.stack(rows) + shared


def still(scores: np.ndarray) -> np.ndarray:
    """No spread between groups: with all of it between trainings, the pigeonhole needs no correction."""
    return np.repeat(scores[:, None], 2, axis=1)


def uncorrected(scores: np.ndarray, resampled: np.ndarray, level: float = 0.95) -> np.ndarray:
    return better(scores, resampled, resampled, still(scores), df=PLAIN, level=level)


def crossed(random: np.random.Generator, truth: np.ndarray, resamples: int = 300) -> tuple[np.ndarray, ...]:
    """Scores that are means over 10 trainings × 20 groups, and the pigeonhole bootstrap of them."""
    n, trainings, groups = len(truth), 10, 20
    values = truth[:, None, None] + random.standard_normal((n, trainings, 1)) + random.standard_normal((n, 1, groups))
    values = values + 2 * random.standard_normal((n, trainings, groups))
    v = random.multinomial(trainings, np.full(trainings, 1 / trainings), resamples) / trainings
    w = random.multinomial(groups, np.full(groups, 1 / groups), resamples) / groups
    both = ((v @ values) * w).sum(2)
    return values.mean((1, 2)), both, values.mean(2) @ v.T, values.mean(1) @ w.T


def missed(found: list[Rank], truth: np.ndarray) -> bool:
    """Whether any interval leaves out a rank that the truth, ties included, allows."""
    low = 1 + (truth[None, :] > truth[:, None]).sum(1)
    high = len(truth) - (truth[None, :] < truth[:, None]).sum(1)
    return any(one.low > a or one.high < b for one, a, b in zip(found, low, high, strict=True))


@pytest.mark.parametrize("n", [2, 3, 6])
def test_critical_value_of_independent_scores_is_tukeys(n: int) -> None:
    """All pairs of n normal means: the studentised range of scipy, in units of one mean's spread."""
    needed = stats.studentized_range.ppf(0.95, n, 10_000)
    for part, expected in ((0.96, 0), (1.04, n - 1)):
        scores = np.zeros(n)
        scores[0] = part * needed
        assert uncorrected(scores, table(1, scores, 20_000)).sum() == expected


def closed(scores: np.ndarray, resampled: np.ndarray, level: float) -> set[tuple[int, int]]:
    """Closed testing: a pair is significant when every set of pairs that holds it is, by its largest |t|."""
    pairs = list(itertools.combinations(range(len(scores)), 2))
    gaps = np.array([scores[j] - scores[k] for j, k in pairs])
    draws = np.stack([resampled[j] - resampled[k] for j, k in pairs])
    t, deviations = np.abs(gaps) / draws.std(1), np.abs(draws - gaps[:, None]) / draws.std(1, keepdims=True)
    place = math.ceil(level * (draws.shape[1] + 1)) - 1
    significant = set(range(len(pairs)))
    for size in range(1, len(pairs) + 1):
        for subset in map(list, itertools.combinations(range(len(pairs)), size)):
            if t[subset].max() <= np.sort(deviations[subset].max(0))[place]:
                significant -= set(subset)
    return {pairs[i] if gaps[i] > 0 else pairs[i][::-1] for i in significant}


def test_step_down_is_closed_testing() -> None:
    more, single = 0, stats.studentized_range.ppf(0.9, 4, 10_000)
    for seed in range(25):
        scores = np.random.default_rng(seed).normal(0, 2.5, 4)
        resampled = table(seed, scores, 119)
        found = {(int(j), int(k)) for j, k in np.argwhere(uncorrected(scores, resampled, 0.9))}
        assert found == closed(scores, resampled, 0.9)
        more += len(found) > (scores[:, None] - scores > single).sum()
    assert more >= 3


def test_two_submissions_are_told_apart_where_the_bootstrap_p_value_says_so() -> None:
    told = 0
    for seed in range(60):
        scores = np.array([np.random.default_rng(seed).normal(0, 4), 0.0])
        resampled = table(seed, scores, 199)
        gap, draws = scores[0] - scores[1], resampled[0] - resampled[1]
        p = (1 + (np.abs(draws - gap) >= abs(gap)).sum()) / 200
        found = uncorrected(scores, resampled)
        assert found.any() == (p <= 0.05) and not (found & found.T).any()
        told += found.any()
    assert 10 < told < 50


@pytest.mark.parametrize("df", [4, 9, 30])
def test_two_submissions_with_few_trainings_are_told_apart_where_t_says_so(df: int) -> None:
    for part, expected in ((0.96, False), (1.04, True)):
        scores = np.array([part * stats.t.isf(0.025, df) * math.sqrt(2), 0.0])
        resampled = table(2, scores, 20_000)
        assert better(scores, resampled, resampled, still(scores), df=df).any() == expected


@pytest.mark.parametrize("share", [0.5, 0.9, 1.2])
def test_standard_error_is_that_of_the_corrected_pigeonhole(share: float) -> None:
    """At 0.5 the correction would leave no variance, and a third is kept; above it, what is computed."""
    scores = np.array([0.7, 0.2])
    both, trainings = table(3, scores, 999), table(4, scores, 400)
    groups = scores[:, None] + (table(5, scores, 500) - scores[:, None]) * math.sqrt(max(share - 0.45, 0))
    trainings = scores[:, None] + (trainings - scores[:, None]) * math.sqrt(0.45)
    draws = [part[0] - part[1] for part in (both, trainings, groups)]
    error = pigeonhole.corrected(0.5, *draws).std()
    critical = np.sort(np.abs(draws[0] - 0.5) / draws[0].std())[949]
    for part, expected in ((0.999, False), (1.001, True)):
        move = part * critical * error - 0.5
        moved = [rows + np.array([[move], [0]]) for rows in (both, trainings, groups)]
        assert better(scores + np.array([move, 0]), *moved, df=PLAIN).any() == expected


def test_intervals_cover_all_ranks_together() -> None:
    se = math.sqrt(1 / 10 + 1 / 20 + 4 / 200)
    for truth in (np.zeros(5), np.array([0.0, 0, 0, 8, 8]) * se, np.arange(5) * se):
        errors = 0
        for seed in range(250):
            errors += missed(ranks(*crossed(np.random.default_rng(seed), truth), df=9), truth)
        assert errors / 250 <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 250)


def test_without_the_t_quantile_ties_would_be_broken_too_often() -> None:
    truth = np.zeros(5)
    errors = sum(missed(ranks(*crossed(np.random.default_rng(seed), truth), df=PLAIN), truth) for seed in range(200))
    assert errors / 200 > 0.1


def test_far_clusters_are_told_apart() -> None:
    truth = np.array([9.0, 9, 9, 0, 0])
    found = ranks(*crossed(np.random.default_rng(0), truth), df=9)
    assert [one[1:] for one in found] == [(1, 1, 3)] * 3 + [(4, 4, 5)] * 2


def test_a_submission_that_is_clearly_last_moves_no_other() -> None:
    told = 0
    for seed in range(30):
        scores = np.random.default_rng(seed).normal(0, 4, 7)
        more = np.append(scores, -50.0)
        without, within = (
            ranks(s, *[table(seed + i, s, 700, 2.0) for i in (0, 50, 90)], df=50) for s in (scores, more)
        )
        assert within[:-1] == without
        assert within[-1][1:] == (8, 8, 8)
        told += any(one.rank > 1 for one in without)
    assert told > 20


def test_a_submission_that_is_clearly_first_moves_all_others_by_one() -> None:
    scores = np.random.default_rng(0).normal(0, 6, 7)
    more = np.append(scores, 200.0)
    without, within = (ranks(s, *[table(i, s, 900) for i in (1, 2, 3)], df=9) for s in (scores, more))
    assert [(one.low - 1, one.high - 1) for one in within[:-1]] == [(one.low, one.high) for one in without]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_order_of_submissions_does_not_matter(seed: int, shuffler) -> None:
    scores = np.random.default_rng(seed).normal(0, 5, 6)
    args = [table(seed + i, scores, 120) for i in range(3)]
    order = list(range(6))
    shuffler.shuffle(order)
    found = ranks(scores, *args, df=9)
    assert ranks(scores[order], *[part[order] for part in args], df=9) == [found[i] for i in order]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9))
def test_ranks_count_who_is_better_and_who_is_worse(seed: int, n: int) -> None:
    scores = np.random.default_rng(seed).normal(0, 5, n)
    args = [table(seed + i, scores, 120) for i in range(3)]
    above, found = better(scores, *args, df=9), ranks(scores, *args, df=9)
    assert not (above & above.T).any() and (scores[:, None] > scores[None, :])[above].all()
    for j, one in enumerate(found):
        assert one.rank == one.low == 1 + sum(above[k, j] for k in range(n))
        assert one.high == n - sum(above[j, k] for k in range(n))


def test_equal_submissions_tie() -> None:
    scores = np.array([0.9, 0.9, 0.5, 0.5])
    args = []
    for seed in (1, 2, 3):
        rows = 0.001 * table(seed, np.zeros(2), 500)
        args.append(scores[:, None] + rows[[0, 0, 1, 1]])
    with np.errstate(all="raise"):
        found = ranks(scores, *args, df=9)
        same = ranks(np.full(3, 0.8), *[np.repeat(part[:1], 3, axis=0) for part in args], df=9)
    assert [one.rank for one in found] == [1, 1, 3, 3]
    assert [one.high for one in found] == [2, 2, 4, 4]
    assert [one[1:] for one in same] == [(1, 1, 3)] * 3


def test_rounding_breaks_no_tie() -> None:
    scores = np.array([0.9, 0.9 + 1e-9])
    with np.errstate(all="raise"):
        found = ranks(scores, *[np.repeat(scores[:, None], 50, axis=1)] * 3, df=9)
    assert [one.rank for one in found] == [1, 1]


def test_a_difference_without_spread_is_significant() -> None:
    """One that is always right, and one that never is: no resample says anything else."""
    scores = np.array([1.0, 0.0])
    with np.errstate(all="raise"):
        assert [one.rank for one in ranks(scores, *[np.repeat(scores[:, None], 50, axis=1)] * 3, df=9)] == [1, 2]


def test_one_submission_is_first() -> None:
    assert ranks(np.array([0.8]), *[np.full((1, 50), 0.8)] * 3, df=9) == [Rank(0.8, 1, 1, 1)]


def test_ranks_of_simulated_classifiers() -> None:
    design = Design(3, (7, 7, 6))
    found = simulate(np.random.default_rng(0), 3, design.blocks, STRONG, gain=6.0)
    good, bad = tallies(found, design.groups)
    arms: list[Tally] = [bad, good, good]
    draws = pigeonhole.draw(design, 400, 0)
    kinds = [draws, pigeonhole.only_trainings(draws), pigeonhole.only_groups(draws)]
    args = [np.stack([pigeonhole.scores(arm, design, kind) for arm in arms]) for kind in kinds]
    scores = np.array([macro(arm).mean() for arm in arms])
    assert [one[1:] for one in ranks(scores, *args, df=design.trainings - 1)] == [(3, 3, 3), (1, 1, 2), (1, 1, 2)]


def test_a_hundred_submissions_need_little_memory() -> None:
    scores = np.linspace(0, 20, 100)
    resampled = table(0, scores, 10_000)
    fewer = table(1, scores, 400)
    tracemalloc.start()
    better(scores, resampled, fewer, fewer, df=19)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * resampled.nbytes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": np.array([1.0, np.nan])}, "scores hold NaN"),
        ({"scores": np.array([])}, r"scores of shape \(0,\)"),
        ({"scores": np.ones((2, 1))}, r"scores of shape \(2, 1\)"),
        ({"resampled": np.full((2, 100), np.inf)}, "resampled holds NaN"),
        ({"by_group": np.full((2, 100), np.nan)}, "by_group holds NaN"),
        ({"by_training": np.ones((3, 100))}, r"by_training of shape \(3, 100\)"),
        ({"by_training": np.ones(100)}, r"by_training of shape"),
        ({"by_group": np.ones((2, 1))}, "by_group of 1 resamples"),
        ({"resampled": np.ones((2, 18))}, "18 resamples cannot give level 0.95"),
        ({"df": 0}, "0 degrees of freedom"),
        ({"df": math.nan}, "nan degrees of freedom"),
        ({"level": 1.0}, "level 1.0"),
    ],
)
def test_bad_input_is_refused(change: dict[str, object], message: str) -> None:
    good = {"scores": np.array([1.0, 0.0]), "df": 9, "level": 0.95}
    good |= {name: np.ones((2, 100)) for name in ("resampled", "by_training", "by_group")}
    with pytest.raises(ValueError, match=message):
        ranks(**(good | change))
