"""All trainings of one protocol on one target, and which of them make full repeats."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from benchmark.records import Record

Place = tuple[int, int]
"""(repeat, fold)."""


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
