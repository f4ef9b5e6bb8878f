"""Sealed scoring: the only place where logits meet the labels of the test part.

Runs outside every sandbox. Scores are computed from the *stored* predictions (half precision), so
that whoever recomputes them later gets the same figures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES, Manifest, Tested
from benchmark.stats import metrics
from benchmark.stats.pseudo import Tally

Stored = npt.NDArray[np.float16]


def unpermute(logits: npt.NDArray[np.float32], order: npt.NDArray[np.int64]) -> Stored:
    """Logits in manifest order, as they are stored.

    Args:
        logits: shape (n, classes), row i belongs to test image `order[i]`.
        order: the permutation the unit was given.

    Returns:
        float16, shape (n, classes), row j belongs to the j-th test image of the manifest.
    """
    stored = np.empty(logits.shape, dtype=np.float16)
    stored[order] = np.clip(logits, -60000, 60000).astype(np.float16)
    return stored


def score(stored: Stored, manifest: Manifest, fold: int) -> dict[str, Any]:
    """Every figure of one unit on the test part of its fold.

    Args:
        stored: predictions in manifest order, shape (test images, 24).
        manifest: of the dataset that was tested.
        fold: whose test part.

    Returns:
        Plain data: parts of 1, and the confusion matrix with true classes in rows.
    """
    positions = manifest.part(fold, "test")
    truth = manifest.labels[positions]
    predicted = stored.argmax(1).astype(np.int64)
    matrix = metrics.confusion(truth, predicted, len(CLASSES))
    f1 = metrics.f1_per_class(matrix)
    cells = manifest.cells[positions]
    known = cells != ""
    return {
        "images": len(truth),
        "macro_f1": float(metrics.macro_f1(matrix)),
        "accuracy": float((predicted == truth).mean()),
        "top2": metrics.top_k(stored, truth, 2),
        "ece": metrics.expected_calibration_error(stored, truth),
        "karyotype_accuracy": metrics.complete_groups((predicted == truth)[known], cells[known])
        if known.any()
        else None,
        "f1": {name: None if np.isnan(value) else float(value) for name, value in zip(CLASSES, f1, strict=True)},
        "confusion": matrix.tolist(),
    }


def by_group(said: npt.NDArray[np.integer[Any]], tested: Tested) -> npt.NDArray[np.int64]:
    """Confusion matrices of the test groups, in the order of their names, shape (..., groups, 24, 24).

    Args:
        said: the class that each test image was taken for, in manifest order, shape (..., n): `stored.argmax(-1)`.
        tested: the test part.
    """
    truth, names, group = tested
    return metrics.confusion_by_group(truth, said.astype(np.int64), group, len(names), len(CLASSES))


def tallied(said: npt.NDArray[np.integer[Any]], tested: Tested) -> Tally:
    """Counts of the test groups, one row: those of `by_group`'s matrices, without the matrices; arguments likewise."""
    truth, names, group = tested
    shape, cell = (1, len(names), len(CLASSES)), group * len(CLASSES)
    parts = ((cell + truth)[said == truth], cell + said, cell + truth)
    return Tally(*(np.bincount(one, minlength=shape[1] * shape[2]).reshape(shape).astype(np.float64) for one in parts))
