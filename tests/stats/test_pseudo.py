import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from benchmark.stats import pseudo
from benchmark.stats.metrics import confusion_by_group
from benchmark.stats.pseudo import Tally

Images = tuple[np.ndarray, np.ndarray, np.ndarray]


def images(seed: int, rows: int = 2, groups: int = 5, classes: int = 4, n: int = 60) -> Images:
    """Truth, group and predictions by row; two thirds are right."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    right = random.random((rows, n)) < 0.67
    return truth, random.integers(0, groups, n), np.where(right, truth, random.integers(0, classes, (rows, n)))


def counted(drawn: Images, groups: int = 5, classes: int = 4) -> Tally:
    truth, group, predicted = drawn
    return pseudo.tally(np.stack([confusion_by_group(truth, one, group, groups, classes) for one in predicted]))


def literal(drawn: Images, groups: int = 5) -> np.ndarray:
    """Pseudo-values by leaving out images: n × score - (n - 1) × score without a group.

    A class that nobody holds without that group keeps its F1.
    """
    truth, group, predicted = drawn
    labels = np.unique(truth)
    found = np.empty((len(predicted), groups))
    for row, claims in enumerate(predicted):
        whole = f1_score(truth, claims, labels=labels, average=None)
        for column in range(groups):
            kept = group != column
            without = whole
            if kept.any():
                without = f1_score(truth[kept], claims[kept], labels=labels, average=None, zero_division=0)
                without = np.where(np.isin(labels, truth[kept]), without, whole)
            found[row, column] = groups * whole.mean() - (groups - 1) * without.mean()
    return found


# ---- against scikit-learn


@pytest.mark.parametrize("seed", range(5))
def test_pseudo_values_are_scikit_learns_macro_f1_without_a_group(seed: int) -> None:
    drawn = truth, group, predicted = images(seed)
    found = pseudo.pseudo_values(counted(drawn))
    for row, claims in enumerate(predicted):
        for column in range(5):
            kept = group != column
            labels = np.unique(truth[kept])
            assert len(labels) == 4
            without = f1_score(truth[kept], claims[kept], labels=labels, average="macro")
            whole = f1_score(truth, claims, average="macro")
            assert found[row, column] == pytest.approx(5 * whole - 4 * without)
    assert found == pytest.approx(literal(drawn))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(2, 5), st.integers(4, 30))
def test_pseudo_values_of_few_images_are_scikit_learns(seed: int, groups: int, classes: int, n: int) -> None:
    """Classes are absent, or in one group alone, and groups are empty, as chance has it."""
    drawn = images(seed, 2, groups, classes, n)
    counts = counted(drawn, groups, classes)
    assert pseudo.pseudo_values(counts) == pytest.approx(literal(drawn, groups))
    expected = [f1_score(drawn[0], one, labels=np.unique(drawn[0]), average="macro") for one in drawn[2]]
    assert pseudo.macro(counts) == pytest.approx(expected)


def test_mean_of_pseudo_values_is_the_jackknife_estimate() -> None:
    counts = counted(images(0))
    without = [pseudo.macro(Tally(*(np.delete(part, g, axis=1) for part in counts))) for g in range(5)]
    expected = 5 * pseudo.macro(counts) - 4 * np.mean(without, axis=0)
    assert pseudo.pseudo_values(counts).mean(1) == pytest.approx(expected)


def test_pseudo_values_of_a_mean_are_what_is_averaged() -> None:
    """With as many claims as images in every group F1 is a mean over groups, and so is macro-F1."""
    hits = np.random.default_rng(0).integers(0, 11, (3, 6, 2)).astype(float)
    counts = Tally(hits, np.full(hits.shape, 10.0), np.full(hits.shape, 10.0))
    assert pseudo.pseudo_values(counts) == pytest.approx(hits.mean(2) / 10)
    assert pseudo.by_class(counts) == pytest.approx(hits / 10)


# ---- classes and groups that are missing


def test_a_class_of_one_group_alone_has_no_influence_there() -> None:
    truth, group, predicted = images(1)
    truth = np.where((truth == 3) & (group != 2), 0, truth)
    drawn = truth, group, predicted
    assert np.unique(group[truth == 3]).tolist() == [2]
    counts = counted(drawn)
    found = pseudo.by_class(counts)
    assert found[:, 2, 3] == pytest.approx(pseudo.f1(counts)[:, 3])
    assert (np.abs(found[:, :, 3] - pseudo.f1(counts)[:, 3, None]) > 1e-3).any(), "claims elsewhere still count"
    assert pseudo.pseudo_values(counts) == pytest.approx(literal(drawn))


def test_a_class_without_images_is_left_out_even_where_it_is_claimed() -> None:
    truth, group, predicted = images(2)
    truth = np.where(truth == 1, 0, truth)
    counts = counted((truth, group, predicted))
    assert (predicted == 1).any()
    assert np.isnan(pseudo.by_class(counts)[:, :, 1]).all() and np.isnan(pseudo.f1(counts)[:, 1]).all()
    assert pseudo.macro(counts) == pytest.approx(
        [f1_score(truth, p, labels=[0, 2, 3], average="macro") for p in predicted]
    )
    assert pseudo.pseudo_values(counts) == pytest.approx(literal((truth, group, predicted)))


def test_folds_are_pooled_so_that_a_class_may_be_missing_from_one() -> None:
    truth, group, predicted = images(3)
    truth = np.where((group < 2) & (truth == 1), 2, truth)
    drawn, first = (truth, group, predicted), group < 2
    assert set(truth[first]) == {0, 2, 3} and set(truth[~first]) == {0, 1, 2, 3}
    counts = counted(drawn)
    pooled = [f1_score(truth, one, average="macro") for one in predicted]
    by_fold = [
        np.mean([f1_score(truth[f], one[f], labels=np.unique(truth[f]), average="macro") for f in (first, ~first)])
        for one in predicted
    ]
    assert pseudo.macro(counts) == pytest.approx(pooled) and pseudo.macro(counts) != pytest.approx(by_fold)
    assert pseudo.pseudo_values(counts) == pytest.approx(literal(drawn))


def test_a_group_without_images_has_no_influence() -> None:
    truth, group, predicted = images(4)
    counts = counted((truth, np.where(group == 4, 3, group), predicted))
    assert pseudo.pseudo_values(counts)[:, 4] == pytest.approx(pseudo.macro(counts))


def test_each_row_is_averaged_over_the_classes_of_its_own_truth() -> None:
    drawn = images(5)
    other = (np.minimum(drawn[0], 1), *images(6)[1:])
    mixed = Tally(*(np.concatenate(parts) for parts in zip(counted(drawn), counted(other), strict=True)))
    expected = np.concatenate([literal(drawn), literal(other)])
    assert pseudo.pseudo_values(mixed) == pytest.approx(expected)


# ---- what must not matter


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(6, 40), st.randoms(use_true_random=False))
def test_order_of_images_groups_and_classes_does_not_matter(seed: int, n: int, shuffle) -> None:
    truth, group, predicted = drawn = images(seed, n=n)
    order, columns, names = (np.array(shuffle.sample(range(k), k)) for k in (n, 5, 4))
    counts = counted(drawn)
    found = pseudo.pseudo_values(counts)

    same = counted((truth[order], group[order], predicted[:, order]))
    assert all(np.array_equal(one, other) for one, other in zip(counts, same, strict=True))

    moved = pseudo.pseudo_values(counted((truth, columns[group], predicted)))
    assert moved[:, columns] == pytest.approx(found)

    renamed = counted((names[truth], group, names[predicted]))
    assert pseudo.pseudo_values(renamed) == pytest.approx(found)
    assert pseudo.by_class(renamed)[:, :, names] == pytest.approx(pseudo.by_class(counts), nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(6, 40), st.integers(2, 5))
def test_every_image_twice_leaves_the_gains_as_they_were(seed: int, n: int, times: int) -> None:
    truth, group, predicted = images(seed, rows=4, n=n)

    def gains(repeated: int) -> np.ndarray:
        many = [np.repeat(one, repeated, axis=-1) for one in (truth, group, predicted)]
        arm, baseline = (counted((many[0], many[1], many[2][rows])) for rows in (slice(2), slice(2, 4)))
        return pseudo.pseudo_values(arm) - pseudo.pseudo_values(baseline)

    assert gains(times) == pytest.approx(gains(1), abs=1e-12)


# ---- counts


def test_tally_counts_hits_claims_and_true_images() -> None:
    matrix = np.array([[5, 1, 0], [2, 7, 3], [0, 0, 9]])
    found = pseudo.tally(np.array([[matrix, 10 * matrix]]))
    assert found.hits.tolist() == [[[5, 7, 9], [50, 70, 90]]]
    assert found.claimed.tolist() == [[[7, 8, 12], [70, 80, 120]]]
    assert found.true.tolist() == [[[6, 12, 9], [60, 120, 90]]]


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (2, 2, 3, 4), (1, 2, 2, 3, 3)])
def test_matrices_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        pseudo.tally(np.ones(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_what_is_no_count_is_refused(value: float) -> None:
    matrices = np.ones((2, 3, 4, 4))
    matrices[1, 2, 3, 0] = value
    with pytest.raises(ValueError, match="NaN, infinity or a negative"):
        pseudo.tally(matrices)


def test_arms_that_are_not_paired_are_refused() -> None:
    first = counted(images(0))
    other = counted((images(0)[0], images(0)[1], images(1)[2]))
    pseudo.check_paired(first, other)
    with pytest.raises(ValueError, match="different images"):
        pseudo.check_paired(first, Tally(*(part[:, ::-1] for part in first)))
    with pytest.raises(ValueError, match=r"shapes \(2, 5, 4\) and \(2, 4, 4\)"):
        pseudo.check_paired(first, Tally(*(part[:, 1:] for part in first)))
    with pytest.raises(ValueError, match="shapes"):
        pseudo.check_paired(first, Tally(*(part[:1] for part in first)))


def test_too_little_for_a_jackknife_is_refused() -> None:
    counts = counted(images(0))
    with pytest.raises(ValueError, match="1 group"):
        pseudo.pseudo_values(Tally(*(part[:, :1] for part in counts)))
    empty = Tally(*(part * np.array([1, 0])[:, None, None] for part in counts))
    with pytest.raises(ValueError, match="no images"):
        pseudo.pseudo_values(empty)
    with pytest.raises(ValueError, match="no images"):
        pseudo.macro(empty)
