"""The board as Markdown tables for a README, gain first."""

from __future__ import annotations

from collections.abc import Iterator

from tabulate import tabulate

from benchmark.board.model import Board, Estimate, Gain, Row, TrackInfo
from benchmark.board.plain import plain
from benchmark.protocol import BASELINE, TWO_STEP
from benchmark.wording import p_value, points

LIMIT = 100
"""Rows of a track that are listed."""

HEADS = ("submission", "target", f"gain of {TWO_STEP}, points", "verdict", "p", "detectable", f"{TWO_STEP} macro-F1, %", f"{BASELINE} macro-F1, %", "rank", "marks")  # fmt: skip

NOTE = (
    f"Gain of `{TWO_STEP}` over `{BASELINE}` in macro-F1, brackets: 95 % interval for new trainings on new groups; with \\*, for these "
    "very trainings only. p: adjusted over all submissions and targets of the track. detectable: smallest gain, in points, that the design finds "
    "four times in five. rank: shared, with its 95 % interval. Gains that `imagenet-long` has too are not transfer."
)

_SPECIAL = {ord(mark): f"&#{ord(mark)};" for mark in "\\`*_[]<>|~$&@:!"}


def escape(text: str) -> str:
    """A text that Markdown shows as it is: no mark-up, HTML, table border, maths or link of its own."""
    return plain(text).translate(_SPECIAL).replace("www.", "www&#46;").replace("WWW.", "WWW&#46;")


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return ""
    known = found.low is not None and found.high is not None
    return f"{points(found.value)} ({_span(found.low, found.high, signed=False)})" if known else points(found.value)


def _span(low: float | None, high: float | None, signed: bool) -> str:
    return "" if low is None or high is None else f"{points(low, signed)} to {points(high, signed)}"


def _star(gain: Gain) -> str:
    """What an interval for these very trainings is marked with."""
    return " \\*" if gain.interval == "groups" else ""


def _gain(gain: Gain | None) -> tuple[str, str, str, str]:
    if gain is None:
        return "", "", "", ""
    span = _span(gain.low, gain.high, signed=True)
    value = f"**{points(gain.value, signed=True)}**" + (f" ({span}){_star(gain)}" if span else "")
    transfer = {"yes": ", transfer", "no": ", not transfer", "not tested": ", transfer not tested"}.get(
        gain.transfer, ""
    )
    if gain.over_long:
        longer = gain.over_long
        bounds = _span(longer.low, longer.high, signed=True)
        transfer += (
            f"; {points(longer.value, signed=True)}{f' ({bounds})' if bounds else ''}{_star(longer)} over {longer.over}"
        )
    p = "" if gain.p is None else p_value(gain.p).removeprefix("p ").removeprefix("= ")
    return (
        value,
        gain.verdict + transfer,
        p.replace("<", "&lt;"),
        "" if gain.smallest is None else points(gain.smallest),
    )


def _line(row: Row) -> tuple[str, ...]:
    found = {name: row.results[name] for name in (TWO_STEP, BASELINE) if name in row.results}
    gain = found[TWO_STEP].gain if TWO_STEP in found else None
    scores = tuple(_estimate(found[name].macro_f1) if name in found else "" for name in (TWO_STEP, BASELINE))
    rank = f"{row.rank.rank} ({row.rank.low}-{row.rank.high} of {row.rank.of})" if row.rank else ""
    return (escape(row.title) or row.submission, escape(row.target), *_gain(gain), *scores, rank, ", ".join(row.badges))


def order(row: Row) -> tuple[bool, float, str]:
    """Largest gain of two-step first, then rows without one, by name."""
    gain = row.results[TWO_STEP].gain if TWO_STEP in row.results else None
    return gain is None, 0.0 if gain is None else -gain.value, row.submission


def _track(track: TrackInfo, rows: list[Row]) -> Iterator[str]:
    yield f"## {escape(track.title)}"
    yield f"{track.image_size} pixels, {track.epochs} epochs, {track.folds} folds × {track.repeats} repeats" + (
        "; **simulated images**: the figures show that the suite runs, and nothing about people." if track.simulated else "."
    )  # fmt: skip
    shown = sorted(rows, key=lambda row: (track.targets.index(row.target) if row.target in track.targets else len(track.targets), order(row)))  # fmt: skip
    if len(shown) > LIMIT:
        shown = sorted(shown, key=order)[:LIMIT]
    yield str(tabulate([_line(row) for row in shown], HEADS, tablefmt="github", disable_numparse=True))
    yield NOTE + (f" Shown: {LIMIT} of {len(rows):,} rows, the largest gains; all: `board.csv`." if len(rows) > LIMIT else "")  # fmt: skip


def _elsewhere(board: Board) -> Iterator[str]:
    """Scores of models that were trained elsewhere, by name."""
    listed = [one for one in board.self_run if not one.replaced and one.withdrawn is None]
    if listed:
        yield "## Scores from elsewhere"
        yield "**Self-run**: labels were in reach, folds as stated, not checked. By name, never ranked; intervals over groups, for these very predictions."
        lines = [
            (escape(one.name), escape(one.dataset), ", ".join(map(str, one.folds)), _estimate(one.macro_f1), points(one.accuracy), escape(one.who))
            for one in listed
        ]  # fmt: skip
        yield str(
            tabulate(
                lines,
                ("name", "dataset", "folds", "macro-F1, %", "accuracy, %", "who"),
                tablefmt="github",
                disable_numparse=True,
            )
        )


def to_markdown(board: Board) -> bytes:
    """A heading, a table and a note a track; tracks without a row are left out."""
    parts = [f"# KaryoBench: gains by track\n\nState of the ledger: {board.source.newest}, {board.source.records:,} records."]  # fmt: skip
    for track in board.tracks:
        rows = [row for row in board.rows if row.track == track.label]
        if rows:
            parts += _track(track, rows)
    parts += _elsewhere(board)
    return ("\n\n".join(parts) + "\n").encode()
