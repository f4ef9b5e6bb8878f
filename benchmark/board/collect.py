"""From a ledger to everything that the board shows: rows, tracks, answers.

The only module of the board, with `detail` and `history`, that reads a ledger; each figure is computed from the
stored predictions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import benchmark
from benchmark import protocol as protocols
from benchmark import strict_yaml
from benchmark.arm import Arm
from benchmark.board import elsewhere, figures, history
from benchmark.board.model import (
    Answer,
    Board,
    Dataset,
    Estimate,
    Gain,
    Insight,
    Rank,
    Result,
    Row,
    Sentence,
    Source,
    TrackInfo,
)
from benchmark.board.reading import Line, Reading
from benchmark.data.manifest import CLASSES
from benchmark.files import digest
from benchmark.insight.kept import Kept
from benchmark.overview import answers, ranks
from benchmark.versions import sentences


def board(reading: Reading) -> Board:
    """Everything but the submissions' own pages.

    Args:
        reading: of the ledger.

    Raises:
        IntegrityError: when a document or predictions that a record refers to are missing or altered.
    """
    lines = reading.current(line for line in reading.lines if not reading.is_withdrawn(line.trial))
    ranked = _ranks(reading)
    labels = {line.trial.frame: str(line.summary["track"]) for line in reading.lines}
    tracks = _tracks(reading, lines)
    others = (*reading.reproductions, *reading.withdrawals, *reading.corrections)
    newest = max(str(record["ended"]) for record in (*reading.all_records, *others))
    names = protocols.ordered({*protocols.PROTOCOLS, *reading.protocols(lines)})
    return Board(
        source=Source(
            records=len(reading.all_records),
            reproductions=len(reading.reproductions),
            head=reading.ledger.head(),
            newest=newest,
            self_run=elsewhere.state(reading.self_run),
            harness=benchmark.__version__,
        ),
        classes=CLASSES,
        protocols={name: protocols.get(name).meaning for name in names},
        controls=tuple(name for name in names if protocols.get(name).control),
        tracks=tracks,
        rows=tuple(row(reading, line, ranked.get(_place(line))) for line in lines),
        general=tuple(_answer(one, labels) for one in answers(reading.listed)),
        changes=history.changes(reading),
        insight=tuple(map(insight, reading.reports)),
        self_run=elsewhere.self_run(reading),
    )


def insight(one: Kept) -> Insight:
    """What the board says of a kept report."""
    said = tuple(Sentence(submission=found.submission, text=found.text) for found in one.said)
    return Insight(
        name=one.name, kind=one.kind, title=one.title, track=one.report.track,
        digest=digest(one.report.model_dump(mode="json")), sentences=said,
    )  # fmt: skip


Place = tuple[tuple[str, str], str, str]


def _place(line: Line) -> Place:
    return line.trial.frame, line.trial.target, line.trial.submission


def _ranks(reading: Reading) -> dict[Place, Rank]:
    found = ranks(reading.listed)
    fields = [((one["track_digest"], one["era"]), str(one["target"])) for one in found]
    sizes = Counter(fields)
    return {
        (*where, one["submission"]): Rank(rank=one["rank"], low=one["low"], high=one["high"], of=sizes[where])
        for where, one in zip(fields, found, strict=True)
    }


def number(value: float | None) -> float | None:
    """The value, or None for NaN."""
    return None if value is None or value != value else float(value)


def gain(entry: dict[str, Any]) -> Gain:
    """A gain as `benchmark.findings.describe` tells it."""
    withheld = entry["verdict"] == "withheld"
    return Gain(
        over=entry["over"],
        value=entry["value"],
        low=number(entry["low"]),
        high=number(entry["high"]),
        interval=entry["interval"],
        verdict=entry["verdict"],
        exploratory=entry["exploratory"],
        p=None if withheld else entry["p_adjusted"],
        family=entry["family"],
        smallest=None if withheld else number(entry["smallest"]),
        smallest_margin=None if withheld else number(entry["smallest_margin"]),
        repeats_for_point=None if withheld else entry["repeats_for_point"],
        needs=entry["needs"],
        transfer=entry.get("transfer", ""),
        trainings=entry["trainings"],
        groups=entry["groups"],
        sentence=entry["sentence"],
        over_long=gain(entry["over_long"]) if "over_long" in entry else None,
    )


def _result(reading: Reading, arm: Arm, entry: dict[str, Any]) -> Result:
    places = arm.full
    scored = [arm.records[place] for place in places]
    f1, accuracy = figures.classes(reading.results, arm, places) if places else ([], None)
    energies = [reading.energy(record) for record in scored]
    known = [joules for joules in energies if joules is not None]
    score = entry.get("macro_f1")
    return Result(
        macro_f1=score and Estimate(value=score["value"], low=number(score["low"]), high=number(score["high"])),
        trainings=len(places),
        failed=tuple(entry["failed"]),
        gain=gain(entry["gain"]) if "gain" in entry else None,
        f1=tuple(map(number, f1)) or (None,) * len(CLASSES),
        accuracy=accuracy,
        seconds=_mean([reading.seconds(record) for record in scored]),
        energy_joules=_mean(known) if len(known) == len(energies) else None,
    )


def _mean(values: Sequence[float]) -> float | None:
    return (float(np.mean(values)) if len(values) > 1 else values[0]) if values else None


def row(reading: Reading, line: Line, rank: Rank | None = None) -> Row:
    """One row of the board."""
    records = line.records
    spec, card = reading.spec(records[-1]), reading.card(records[-1])
    devices = {str((record.get("environment") or {}).get("device", "not recorded")) for record in records}
    return Row(
        track=line.summary["track"],
        submission=line.trial.submission,
        title=spec.get("title") or line.trial.submission,
        family=spec.get("family") or "other",
        target=line.trial.target,
        stain=card["stain"] if card else None,
        results={name: _result(reading, line.arms[name], entry) for name, entry in line.summary["protocols"].items()},
        rank=rank,
        parameters=reading.parameters(records),
        devices=tuple(sorted(devices)),
        badges=reading.badges(line),
        reproduced=reading.reproduced(line),
        records=len(records),
        entered=records[0]["ended"],
        updated=records[-1]["ended"],
    )


def by_track(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Lines by the label of their track; the one that leads is what a reader comes for.

    That is a real one, with most answers on two-step; a sweep or a leak has none.
    """
    held: dict[str, list[Line]] = {}
    for line in lines:
        held.setdefault(str(line.summary["track"]), []).append(line)

    def place(label: str) -> tuple[bool, int, str]:
        answered = sum("gain" in line.summary["protocols"].get(protocols.TWO_STEP, ()) for line in held[label])
        return bool(held[label][0].summary["simulated"]), -answered, label

    return {label: held[label] for label in sorted(held, key=place)}


