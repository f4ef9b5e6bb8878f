"""Stored predictions: logits beside the images, labels and groups that they are of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark.arm import Arm, Trial
from benchmark.comparison import known
from benchmark.data.manifest import CLASSES
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.results import Results
from benchmark.stats import metrics
from benchmark.workspace import folder


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one training, or the trainings of all folds of one repeat, said of their test images.

    Rows stand fold by fold, and in manifest order within a fold, so that two predictions of one target
    have the same images in the same rows.

    Attributes:
        submission: its name.
        protocol: how it was trained.
        target: the dataset.
        track: name of the track.
        repeat: from 0.
        names: id of each image, shape (n,).
        logits: float16 as they are stored, shape (n, 24); the columns are `classes`.
        labels: true class of each image as an index into `classes`, int64, shape (n,).
        groups: case or cell of each image, shape (n,): what the statistics resample.
        folds: fold in which each image was tested, int64, shape (n,).
        keys: of the units, in the order of their folds.
    """

    submission: str
    protocol: str
    target: str
    track: str
    repeat: int
    names: npt.NDArray[np.str_]
    logits: npt.NDArray[np.float16]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    folds: npt.NDArray[np.int64]
    keys: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the 24 classes: `1` to `22`, `X`, `Y`."""
        return CLASSES

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The class that each image was taken for, int64, shape (n,)."""
        return np.asarray(self.logits.argmax(1), dtype=np.int64)

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """Softmax of the logits, float32, shape (n, 24); rows sum to 1."""
        shifted = self.logits.astype(np.float32) - self.logits.max(1, keepdims=True).astype(np.float32)
        odds = np.exp(shifted)
        return np.asarray(odds / odds.sum(1, keepdims=True), dtype=np.float32)

    @property
    def macro_f1(self) -> float:
        """Mean of F1 over the classes that the images hold, in parts of 1, the folds pooled before F1 is taken."""
        return float(metrics.macro_f1(metrics.confusion(self.labels, self.predicted, len(CLASSES))))

    def columns(self) -> dict[str, list[object]]:
        """Plain columns, one row an image, for a data frame: names, folds, groups, true and predicted classes."""
        said = self.predicted
        return {
            "image": self.names.tolist(),
            "fold": self.folds.tolist(),
            "group": self.groups.tolist(),
            "label": [CLASSES[one] for one in self.labels],
            "predicted": [CLASSES[one] for one in said],
            "right": (said == self.labels).tolist(),
            "probability": self.probabilities.max(1).tolist(),
        }


def predictions(
    submission: str,
    protocol: str,
    target: str,
    *,
    repeat: int = 0,
    fold: int | None = None,
    track: str | None = None,
    version: str | None = None,
    workspace: Path | str | None = None,
) -> Predictions:
    """Stored predictions of one repeat, each checked against the hash in its record.

    Args:
        submission: its name.
        protocol: as `two-step`.
        target: the dataset.
        repeat: from 0.
        fold: only this one, from 0; default: all that are recorded.
        track: needed where the ledger holds several with this target.
        version: of the submission, or its beginning; default: the newest that is recorded.
        workspace: its folder; default: `KARYOBENCH_WORKSPACE`, else `karyobench-workspace`.

    Raises:
        InputError: when there is no such training; says which there are.
        IntegrityError: when stored predictions are missing or altered.

    Example:
        ```python
        from benchmark import predictions

        found = predictions("tf-efficientnet-lite0", "two-step", "cir-g", track="pocket", workspace="leaderboard")
        found.logits.shape, found.macro_f1
        ```
    """
    ledger = Ledger(folder(workspace) / "ledger")
    results = Results(ledger, track)
    known(ledger, results, [submission])
    trial = trial_of(results, submission, target, version)
    arm = _arm(results, trial, protocol)
    places = sorted(place for place in arm.scored if place[0] == repeat and fold in (None, place[1]))
    if not places:
        raise InputError(
            "no such training", file=ledger.path, field="repeat, fold", found=(repeat, "all" if fold is None else fold),
            allowed=", ".join(f"{r}, {f}" for r, f in sorted(arm.scored)) or "none",
        )  # fmt: skip
    records = [arm.records[place] for place in places]
    manifest = ledger.manifest(trial.manifest, records[0]["dataset"]["group"])
    tested = [manifest.part(record["fold"], "test") for record in records]
    rows = np.concatenate(tested)
    return Predictions(
        submission=submission,
        protocol=protocol,
        target=target,
        track=trial.track,
        repeat=repeat,
        names=np.array([manifest.entries[row].image for row in rows]),
        logits=np.concatenate([ledger.predictions(record) for record in records]),
        labels=manifest.labels[rows],
        groups=manifest.groups[rows],
        folds=manifest.folds[rows],
        keys=tuple(record["key"] for record in records),
    )


def _arm(results: Results, trial: Trial, protocol: str) -> Arm:
    arms = results.trials[trial]
    if protocol not in arms:
        raise InputError(
            "no training by this protocol", file=results.ledger.path, field="protocol", found=protocol,
            allowed=sorted(arms),
        )  # fmt: skip
    return arms[protocol]


def trial_of(results: Results, submission: str, target: str, version: str | None = None) -> Trial:
    """The trial of a submission on a target; of several versions the newest.

    Raises:
        InputError: when there is none, or tracks would have to be mixed.
    """
    path = results.ledger.path
    of_submission = [trial for trial in results.trials if trial.submission == submission]
    found = [trial for trial in of_submission if trial.target == target]
    if not found:
        targets = sorted({trial.target for trial in of_submission})
        raise InputError("no record on this target", file=path, field="target", found=target, allowed=targets)
    if version is not None:
        versions = [trial.model for trial in found]
        found = [trial for trial in found if trial.model.startswith(version)]
        if len({trial.model for trial in found}) != 1:
            problem = "more than one version begins so" if found else "no such version"
            raise InputError(problem, file=path, field="version", found=version, allowed=versions)
    tracks = sorted({trial.track for trial in found})
    if len(tracks) > 1:
        raise InputError("which track?", file=path, field="track", found=None, allowed=tracks)
    return found[-1]
