from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.insight.quality.defects import DEFECTS
from benchmark.insight.quality.validation import Sample, auc, curve, plant, simulated, thresholds


def test_auc_is_that_of_scikit_learn_with_ties_and_weights() -> None:
    random = np.random.default_rng(0)
    good, bad = random.integers(0, 10, 60).astype(float), random.integers(2, 12, 60).astype(float)
    weights = random.integers(0, 3, (3, 60)).astype(float)
    truth, every = np.repeat([0, 1], 60), np.concatenate([good, bad])
    expected = [roc_auc_score(truth, every, sample_weight=np.tile(row, 2)) for row in weights]
    assert auc(good, bad, weights) == pytest.approx(expected)


def test_an_image_that_lost_its_body_counts_as_not_found() -> None:
    assert auc(np.zeros(4), np.array([1.0, 1.0, np.nan, np.nan]), np.ones((1, 4))) == pytest.approx(0.5)


def test_planted_defects_are_found_in_simulated_cells(tmp_path: Path) -> None:
    """A quarter of one cell of each stain: the full design is run by the command."""
    whole = simulated(1, "choice")
    assert len(whole.crops) == 92 and set(whole.cells) == {"Q0", "G0"}
    some = np.arange(0, 92, 4)
    sample = Sample(whole.crops[::4], whole.labels[some], whole.cells[some], whole.groups[some], None)
    planted = plant(sample, 0, tmp_path)
    limits = thresholds(planted)
    groups = np.arange(len(some)) // 4
    found = {name: curve(name, planted, limits[name], groups, 50, 0) for name in DEFECTS}
    values = {name: one.auc.value or 0.0 for name, one in found.items()}
    assert min(values.values()) > 0.5 and values["faded"] > 0.85 and values["neighbour"] > 0.75, values
    assert values["cut"] > 0.95
    assert all((one.flagged.value or 0) <= 0.02 + 1e-9 for one in found.values())
    again = plant(sample, 0, tmp_path)
    assert all(again.bad[name].tolist() == planted.bad[name].tolist() for name in DEFECTS)
