"""The page of one submission, and its counts for a comparison, from a ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from benchmark import strict_yaml
from benchmark.board.collect import by_track, number, row
from benchmark.board.counted import TOGETHER, Known, counted
from benchmark.board.detail_model import (
    CellLine,
    ClassLine,
    Counts,
    Curve,
    Detail,
    RecordLine,
    Tallies,
    TargetDetail,
    TrackDetail,
)
from benchmark.board.figures import Figures
from benchmark.board.model import Board, Change, Row, about
from benchmark.board.reading import Line, Reading
from benchmark.board.versions import own as own_records
from benchmark.board.versions import versions, withdrawal
from benchmark.crew import slices
from benchmark.data.manifest import CLASSES
from benchmark.files import digest
from benchmark.protocol import TWO_STEP
from benchmark.provenance import harness
from benchmark.records import Record
from benchmark.versions import sentences, table

MOST_WORST = 12


class Page(NamedTuple):
    """A submission's own part of the board, made when it is asked for.

    Attributes:
        submission: its name.
        key: gives a hash of all that decides it: equal keys make equal files.
        make: gives its page's data, and its counts by track.
    """

    submission: str
    key: Callable[[], str]
    make: Callable[[], tuple[Detail, list[Tallies]]]


def pages(reading: Reading, board: Board) -> Iterator[Page]:
    """The parts of all submissions that the ledger holds, in the order of their names."""
    rows: dict[str, list[Row]] = defaultdict(list)
    changes: dict[str, list[Change]] = defaultdict(list)
    for one in board.rows:
        rows[one.submission].append(one)
    for change in board.changes:
        if not change.elsewhere:
            changes[change.submission].append(change)
    labels = (f"{one.label} {one.digest}" for one in board.tracks)
    frame = [board.source.harness, table().model_dump_json(), *labels, *reading.cards]
    shares = slices(list(reading.by_submission), TOGETHER)
    latest = lru_cache(maxsize=1)(lambda number: counted(reading, shares[number]))
    reported = about(board.insight)
    for place, name in enumerate(reading.by_submission):
        own = rows[name], changes[name]
        told = [frame, [one.model_dump_json() for one in reported.get(name, ())]]
        key = partial(_key, reading, name, *own, told)
        yield Page(name, key, partial(_both, partial(latest, place // TOGETHER), reading, name, *own))


def _key(reading: Reading, name: str, rows: Sequence[Row], changes: Sequence[Change], told: Sequence[Any]) -> str:
    return digest([harness()["code"], *told, *_decided(reading, name, rows, changes)])


def _both(
    figures_of: Callable[[], Known], reading: Reading, name: str, rows: Sequence[Row], changes: Sequence[Change]
) -> tuple[Detail, list[Tallies]]:
    return detail(reading, name, rows, changes, figures_of()), tallies(reading, name, figures_of())


def _decided(reading: Reading, name: str, rows: Sequence[Row], changes: Sequence[Change]) -> Iterator[Any]:
    """Everything that the page of a submission hangs on, beside the program and what all pages share."""
    for line in reading.by_submission[name]:
        for record in line.records:
            judged = reading.curves.get(record["key"])
            yield [record["hash"], reading.grades.get(record["key"]), judged.word if judged else ""]
        yield [reading.is_withdrawn(line.trial), line.trial.version, reading.corrected.of(name, _document(line))]
    yield [one.model_dump_json() for one in (*rows, *changes)]
    yield reading.parameters([record for line in reading.by_submission[name] for record in line.records])


def _document(line: Line) -> str:
    return str(line.records[-1]["submission"].get("document") or "")


def detail(
    reading: Reading, submission: str, rows: Sequence[Row], changes: Sequence[Change], known: Known | None = None
) -> Detail:
    """Everything that the page of a submission shows.

    Args:
        reading: of the ledger.
        submission: a name that the ledger holds.
        rows: of the board, of this submission.
        changes: likewise.
        known: figures that need not be computed again.
    """
    figures_of = counted(reading, [submission]) if known is None else known
    lines, newest = reading.by_submission[submission], reading.newest(submission)
    by_version: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_version[line.trial.version].append(line)
    whole = _page(reading, lines, newest, {(one.track, one.target): one for one in rows}, figures_of)
    followed = sorted((min(str(r["ended"]) for r in own_records(own)), name) for name, own in by_version.items())
    earlier = []
    for place, (_, name) in enumerate(followed):
        if name != newest.trial.version:
            own = by_version[name]
            last = max(reading.current(own), key=lambda line: line.ended)
            since = followed[place + 1][0] if place + 1 < len(followed) else ""
            earlier.append(
                _page(reading, own, last, {}, figures_of).model_copy(update={"version": name, "replaced": since})
            )
    told = versions(reading, by_version, newest)
    return whole.model_copy(update={"versions": told, "changes": tuple(changes), "earlier": tuple(earlier)})


def _page(
    reading: Reading, lines: Sequence[Line], newest: Line, shown: dict[tuple[str, str], Row], figures_of: Known
) -> Detail:
    """What a page says of some lines of a submission, but for versions and changes."""
    current = reading.current(lines)
    submission, spec = newest.trial.submission, reading.spec(newest.records[-1])
    tracks = []
    for label, own in by_track(current).items():
        targets = [
            _target(reading, line, shown.get((label, line.trial.target)), figures_of[line.trial], newest.trial.version)
            for line in own
        ]
        tracks.append(TrackDetail(track=label, targets=tuple(targets)))
    return Detail(
        submission=submission,
        title=spec.get("title") or submission,
        family=spec.get("family") or "other",
        paper=spec.get("paper") or "",
        license=spec.get("license") or "",
        note=spec.get("note"),
        parameters=reading.parameters([record for line in current for record in line.records]),
        spec=spec,
        yaml=strict_yaml.text_of(_told(spec)),
        versions=(),
        withdrawal=withdrawal(reading, newest.trial),
        tracks=tuple(tracks),
        changes=(),
    )


def _told(spec: Any) -> Any:
    """A document without what its author left out."""
    if isinstance(spec, dict):
        kept = {key: _told(value) for key, value in spec.items() if value is not None}
        return {key: value for key, value in kept.items() if value != {}}
    return spec


def _target(reading: Reading, line: Line, shown: Row | None, found: dict[str, Figures], version: str) -> TargetDetail:
    reference = TWO_STEP if TWO_STEP in found else max(found, key=lambda name: found[name].accuracy, default=None)
    return TargetDetail(
        row=shown or row(reading, line),
        version="" if line.trial.version == version else line.trial.version,
        harness=tuple(sentences(line.records)),
        confusion={name: tuple(map(tuple, one.confusion)) for name, one in found.items()},
        by_class=_classes(line, found),
        worst=_worst(found, reference) if reference else (),
        curves=tuple(_curves(line)),
        records=tuple(_record(reading, name, record) for name, record in _sorted(line)),
    )


def _classes(line: Line, found: dict[str, Figures]) -> tuple[ClassLine, ...]:
    tested = line.summary["protocols"].get(TWO_STEP, {}).get("gain", {}).get("secondary", {}).get("by_class", [])
    gains = {one["class"]: one for one in tested}
    return tuple(
        ClassLine(
            name=name,
            f1={protocol: number(one.f1[index]) for protocol, one in found.items()},
            gain=number(gains[name]["gain"]) if name in gains else None,
            low=number(gains[name]["low"]) if name in gains else None,
            high=number(gains[name]["high"]) if name in gains else None,
            p=number(gains[name]["p_adjusted"]) if name in gains else None,
        )
        for index, name in enumerate(CLASSES)
    )


def _worst(found: dict[str, Figures], reference: str) -> tuple[CellLine, ...]:
    shown = found[reference]
    order = sorted(range(len(shown.groups)), key=lambda index: (shown.right[index], shown.groups[index]))
    return tuple(
        CellLine(
            group=shown.groups[index],
            images=shown.images[index],
            accuracy={
                name: one.right[one.groups.index(shown.groups[index])]
                for name, one in found.items()
                if shown.groups[index] in one.groups
            },
            confusions=tuple(shown.mistakes[index]),
        )
        for index in order[:MOST_WORST]
    )


def _sorted(line: Line) -> list[tuple[str, Record]]:
    return [(name, record) for name, arm in line.arms.items() for _, record in sorted(arm.records.items())]


def _curves(line: Line) -> Iterable[Curve]:
    for name, record in _sorted(line):
        log = record.get("log")
        if isinstance(log, list) and log and all(isinstance(entry, dict) for entry in log):
            yield Curve(
                target=line.trial.target,
                protocol=name,
                fold=record["fold"],
                repeat=record["repeat"],
                macro_f1=tuple(_logged(entry, "validation_macro_f1") for entry in log),
                loss=tuple(_logged(entry, "loss") for entry in log),
            )


def _logged(entry: dict[str, Any], name: str) -> float | None:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) and abs(value) < 1e9 else None


def _record(reading: Reading, protocol: str, record: Record) -> RecordLine:
    environment, judged = record.get("environment") or {}, reading.curves.get(record["key"])
    made_by = record.get("harness") or {}
    return RecordLine(
        key=record["key"],
        hash=record["hash"],
        target=record["dataset"]["name"],
        protocol=protocol,
        chain=tuple(record.get("chain") or ()),
        fold=record["fold"],
        repeat=record["repeat"],
        status=record["status"],
        macro_f1=record["scores"]["macro_f1"] if record["status"] == "scored" else None,
        failure=record["failure"]["kind"] if record.get("failure") else None,
        seconds=record["seconds"],
        peak_bytes=record.get("peak_bytes"),
        energy_joules=record.get("energy_joules"),
        device=str(environment.get("device", "not recorded")),
        sandbox=str(record.get("sandbox", "not recorded")),
        image=(record.get("sandbox_details") or {}).get("image"),
        harness=f"{made_by.get('version', '')} {made_by.get('code', '')}".strip() or "not recorded",
        packages=record.get("packages") or {},
        ended=record["ended"],
        reproduced=reading.grades.get(record["key"]),
        curve=judged.word if judged else "",
    )


def tallies(reading: Reading, submission: str, known: Known | None = None) -> list[Tallies]:
    """Counts of a submission's current version by track, for the comparison of any two; arguments as `detail`."""
    figures_of = counted(reading, [submission]) if known is None else known
    lines = reading.current(reading.by_submission[submission])
    found = []
    for label in dict.fromkeys(str(line.summary["track"]) for line in lines):
        own = [line for line in lines if line.summary["track"] == label]
        counts = tuple(
            _counts(reading, line, name, one) for line in own for name, one in figures_of[line.trial].items()
        )
        manifests = {line.trial.target: line.trial.manifest for line in own}
        found.append(Tallies(submission=submission, track=label, manifests=manifests, counts=counts))
    return found


def _counts(reading: Reading, line: Line, protocol: str, found: Figures) -> Counts:
    arm = line.arms[protocol]
    places: Sequence[tuple[int, int]] = arm.full
    return Counts(
        target=line.trial.target,
        protocol=protocol,
        folds=reading.results.blocks(arm, places),
        fold_numbers=tuple(sorted({fold for _, fold in places})),
        repeats=tuple(sorted({repeat for repeat, _ in places})),
        groups=len(found.groups),
        hits=tuple(found.hits),
        claimed=tuple(found.claimed),
        true=tuple(found.true),
    )
