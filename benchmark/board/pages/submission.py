"""A submission's page: everything that the ledger says of one architecture, readable without JavaScript.

Learning curves and confusion matrices are drawn by `static/submission.js` from data that stands in the page
itself, as JSON that no browser runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup
from pydantic_core import to_json

from benchmark.board.detail_model import Curve, Detail, RecordLine, TargetDetail
from benchmark.board.model import Board, TrackInfo, about
from benchmark.board.pages import submission_tables as tables
from benchmark.board.pages.frame import render
from benchmark.board.plain import plain
from benchmark.protocol import MAIN
from benchmark.track import names as shipped_tracks

GROUPS = {"case": "person", "cell": "cell", "image": "image"}
"""What a group is, in words."""


def files(board: Board, detail: Detail) -> Iterator[tuple[str, bytes]]:
    """The page of one submission, withdrawn or not, and those of its earlier versions, as (path, content).

    Args:
        board: for the frame, the classes and the tracks.
        detail: what to show.
    """
    infos = {track.label: track for track in board.tracks}
    tracks = []
    charts: dict[str, Any] = {}
    for track in detail.tracks:
        info = infos.get(track.track)
        targets = [_target(board, info, track.track, found, charts) for found in track.targets]
        tracks.append({
            "label": track.track, "title": info.title if info else track.track, "simulated": bool(info and info.simulated),
            "targets": targets, "commands": commands(detail.submission, info, track.targets, detail.version != ""),
            "file": own_file(info),
        })  # fmt: skip
    badges = dict.fromkeys(badge for track in detail.tracks for found in track.targets for badge in found.row.badges)
    for one in detail.earlier:
        yield from files(board, one)
    yield f"submissions/{page_name(detail.submission, detail.version)}.html", render(
        "submission.html", root="../", page="", board=board, detail=detail, title=plain(detail.title), tracks=tracks,
        badges=list(badges), parameters=tables.parameters(detail.parameters),
        reported=[] if detail.version else about(board.insight).get(detail.submission, []), data=inline({"classes": board.classes, "targets": charts}),
    )  # fmt: skip


def page_name(submission: str, version: str = "") -> str:
    """Name of the page of a submission, or of an earlier version of it, without its ending."""
    return f"{submission}@{version}" if version else submission


def inline(data: object) -> Markup:
    """JSON for a `<script type="application/json">`, which nothing in it can end."""
    return Markup(to_json(data).decode().replace("<", "\\u003c"))  # noqa: S704 (no `<` is left in it)


def _target(
    board: Board, info: TrackInfo | None, track: str, found: TargetDetail, charts: dict[str, Any]
) -> dict[str, Any]:
    row = found.row
    anchor = f"{track}-{row.target}"
    dataset = next((one for one in info.datasets if one.name == row.target), None) if info else None
    word = GROUPS.get(dataset.group_by, dataset.group_by) if dataset else "group"
    protocols = tuple(found.confusion) or tuple(row.results)
    shown, mistakes = tables.mistakes(board.classes, found)
    charts[anchor] = {"shown": shown, "confusion": found.confusion, "curves": [_curve(one) for one in found.curves]}
    return {
        "id": anchor, "row": row, "version": found.version, "harness": found.harness, "dataset": dataset, "word": word,
        "sentences": [result.gain.sentence for result in row.results.values() if result.gain],
        "scores": tables.scores(row), "shown": shown, "mistakes": mistakes, "curves": len(found.curves),
        "by_class": tables.by_class(row.target, found.by_class, protocols) if found.by_class else "",
        "worst": tables.worst(row.target, found.worst, protocols, word) if found.worst else "",
        "records": tables.records(row.target, found.records) if found.records else "", "number": len(found.records),
    }  # fmt: skip


def _curve(one: Curve) -> dict[str, Any]:
    return {"protocol": one.protocol, "fold": one.fold, "repeat": one.repeat, "f1": one.macro_f1, "loss": one.loss}


def commands(
    name: str, info: TrackInfo | None, targets: Sequence[TargetDetail], earlier: bool = False
) -> dict[str, str]:
    """Commands that run it again: `run` the track anew (not an earlier version), `reproduce` the newest scored record of every target."""
    track = (own_file(info) or info.name) if info else "TRACK"
    held = dict.fromkeys(protocol for found in targets for protocol in found.row.results)
    chosen = "" if tuple(held) == MAIN else "".join(f" -p {protocol}" for protocol in held)
    found = {} if earlier else {"run": f"karyobench run {name} --track {track}{chosen}{_beyond(info, targets)}"}
    newest = [one for one in map(_newest, targets) if one]
    if newest:
        found["reproduce"] = "karyobench reproduce " + " ".join(one.key for one in newest)
    return found


def own_file(info: TrackInfo | None) -> str | None:
    """The file that a track which does not ship with the suite must be saved as; None for one that ships."""
    return f"{info.name}.yaml" if info and info.name not in shipped_tracks() else None


def _beyond(info: TrackInfo | None, targets: Sequence[TargetDetail]) -> str:
    """Folds and repeats of the records, where there are some that the track itself does not ask for."""
    document: dict[str, Any] = dict(info.document) if info else {}
    asked = {"fold": document.get("folds"), "repeat": range(document.get("repeats") or 0)}
    chosen = ""
    for field, own in asked.items():
        held = sorted({getattr(one, field) for found in targets for one in found.records})
        if own and not {*held} <= {*own}:
            chosen += "".join(f" -{field[0]} {number}" for number in held)
    return chosen


def _newest(found: TargetDetail) -> RecordLine | None:
    scored = [one for one in found.records if one.status == "scored"]
    return max(scored, key=lambda one: one.ended, default=None)
