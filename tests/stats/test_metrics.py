import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, top_k_accuracy_score

from benchmark.stats import metrics


def draw(seed: int, n: int = 300, classes: int = 24) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    predicted = np.where(random.random(n) < 0.7, truth, random.integers(0, classes, n))
    return truth, predicted


def test_confusion_is_scikit_learns() -> None:
    truth, predicted = draw(0)
    assert (metrics.confusion(truth, predicted, 24) == confusion_matrix(truth, predicted, labels=range(24))).all()


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_macro_f1_is_scikit_learns_over_the_classes_present(seed: int, n: int) -> None:
    truth, predicted = draw(seed, n)
    expected = f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    assert metrics.macro_f1(metrics.confusion(truth, predicted, 24)) == pytest.approx(expected, abs=1e-12)


def test_groups_add_up_to_the_whole() -> None:
    truth, predicted = draw(1)
    group = np.random.default_rng(2).integers(0, 7, len(truth))
    parts = metrics.confusion_by_group(truth, predicted, group, 7, 24)
    assert (parts.sum(0) == metrics.confusion(truth, predicted, 24)).all()
    chosen = group == 3
    assert (parts[3] == metrics.confusion(truth[chosen], predicted[chosen], 24)).all()


def test_f1_of_a_class_that_does_not_occur_is_not_a_number() -> None:
    scores = metrics.f1_per_class(np.array([[2, 0, 0], [0, 1, 1], [0, 0, 0]]))
    assert scores[0] == 1 and scores[1] == pytest.approx(2 / 3) and np.isnan(scores[2])


def test_macro_f1_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no images"):
        metrics.macro_f1(np.zeros((24, 24)))


def test_top_k_is_scikit_learns() -> None:
    random = np.random.default_rng(3)
    logits, truth = random.normal(size=(200, 24)), random.integers(0, 24, 200)
    for k in (1, 2, 5):
        expected = top_k_accuracy_score(truth, logits, k=k, labels=range(24))
        assert metrics.top_k(logits, truth, k) == pytest.approx(expected)


def test_calibration_error_of_a_worked_example() -> None:
    # two images at confidence 0.75, one right: gap 0.25; two at 0.9375, both right: gap 0.0625
    logits = np.log(np.array([[0.75, 0.25], [0.75, 0.25], [0.9375, 0.0625], [0.9375, 0.0625]]))
    found = metrics.expected_calibration_error(logits, np.array([0, 1, 0, 0]), bins=4)
    # bin (0.5, 0.75] and bin (0.75, 1]
    assert found == pytest.approx(0.5 * 0.25 + 0.5 * 0.0625)


def test_complete_groups_needs_every_image() -> None:
    right = np.array([True, True, True, False, True])
    assert metrics.complete_groups(right, np.array(["a", "a", "b", "b", "c"])) == pytest.approx(2 / 3)
