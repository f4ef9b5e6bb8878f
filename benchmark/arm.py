"""What makes trainings comparable; all of one protocol on one target, and which of them make full repeats."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from benchmark.records import Record
from benchmark.withdrawal import version_name

Place = tuple[int, int]
"""(repeat, fold)."""


class Trial(NamedTuple):
    """What makes trainings comparable: one submission version on one target of one track version, by one era of the harness.

    Attributes:
        submission: its name.
        model: its version: model and code.
        track: name.
        track_digest: its version.
        target: dataset.
        manifest: its version.
        era: of the harness, see `benchmark.versions`.
        weights: hash of the ImageNet weights; empty where no training started from any.
    """

    submission: str
    model: str
    track: str
    track_digest: str
    target: str
    manifest: str
    era: str = ""
    weights: str = ""

    @property
    def frame(self) -> tuple[str, str]:
        """What makes submissions comparable: the version of the track and the era of the harness."""
        return self.track_digest, self.era

    @property
    def version(self) -> str:
        """What to call its version, in eight hex digits: of model, code and weights."""
        return version_name(self.model, self.weights)


def full_repeats(places: Collection[Place]) -> list[Place]:
    """Places of the repeats that hold every fold that any repeat holds."""
    folds = {fold for _, fold in places}
    full = [r for r in sorted({r for r, _ in places}) if all((r, fold) in places for fold in folds)]
    return sorted((r, fold) for r in full for fold in folds)


@dataclass
class Arm:
    """All trainings of one protocol of a trial.

    Args:
        protocol: its name.
        records: by place; all of them, before anything is asked of it.
    """

    protocol: str
    records: dict[Place, Record] = field(default_factory=dict)

    @property
    def failed(self) -> list[Place]:
        """Places whose training failed."""
        return sorted(place for place, record in self.records.items() if record["status"] == "failed")

    @cached_property
    def scored(self) -> frozenset[Place]:
        """Places with predictions."""
        return frozenset(place for place, record in self.records.items() if record["status"] == "scored")

    @cached_property
    def full(self) -> tuple[Place, ...]:
        """Places with predictions of its full repeats: see `full_repeats`."""
        return tuple(full_repeats(self.scored))

    def hashes(self, places: Sequence[Place]) -> list[str]:
        """Hashes of the records of some places, in their order."""
        return [self.records[place]["hash"] for place in places]


def ended(trial: Trial, arms: Mapping[str, Arm]) -> str:
    """When the last training of a trial's own ended: those that started from no weights it may share with other versions."""
    records = [record for arm in arms.values() for record in arm.records.values()]
    own = [record for record in records if (record["weights"] or "") == trial.weights]
    return max(str(record["ended"]) for record in own or records)
