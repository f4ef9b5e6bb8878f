"""Scores of predictions, as functions of confusion matrices or logits.

A class with no true image is left out of the macro mean, as scikit-learn does for
`f1_score(labels=classes present in the truth, average="macro")`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Confusion matrix.

    Args:
        truth: class indices, shape (n,).
        predicted: class indices, shape (n,).
        classes: number of classes.

    Returns:
        Counts, shape (classes, classes); rows are the truth.
    """
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def confusion_by_group(truth: Ints, predicted: Ints, group: Ints, groups: int, classes: int) -> Ints:
    """One confusion matrix a group, shape (..., groups, classes, classes), of predictions of shape (..., n)."""
    before = predicted.shape[:-1]
    many = int(np.prod(before))
    cell = (group * classes + truth) * classes + predicted.reshape(many, -1)
    cell += np.arange(many)[:, None] * (groups * classes * classes)
    flat = np.bincount(cell.ravel(), minlength=many * groups * classes * classes)
    return flat.reshape(*before, groups, classes, classes).astype(np.int64, copy=False)


def f1_per_class(matrices: npt.NDArray[np.generic]) -> Floats:
    """F1 of every class; NaN where a class has no true image.

    Args:
        matrices: confusion matrices, shape (..., classes, classes).

    Returns:
        Shape (..., classes).
    """
    counts = np.asarray(matrices, dtype=np.float64)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    true, claimed = counts.sum(-1), counts.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(true > 0, 2 * hits / (true + claimed), np.nan)


def macro_f1(matrices: npt.NDArray[np.generic]) -> Floats:
    """Unweighted mean of F1 over the classes that occur in the truth, shape (...).

    Raises:
        ValueError: when a matrix is empty.
    """
    scores = f1_per_class(matrices)
    if np.isnan(scores).all(-1).any():
        raise ValueError("macro-F1 of no images is not defined")
    return np.asarray(np.nanmean(scores, axis=-1), dtype=np.float64)


def softmax(logits: npt.NDArray[np.generic]) -> Floats:
    """Probabilities of logits, along the last axis."""
    values = np.asarray(logits, dtype=np.float64)
    powers = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), dtype=np.float64)


def top_k(logits: npt.NDArray[np.generic], truth: Ints, k: int) -> float:
    """Part of the images whose true class is among the k largest logits (ties: lower index first)."""
    order = np.argsort(-np.asarray(logits, dtype=np.float64), axis=-1, kind="stable")[:, :k]
    return float((order == truth[:, None]).any(1).mean())


def expected_calibration_error(logits: npt.NDArray[np.generic], truth: Ints, bins: int = 15) -> float:
    """Expected calibration error with bins of equal width (Guo et al. 2017, arXiv:1706.04599).

    Args:
        logits: shape (n, classes).
        truth: shape (n,).
        bins: number of bins over confidence 0 to 1.
    """
    probabilities = softmax(logits)
    confidence = probabilities.max(-1)
    right = probabilities.argmax(-1) == truth
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    gap = np.abs(np.bincount(which, confidence, bins) - np.bincount(which, right, bins))
    return float(gap[count > 0].sum() / len(truth))


def complete_groups(right: npt.NDArray[np.bool_], group: npt.NDArray[np.str_]) -> float:
    """Part of the groups (cells) in which every image is right: karyotype-level accuracy."""
    _, index = np.unique(group, return_inverse=True)
    wrong = np.bincount(index, weights=~right)
    return float((wrong == 0).mean())
