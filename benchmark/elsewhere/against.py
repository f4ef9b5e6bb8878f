"""A self-run score beside a submission of the ledger, image by image on the same folds.

The interval draws groups alone: nothing is known of how many trainings an outsider's predictions are of, so that it speaks
of these very predictions on other cells or people, and no verdict is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmark.arm import Arm, Trial, full_repeats
from benchmark.data.manifest import Manifest
from benchmark.elsewhere.figures import counts
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.results import Results
from benchmark.scoring import Stored
from benchmark.stats.bootstrap import Interval, gain_interval
from benchmark.stats.pseudo import Tally, macro


class Difference(NamedTuple):
    """Self-run minus a protocol of a submission, in parts of 1 of macro-F1.

    Attributes:
        submission: its name.
        version: of it.
        protocol: of it.
        repeats: of the protocol, over which it is averaged.
        score: its macro-F1 on these folds.
        difference: self-run minus that, with a 95 % interval over groups.
    """

    submission: str
    version: str
    protocol: str
    repeats: int
    score: float
    difference: Interval


def compare(
    ledger: Ledger, submission: str, track: str, dataset: str, manifest: Manifest, folds: Sequence[int], stored: Stored
) -> list[Difference]:
    """Hold predictions against every protocol of a submission that was tested on all of the folds.

    Raises:
        InputError: when the ledger holds no such submission on this track and dataset, or it was tested on other images or folds.
    """
    trial, arms = _trial(Results(ledger, track).listed(), submission, track, dataset, manifest, ledger)
    results = Results(ledger, track, [submission])
    own, found = counts(stored, manifest, folds), []
    for name, arm in arms.items():
        places = full_repeats([place for place in arm.scored if place[1] in folds])
        if {fold for _, fold in places} != set(folds):
            continue
        sealed = results.tally(arm, places)
        repeats = len(sealed.hits)
        ours = Tally(*(np.repeat(part, repeats, axis=0) for part in own))
        found.append(
            Difference(
                submission, trial.version, name, repeats, float(macro(sealed).mean()), gain_interval(ours, sealed)
            )
        )
    if not found:
        held = sorted({fold for arm in arms.values() for _, fold in arm.scored})
        raise InputError(
            "was not tested on all of these folds", file=ledger.path, field="--against", found=f"folds {', '.join(map(str, held))}",
            allowed=f"folds {', '.join(map(str, folds))}",
        )  # fmt: skip
    return found


def _trial(
    results: Results, submission: str, track: str, dataset: str, manifest: Manifest, ledger: Ledger
) -> tuple[Trial, dict[str, Arm]]:
    """The newest version of a submission on a dataset."""
    own = {trial: arms for trial, arms in results.trials.items() if trial.target == dataset}
    mine = {trial: arms for trial, arms in own.items() if trial.submission == submission}
    if not mine:
        raise InputError(
            f"no listed record of this submission on {dataset}, track {track}", file=ledger.path, field="--against", found=submission,
            allowed=sorted({trial.submission for trial in own}) or "none",
        )  # fmt: skip
    same = {trial: arms for trial, arms in mine.items() if trial.manifest == manifest.digest}
    if not same:
        raise InputError(
            "was tested on another manifest of this dataset", file=ledger.path, field="--against",
            found=" ".join(sorted({trial.manifest[:12] for trial in mine})), allowed=manifest.digest[:12],
        )  # fmt: skip
    return max(
        same.items(), key=lambda one: max(str(r["ended"]) for arm in one[1].values() for r in arm.records.values())
    )
