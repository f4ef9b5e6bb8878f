"""From ledger records to arms that may be compared: the only reader of records for tables and pages.

Every figure is computed again from the stored predictions. Arms are paired only within one
submission version, track version and manifest, and only over the folds and repeats both have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.errors import InputError
from benchmark.ledger import Ledger, Record
from benchmark.protocol import PROTOCOLS
from benchmark.scoring import by_group
from benchmark.stats.bootstrap import Interval, gain_interval, score_interval

Ints = npt.NDArray[np.int64]
Place = tuple[int, int]
"""(repeat, fold)."""


class Trial(NamedTuple):
    """What makes trainings comparable: one submission version on one target of one track version."""

    submission: str
    model: str
    track: str
    track_digest: str
    target: str
    manifest: str


@dataclass
class Arm:
    """All trainings of one protocol of a trial.

    Args:
        protocol: its name.
        records: by place.
    """

    protocol: str
    records: dict[Place, Record] = field(default_factory=dict)

    @property
    def failed(self) -> list[Place]:
        """Places whose training failed."""
        return sorted(place for place, record in self.records.items() if record["status"] == "failed")

    @property
    def scored(self) -> set[Place]:
        """Places with predictions."""
        return {place for place, record in self.records.items() if record["status"] == "scored"}


class Comparison(NamedTuple):
    """A gain with its interval, in parts of 1, and what it rests on."""

    protocol: str
    baseline: str
    gain: Interval
    trainings: int
    groups: int


class Results:
    """Reads a ledger once.

    Args:
        ledger: where from.
        track: only records of this track.
        submissions: only these; default: all.
    """

    def __init__(self, ledger: Ledger, track: str | None = None, submissions: Sequence[str] | None = None) -> None:
        self.ledger = ledger
        self.trials: dict[Trial, dict[str, Arm]] = {}
        self._groups: dict[str, tuple[list[str], Ints]] = {}
        for record in ledger.by_key().values():
            if record["arm"] not in PROTOCOLS or (track and record["track"]["name"] != track):
                continue
            if submissions and record["submission"]["name"] not in submissions:
                continue
            trial = self._trial(record)
            arms = self.trials.setdefault(trial, {})
            arm = arms.setdefault(record["arm"], Arm(record["arm"]))
            arm.records[record["repeat"], record["fold"]] = record

    @staticmethod
    def _trial(record: Record) -> Trial:
        submission, track, dataset = record["submission"], record["track"], record["dataset"]
        version = f"{submission['model']}:{submission['code']}"
        return Trial(submission["name"], version, track["name"], track["digest"], dataset["name"], dataset["manifest"])

    def matrices(self, arm: Arm, places: Sequence[Place]) -> Ints:
        """Confusion matrices by training and group, shape (repeats, groups, 24, 24).

        The folds of one repeat together are one training in this sense: each tests its own groups.

        Raises:
            InputError: when the repeats do not hold the same folds.
        """
        repeats = sorted({repeat for repeat, _ in places})
        folds = [sorted(fold for r, fold in places if r == repeat) for repeat in repeats]
        if any(found != folds[0] for found in folds):
            raise InputError("repeats hold different folds", field=arm.protocol, found=folds)
        return np.stack([np.concatenate([self._by_group(arm.records[r, f])[1] for f in folds[0]]) for r in repeats])

    def _by_group(self, record: Record) -> tuple[list[str], Ints]:
        if record["key"] not in self._groups:
            manifest = self.ledger.manifest(record["dataset"]["manifest"], record["dataset"]["group"])
            self._groups[record["key"]] = by_group(self.ledger.predictions(record), manifest, record["fold"])
        return self._groups[record["key"]]

    @staticmethod
    def full_repeats(places: set[Place]) -> list[Place]:
        """Places of the repeats that hold every fold that any repeat holds."""
        folds = {fold for _, fold in places}
        full = [r for r in sorted({r for r, _ in places}) if all((r, fold) in places for fold in folds)]
        return sorted((r, fold) for r in full for fold in folds)

    def score(self, arm: Arm) -> Interval:
        """Macro-F1 of an arm over its full repeats, with a grouped bootstrap interval.

        Raises:
            InputError: when nothing of it was scored.
        """
        places = self.full_repeats(arm.scored)
        if not places:
            raise InputError("no scored training", field=arm.protocol)
        return score_interval(self.matrices(arm, places))

    def compare(self, arms: dict[str, Arm], protocol: str, baseline: str) -> Comparison | None:
        """Gain of one protocol over another in one trial; None where they share no training.

        Args:
            arms: of one trial, by protocol.
            protocol: the arm.
            baseline: what it is measured against.
        """
        if protocol not in arms or baseline not in arms:
            return None
        places = self.full_repeats(arms[protocol].scored & arms[baseline].scored)
        if not places:
            return None
        first, second = self.matrices(arms[protocol], places), self.matrices(arms[baseline], places)
        return Comparison(protocol, baseline, gain_interval(first, second), len(places), first.shape[1])


def summary(results: Results, baseline: str) -> list[dict[str, Any]]:
    """One entry a trial: scores and gains of every protocol, as plain data in parts of 1.

    Where a ledger holds several versions of one track, its name carries the version.
    """
    rows = []
    versions = {(trial.track, trial.track_digest) for trial in results.trials}
    several = {name for name, count in Counter(name for name, _ in versions).items() if count > 1}
    for trial, arms in sorted(results.trials.items()):
        label = f"{trial.track}-{trial.track_digest[:8]}" if trial.track in several else trial.track
        row: dict[str, Any] = {"submission": trial.submission, "track": label, "target": trial.target}
        row["track_digest"] = trial.track_digest
        row["simulated"] = any(r["track"]["simulated"] for a in arms.values() for r in a.records.values())
        row["pinned"] = all(r["submission"]["pinned"] for a in arms.values() for r in a.records.values())
        row["protocols"] = {}
        for name in (p for p in PROTOCOLS if p in arms):
            arm = arms[name]
            entry: dict[str, Any] = {}
            if arm.scored:
                entry["macro_f1"] = results.score(arm)._asdict()
                entry["trainings"] = len(results.full_repeats(arm.scored))
            entry["failed"] = [arm.records[place]["failure"]["kind"] for place in arm.failed]
            found = results.compare(arms, name, baseline) if name != baseline else None
            if found:
                entry["gain"] = {
                    "over": baseline,
                    **found.gain._asdict(),
                    "trainings": found.trainings,
                    "groups": found.groups,
                }
            row["protocols"][name] = entry
        rows.append(row)
    return rows
