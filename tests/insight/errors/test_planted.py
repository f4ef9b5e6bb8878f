from pathlib import Path

import numpy as np
import pytest

from benchmark.insight.errors.planted import Regression, as_given, retrained
from benchmark.stats.metrics import softmax

GROUPS, EACH = 20, 48


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, ...]:
    """Labels, features that nearly tell them, groups and folds."""
    random = np.random.default_rng(0)
    truth = np.tile(np.arange(EACH) % 24, GROUPS)
    centres = random.normal(0, 1, (24, 30))
    features = (centres[truth] + random.normal(0, 0.45, (len(truth), 30))).astype(np.float32)
    column = np.repeat(np.arange(GROUPS), EACH)
    return truth, features, column, column % 5


def test_as_given_the_search_is_good_where_the_network_is(made: tuple[np.ndarray, ...]) -> None:
    truth, _, column, _ = made
    random = np.random.default_rng(1)
    sure = softmax(np.eye(24)[truth] * 9 + random.normal(0, 1, (len(truth), 24)))
    checks = as_given(truth, sure, column, 0, "a", rates=(0.02, 0.1))
    assert [(one.how, one.alike, one.rate) for one in checks] == [
        ("as given", False, 0.02), ("as given", False, 0.1), ("as given", True, 0.02), ("as given", True, 0.1),
    ]  # fmt: skip
    for one in checks:
        assert one.planted == round(one.rate * len(truth)) and one.plantings == 40
        assert one.recall.value > 0.8 and one.recall.low <= one.recall.value <= one.recall.high
        assert one.precision.low <= one.precision.value <= one.precision.high
    blind = as_given(truth, np.full((len(truth), 24), 1 / 24), column, 0, "a", rates=(0.1,))[0]
    assert blind.precision.value == pytest.approx(0.1, abs=0.05) or blind.flagged == 0


def test_wrong_labels_in_training_cost_something_and_a_second_run_trains_nothing(
    made: tuple[np.ndarray, ...], tmp_path: Path
) -> None:
    truth, features, column, folds = made
    model = Regression(features, folds, tmp_path)
    clean = model(truth)
    assert (clean.argmax(1) == truth).mean() > 0.9 and model.trained == 1
    told: list[tuple[int, int | None]] = []
    checks = retrained(truth, model, column, 0, "a", (0.05,), lambda *one: told.append(one))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)] and model.trained == 5
    assert all(one.recall.value > 0.5 and one.precision.value > 0.2 for one in checks)
    again = Regression(features, folds, tmp_path)
    assert retrained(truth, again, column, 0, "a", rates=(0.05,)) == checks and again.trained == 0
    for kept in tmp_path.glob("*.npy"):
        kept.write_bytes(b"damaged")
    assert retrained(truth, again, column, 0, "a", rates=(0.05,)) == checks and again.trained == 4


def test_no_image_is_judged_by_a_regression_that_saw_its_group(made: tuple[np.ndarray, ...]) -> None:
    """Features that tell the group and nothing else are worth nothing out of fold."""
    truth, _, column, folds = made
    leaky = (np.eye(GROUPS)[column] + 0.01 * np.eye(24)[truth] @ np.zeros((24, GROUPS))).astype(np.float32)
    labels = column % 24  # a class a group
    assert (Regression(leaky, folds, None)(labels).argmax(1) == labels).mean() < 0.1
