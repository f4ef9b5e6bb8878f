"""Trainings that only taught others: first steps on data sets that their track does not ask about are no results."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from benchmark import protocol as protocols
from benchmark.ledger import Ledger
from benchmark.records import Record

Place = tuple[str, str, str]
"""(hash of a track, dataset, submission)."""


def _place(record: Record) -> Place:
    return record["track"]["digest"], record["dataset"]["name"], record["submission"]["name"]


def _arm(record: Record) -> tuple[Place, str]:
    return _place(record), record["arm"]


def only_steps(units: Mapping[str, Record], ledger: Ledger) -> frozenset[str]:
    """Keys of the trainings of a submission on a dataset that only was the source of others.

    Such a dataset is no target of the track, and two-step training went on from every protocol that the submission has
    there. So neither a target that is a source, too, is meant, nor a dataset that somebody trained on for its own sake.

    Args:
        units: by key, all of a ledger.
        ledger: has the tracks.

    Raises:
        IntegrityError: when the ledger lacks a track.
    """

    @cache
    def targets(track: str) -> set[str]:
        return {pair["target"] for pair in ledger.document("tracks", track)["pairs"]}

    parents = {str(record.get("parent")) for record in units.values()} & units.keys()
    taught = {_arm(units[key]) for key in parents}
    asked = {_place(one) for one in units.values() if protocols.known(one["arm"]) and _arm(one) not in taught}
    aside = {place for place, _ in taught if place not in asked and place[1] not in targets(place[0])}
    return frozenset(key for key, record in units.items() if _place(record) in aside)
