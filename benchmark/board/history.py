"""What happened to the board, by date: who entered, grew, was replaced, corrected, reproduced or withdrawn."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from benchmark import protocol as protocols
from benchmark.board import elsewhere
from benchmark.board.model import Change, ChangeKind
from benchmark.board.plain import shorten
from benchmark.board.reading import Reading
from benchmark.correction import differences
from benchmark.grading import GRADES
from benchmark.records import Record
from benchmark.versions import era
from benchmark.withdrawal import version, version_name

Place = tuple[tuple[str, str], str, str]
"""Frame of a trial (see `Trial.frame`), submission, model and code."""


class Version(NamedTuple):
    """One version of a submission on one track.

    Attributes:
        place: where it is.
        weights: that it started from; empty for none.
    """

    place: Place
    weights: str

    @property
    def name(self) -> str:
        """What its page is called; see `Trial.version`."""
        return version_name(self.place[2], self.weights)


def changes(reading: Reading) -> tuple[Change, ...]:
    """All entries, newest first; several trainings of a version on one day are one entry."""
    places = [_place(record) for record in reading.all_records]
    found = [
        *_units(reading, places),
        *_reproductions(reading),
        *_withdrawals(reading),
        *_corrections(reading),
        *_rewritten(reading, places),
        *elsewhere.changes(reading),
    ]
    return tuple(sorted(found, key=lambda one: (one.date, one.submission, one.kind), reverse=True))


def _day(record: Record) -> str:
    return str(record["ended"])[:10]


def _versions(reading: Reading, places: Sequence[Place]) -> dict[Version, list[Record]]:
    """Records of trainings by version, in the ledger's order; those that started from no weights go with the first that did."""
    units = [one for one in zip(places, reading.all_records, strict=True) if protocols.known(one[1]["arm"])]
    first: dict[Place, str] = {}
    for place, record in units:
        if record["weights"]:
            first.setdefault(place, str(record["weights"]))
    found: dict[Version, list[Record]] = defaultdict(list)
    for place, record in units:
        found[Version(place, record["weights"] or first.get(place, ""))].append(record)
    return found


def _place(record: Record) -> Place:
    return (record["track"]["digest"], era(record)), record["submission"]["name"], version(record)


def _units(reading: Reading, places: Sequence[Place]) -> Iterable[Change]:
    labels = {line.trial.frame: str(line.summary["track"]) for line in reading.lines}
    before: dict[tuple[tuple[str, str], str], tuple[Version, Record]] = {}
    for one, records in _versions(reading, places).items():
        frame, name, _ = one.place
        older = before.get((frame, name))
        before[frame, name] = one, records[-1]
        by_day: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_day[_day(record)].append(record)
        for number, (_, own) in enumerate(sorted(by_day.items())):
            kind: ChangeKind = "extended" if number else "replaced" if older else "entered"
            words = {
                "entered": f"entered the {labels[frame]} track",
                "extended": f"has more trainings on the {labels[frame]} track",
                "replaced": f"has a new version on the {labels[frame]} track" + (
                    f", {one.name}, which replaces {older[0].name} ({_differs(older, one, own[0])})" if older else ""
                ),
            }[kind]  # fmt: skip
            yield Change(
                date=max(str(record["ended"]) for record in own),
                kind=kind,
                submission=name,
                track=labels[frame],
                text=f"{name} {words}: {_what(own)}.",
                earlier=older[0].name if older and kind == "replaced" and _has_page(reading, name, older[0]) else "",
            )


def _has_page(reading: Reading, name: str, one: Version) -> bool:
    return one.name != reading.newest(name).trial.version and any(
        line.trial.version == one.name for line in reading.by_submission[name]
    )


def _differs(older: tuple[Version, Record], one: Version, record: Record) -> str:
    """What a new version has that the one before has not."""
    was, now = older[1]["submission"], record["submission"]
    parts = [
        name
        for name, other in (("code", was["code"] != now["code"]), ("weights", older[0].weights != one.weights))
        if other
    ]
    if was["model"] != now["model"] and was["code"] == now["code"]:
        parts.insert(0, "network")
    return f"other {' and '.join(parts)}" if parts else "trained again"


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
        number = len(record["versions"])
        text = f"{name} was withdrawn ({number} version{'s' * (number > 1)}): {record['reason']}"
        yield Change(date=record["ended"], kind="withdrawn", submission=name, track=None, text=text)


def _corrections(reading: Reading) -> Iterable[Change]:
    for record in reading.corrections:
        yield _corrected(
            reading, record["submission"], record["before"], record["document"], record["ended"], record["reason"]
        )


def _rewritten(reading: Reading, places: Sequence[Place]) -> Iterable[Change]:
    """Documents of one version that said something else when more of it was trained."""
    known: dict[Place, str] = {}
    for place, record in zip(places, reading.all_records, strict=True):
        now = record["submission"].get("document")
        was = known.get(place)
        if now and was and now != was and differences(reading.document(was), reading.document(now)):
            yield _corrected(reading, record["submission"]["name"], was, now, record["ended"], None)
        if now:
            known[place] = now


def _corrected(reading: Reading, name: str, before: str, after: str, date: str, reason: str | None) -> Change:
    was, now = reading.document(before), reading.document(after)
    told = [f"{field} from {_shown(was, field)} to {_shown(now, field)}" for field in differences(was, now)]
    why = f" ({reason})" if reason else ""
    return Change(
        date=date, kind="corrected", submission=name, track=None,
        text=f"{name} was corrected{why}: {'; '.join(told) or 'nothing that is shown'}. No result hangs on it: its records stay.",
    )  # fmt: skip


def _shown(document: dict[str, Any], field: str) -> str:
    value = document.get(field)
    return "nothing" if value is None else f"“{shorten(str(value), 80)}”"
