"""What happened to the board, by date: who entered, grew, was replaced, reproduced or withdrawn."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from benchmark import protocol as protocols
from benchmark.board.model import Change
from benchmark.board.reading import Reading
from benchmark.grading import GRADES
from benchmark.records import Record
from benchmark.withdrawal import version

Version = tuple[str, str, str]
"""Track digest, submission, version."""


def changes(reading: Reading) -> tuple[Change, ...]:
    """All entries, newest first; several trainings of a version on one day are one entry."""
    found = [*_units(reading), *_reproductions(reading), *_withdrawals(reading)]
    return tuple(sorted(found, key=lambda one: (one.date, one.submission, one.kind), reverse=True))


def _day(record: Record) -> str:
    return str(record["ended"])[:10]


def _units(reading: Reading) -> Iterable[Change]:
    days: dict[Version, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in reading.all_records:
        if protocols.known(record["arm"]):
            place = record["track"]["digest"], record["submission"]["name"], version(record)
            days[place][_day(record)].append(record)
    labels = {line.trial.track_digest: str(line.summary["track"]) for line in reading.lines}
    before: set[tuple[str, str]] = set()
    for (digest, name, _), by_day in days.items():
        for number, (_, records) in enumerate(sorted(by_day.items())):
            kind = "extended" if number else "replaced" if (digest, name) in before else "entered"
            before.add((digest, name))
            label = labels[digest]
            words = {
                "entered": f"entered the {label} track",
                "extended": f"has more trainings on the {label} track",
                "replaced": f"has a new version on the {label} track, which replaces the one before",
            }[kind]
            date = max(str(record["ended"]) for record in records)
            yield Change(date=date, kind=kind, submission=name, track=label, text=f"{name} {words}: {_what(records)}.")


def _what(records: list[Record]) -> str:
    held = protocols.ordered({str(record["arm"]) for record in records})
    targets = sorted({record["dataset"]["name"] for record in records})
    failed = sum(record["status"] == "failed" for record in records)
    number = f"{len(records)} training{'s' * (len(records) > 1)}"
    return f"{number} ({', '.join(held)}) on {', '.join(targets)}" + (f", of which {failed} failed" if failed else "")


def _reproductions(reading: Reading) -> Iterable[Change]:
    days: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in reading.reproductions:
        original = reading.records.get(record["of"])
        if original is not None:
            days[original["submission"]["name"], _day(record)].append(record)
    for (name, _), records in days.items():
        counted = Counter(str(record["grade"]) for record in records)
        grades = ", ".join(f"{counted[grade]} {grade}" for grade in GRADES if counted[grade])
        number = f"{len(records)} record{'s' * (len(records) > 1)}"
        date = max(str(record["ended"]) for record in records)
        yield Change(
            date=date,
            kind="reproduced",
            submission=name,
            track=None,
            text=f"{number} of {name} trained again: {grades}.",
        )


def _withdrawals(reading: Reading) -> Iterable[Change]:
    for record in reading.withdrawals:
        name = str(record["submission"])
        text = f"{name} was withdrawn: {record['reason']}"
        yield Change(date=record["ended"], kind="withdrawn", submission=name, track=None, text=text)
