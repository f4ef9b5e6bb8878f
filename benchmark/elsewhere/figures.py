"""Every figure of a self-run score, from what is stored and the labels of the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmark.data.manifest import CLASSES, Manifest
from benchmark.elsewhere.matching import positions
from benchmark.scoring import Stored, tallied
from benchmark.stats import bootstrap, metrics
from benchmark.stats.bootstrap import MINIMUM_GROUPS, Interval
from benchmark.stats.pseudo import Tally, f1

WORST = 10
"""Confusions that are told."""


class ClassScore(NamedTuple):
    """F1 of one class with its 95 % interval; NaN where it has no test image, or bounds cannot be given."""

    name: str
    images: int
    f1: float
    low: float
    high: float


class Confusion(NamedTuple):
    """How many images of a class were taken for another."""

    true: str
    said: str
    times: int


class Figures(NamedTuple):
    """Of the test images of all its folds together, in parts of 1.

    Attributes:
        images: number of them.
        groups: number of cells or cases.
        macro_f1: with its 95 % interval for these predictions on other groups: whole groups are drawn again.
        accuracy: part of the images that were read rightly.
        top2: part whose class is among the two likeliest.
        ece: expected calibration error.
        classes: in the order of `CLASSES`.
        confusions: the commonest, at most `WORST`.
    """

    images: int
    groups: int
    macro_f1: Interval
    accuracy: float
    top2: float
    ece: float
    classes: list[ClassScore]
    confusions: list[Confusion]

    @property
    def scores(self) -> dict[str, float]:
        """What a kept document says, to be computed again."""
        return {"macro_f1": self.macro_f1.value, "accuracy": self.accuracy, "top2": self.top2, "ece": self.ece}

    def plain(self) -> dict[str, Any]:
        """Plain data."""
        return {
            **self._asdict(), "macro_f1": self.macro_f1._asdict(), "classes": [one._asdict() for one in self.classes],
            "confusions": [one._asdict() for one in self.confusions],
        }  # fmt: skip


def counts(stored: Stored, manifest: Manifest, folds: Sequence[int]) -> Tally:
    """Counts by group, parts of shape (1, groups, 24): groups in the order of the folds, and of their names in each.

    Args:
        stored: shape (test images, 24), in manifest order; see `matching.positions`.
        manifest: that they were tested on.
        folds: ascending.
    """
    chosen = positions(manifest, folds)
    said = stored.argmax(1)
    parts = [tallied(said[manifest.folds[chosen] == fold], manifest.tested(fold)) for fold in folds]
    return Tally(*(np.concatenate([part[i] for part in parts], axis=1) for i in range(3)))


def compute(stored: Stored, manifest: Manifest, folds: Sequence[int]) -> Figures:
    """Everything that is said of a self-run score; arguments as `counts`."""
    chosen = positions(manifest, folds)
    truth, said = manifest.labels[chosen], stored.argmax(1).astype(np.int64)
    found = counts(stored, manifest, folds)
    return Figures(
        images=len(chosen),
        groups=found.hits.shape[1],
        macro_f1=bootstrap.score_interval(found),
        accuracy=float((said == truth).mean()),
        top2=metrics.top_k(stored, truth, 2),
        ece=metrics.expected_calibration_error(stored, truth),
        classes=_classes(found),
        confusions=_confusions(metrics.confusion(truth, said, len(CLASSES))),
    )


def _classes(found: Tally) -> list[ClassScore]:
    values, images = f1(found)[0], found.true[0].sum(0)
    drawn = bootstrap.draws(found.hits.shape[1])
    hits, total, held = (
        drawn.weights @ part for part in (2 * found.hits[0], found.claimed[0] + found.true[0], found.true[0])
    )
    table = np.divide(hits, total, out=np.full_like(hits, np.nan), where=held > 0)[drawn.which]
    few = found.hits.shape[1] < MINIMUM_GROUPS
    scores = []
    for index, name in enumerate(CLASSES):
        column = table[:, index][~np.isnan(table[:, index])]
        low, high = (np.nan, np.nan) if few or not len(column) else np.quantile(column, [0.025, 0.975])
        scores.append(ClassScore(name, int(images[index]), float(values[index]), float(low), float(high)))
    return scores


def _confusions(matrix: Any) -> list[Confusion]:
    wrong = [
        (int(matrix[true, said]), true, said)
        for true, said in np.argwhere(matrix).tolist()
        if true != said
    ]  # fmt: skip
    ordered = sorted(wrong, key=lambda one: (-one[0], one[1], one[2]))[:WORST]
    return [Confusion(CLASSES[true], CLASSES[said], count) for count, true, said in ordered]
