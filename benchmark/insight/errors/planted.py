"""How well the search for wrong labels finds errors that were planted: precision and recall with intervals.

Twice. *As given*: labels are changed where they are compared with the networks' stored probabilities, which were trained
on the true ones. *Retrained*: a logistic regression on the fixed network's features is trained on the changed labels too,
out of fold by the dataset's own folds, since wrong labels also spoil what is to find them.

An image that was wrongly labelled before anything was planted counts as a false alarm here, so that precision is a
lower bound.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.files import atomic, write_array
from benchmark.insight.errors.labels import plant, suspects
from benchmark.insight.outputs import Floats, Ints
from benchmark.insight.resample import seeds
from benchmark.stats.bootstrap import Interval

RATES = (0.01, 0.02, 0.05, 0.1)
GIVEN, RETRAINED = 40, 2
"""Plantings a rate."""

DRAWS = 2000
COMPONENTS, STRENGTH, ROUNDS, TOLERANCE = 256, 0.01, 500, 1e-3
"""Principal components of the features, and the regression's inverse penalty, iterations and tolerance."""

VERSION = 1
"""Raised whenever the regression gives other probabilities."""

How = Literal["as given", "retrained"]
Progress = Callable[[int, int | None], None]


class Check(NamedTuple):
    """Precision and recall at one rate.

    Attributes:
        how: whether the classifier was trained on the planted errors too.
        alike: whether a label was changed to one of like size.
        rate: part of the labels that were changed.
        flagged: images suspected, mean over plantings.
        planted: labels changed.
        precision: part of the suspected that were planted.
        recall: part of the planted that were suspected.
        plantings: how often it was done.
    """

    how: How
    alike: bool
    rate: float
    flagged: float
    planted: int
    precision: Interval
    recall: Interval
    plantings: int


class _Tried(NamedTuple):
    """Counts of one planting by group, each (groups,)."""

    hits: Floats
    flagged: Floats
    planted: Floats


def tried(given: Ints, changed: npt.NDArray[np.bool_], chances: Floats, column: Ints, groups: int) -> _Tried:
    """Look for wrong labels in one planting."""
    found = suspects(given, chances).suspected
    parts = (found & changed, found, changed)
    return _Tried(*(np.bincount(column, weights=one, minlength=groups).astype(np.float64) for one in parts))


def summed(how: How, alike: bool, rate: float, trials: Sequence[_Tried], random: np.random.Generator) -> Check:
    """Precision and recall over plantings; intervals draw a planting and groups."""
    hits, flagged, planted = (np.stack([getattr(one, name) for one in trials]) for name in _Tried._fields)
    groups = hits.shape[1]
    which = random.integers(len(trials), size=DRAWS)
    weights = random.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS)
    drawn = [(weights * one[which]).sum(axis=1) for one in (hits, flagged, planted)]
    return Check(
        how, alike, rate, float(flagged.sum(axis=1).mean()), int(planted[0].sum()),
        _part(hits.sum(), flagged.sum(), drawn[0], drawn[1]), _part(hits.sum(), planted.sum(), drawn[0], drawn[2]), len(trials),
    )  # fmt: skip


def _part(over: float, under: float, drawn_over: Floats, drawn_under: Floats) -> Interval:
    if not under:
        return Interval(0.0, 0.0, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = np.nanquantile(drawn_over / drawn_under, [0.025, 0.975])
    return Interval(float(over / under), float(low), float(high))


def as_given(labels: Ints, chances: Floats, column: Ints, seed: int, name: str, rates: Sequence[float]) -> list[Check]:
    """Plant errors in the comparison alone.

    Args:
        labels: as they are, (images,).
        chances: out-of-fold probabilities, (images, 24).
        column: number of the group of each image.
        seed: of the plantings.
        name: of the data, which the seed is mixed with.
        rates: parts of the labels that are changed.
    """
    groups, checks = int(column.max()) + 1, []
    for alike in (False, True):
        for rate in rates:
            random = seeds(seed, f"as given {name} {alike} {rate}")
            trials = [tried(*plant(labels, rate, alike, random), chances, column, groups) for _ in range(GIVEN)]
            checks.append(summed("as given", alike, rate, trials, random))
    return checks


class Regression:
    """A logistic regression on features, trained out of fold; results are kept in a folder.

    Args:
        features: of the images, (images, d).
        folds: fold in which each image is tested, (images,).
        folder: where probabilities are kept; None keeps nothing.
    """

    def __init__(self, features: npt.NDArray[np.float32], folds: Ints, folder: Path | None) -> None:
        self._features, self._folds, self._folder = features, folds, folder
        self._origin = hashlib.sha256(features.tobytes() + folds.tobytes()).hexdigest()
        self._parts: list[tuple[Floats, Floats, Ints, Ints]] = []
        self.trained = 0

    def __call__(self, labels: Ints) -> Floats:
        """Probabilities of every image by a regression that was trained on the other folds with these labels."""
        settings = f"{VERSION} {COMPONENTS} {STRENGTH} {ROUNDS} {TOLERANCE} {self._origin}".encode()
        path = self._folder and self._folder / f"{hashlib.sha256(settings + labels.tobytes()).hexdigest()}.npy"
        kept = _read(path, len(labels))
        if kept is None:
            kept = self._train(labels).astype(np.float32)
            if path:
                with atomic(path, durable=False) as file:
                    write_array(file, kept)
        return kept.astype(np.float64)

    def _train(self, labels: Ints) -> Floats:
        from sklearn.linear_model import LogisticRegression

        self.trained += 1
        found = np.zeros((len(labels), len(CLASSES)))
        for seen, unseen, train, test in self._components():
            model = LogisticRegression(C=STRENGTH, max_iter=ROUNDS, tol=TOLERANCE).fit(seen, labels[train])
            found[np.ix_(test, model.classes_)] = model.predict_proba(unseen)
        return found

    def _components(self) -> list[tuple[Floats, Floats, Ints, Ints]]:
        """For each fold: components of the training and of the test part, and which images they are."""
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if not self._parts:
            for fold in np.unique(self._folds):
                train, test = np.flatnonzero(self._folds != fold), np.flatnonzero(self._folds == fold)
                number = min(COMPONENTS, len(train) - 1, self._features.shape[1])
                model = make_pipeline(StandardScaler(), PCA(number, random_state=0)).fit(self._features[train])
                self._parts.append((*(model.transform(self._features[one]) for one in (train, test)), train, test))
        return self._parts


def _read(path: Path | None, images: int) -> npt.NDArray[np.float32] | None:
    """Kept probabilities; None where there are none or they are damaged, since they can be computed again."""
    if path is None:
        return None
    try:
        kept: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept if kept.shape == (images, len(CLASSES)) and kept.dtype == np.float32 else None


def retrained(
    labels: Ints, regression: Regression, column: Ints, seed: int, name: str, rates: Sequence[float],
    progress: Progress | None = None,
) -> list[Check]:  # fmt: skip
    """Plant errors in training as well; arguments as `as_given`."""
    groups, checks = int(column.max()) + 1, []
    total, done = 2 * len(rates) * RETRAINED, 0
    for alike in (False, True):
        for rate in rates:
            random = seeds(seed, f"retrained {name} {alike} {rate}")
            trials = []
            for _ in range(RETRAINED):
                given, changed = plant(labels, rate, alike, random)
                trials.append(tried(given, changed, regression(given), column, groups))
                done += 1
                if progress:
                    progress(done, total)
            checks.append(summed("retrained", alike, rate, trials, random))
    return checks