def _tracks(reading: Reading, lines: Sequence[Line]) -> tuple[TrackInfo, ...]:
    return tuple(_track(reading, label, own) for label, own in by_track(lines).items())


def _track(reading: Reading, label: str, lines: Sequence[Line]) -> TrackInfo:
    track = lines[0].trial
    document = reading.ledger.document("tracks", track.track_digest)
    by_target = {line.trial.target: line for line in sorted(lines, key=lambda one: str(one.records[-1]["ended"]))}
    return TrackInfo(
        label=label,
        name=track.track,
        digest=track.track_digest,
        title=document["title"],
        description=document["description"],
        simulated=document["simulated"],
        targets=tuple(sorted(by_target)),
        protocols=reading.protocols(lines),
        image_size=document["preprocess"]["size"],
        epochs=document["recipe"]["epochs"],
        folds=len(document["folds"]),
        repeats=document["repeats"],
        harness=tuple(sentences(record for line in lines for record in line.records)),
        datasets=tuple(_dataset(reading, by_target[name], document["folds"]) for name in sorted(by_target)),
        document=document,
        yaml=strict_yaml.text_of(document),
    )


def _dataset(reading: Reading, line: Line, folds: Sequence[int]) -> Dataset:
    record = line.records[-1]
    manifest = reading.ledger.manifest(record["dataset"]["manifest"], record["dataset"]["group"])
    card = reading.card(record) or {}
    tested = [manifest.part(fold, "test") for fold in folds]
    return Dataset(
        name=line.trial.target,
        title=card.get("title") or line.trial.target,
        stain=card.get("stain"),
        simulated=bool(line.summary["simulated"]),
        images=len(manifest),
        cells=len({(entry.case, entry.cell) for entry in manifest.entries if entry.cell}),
        groups=len(set(manifest.groups.tolist())),
        group_by=manifest.group_by,
        fold_groups=tuple(len(set(manifest.groups[positions].tolist())) for positions in tested),
        fold_images=tuple(len(positions) for positions in tested),
        description=card.get("description") or "",
        citation=tuple(card.get("citation") or ()),
        terms=card.get("terms") or "",
        homepage=card.get("homepage"),
        manifest=manifest.digest,
    )


def _answer(one: dict[str, Any], labels: dict[tuple[str, str], str]) -> Answer:
    return Answer(
        track=labels[one["track_digest"], one["era"]],
        question=one["question"],
        value=one["value"],
        low=number(one["low"]),
        high=number(one["high"]),
        p=one["p"],
        submissions=one["submissions"],
        new_submissions=one["new_submissions"],
        family=one["family"],
    )
