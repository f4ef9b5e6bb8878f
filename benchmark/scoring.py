"""Sealed scoring: the only place where logits meet the labels of the test part.

Runs outside every sandbox. Scores are computed from the *stored* predictions (half precision), so
that whoever recomputes them later gets the same figures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES, Manifest
from benchmark.stats import metrics

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


def by_group(stored: Stored, manifest: Manifest, fold: int) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Names of the test groups, ascending, and their confusion matrices (groups, 24, 24)."""
    positions = manifest.part(fold, "test")
    names, index = np.unique(manifest.groups[positions], return_inverse=True)
    matrices = metrics.confusion_by_group(
        manifest.labels[positions], stored.argmax(1).astype(np.int64), index, len(names), len(CLASSES)
    )
    return [str(name) for name in names], matrices
