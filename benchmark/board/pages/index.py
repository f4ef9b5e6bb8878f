"""The board's first page: `index.html`, its slim rows, and the F1 of every class in chunks that load on demand.

`data/index.js` holds all that the table and four of the five charts need. Columns of numbers compress far better
than rows of objects, so that 20,000 rows stay one file that a browser reads in a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from benchmark.board.model import Board, Estimate, Gain, Result, Row
from benchmark.board.pages.frame import BADGES, VERDICTS, render, script
from benchmark.board.pictures.bundle import CHARTS, drawings
from benchmark.board.plain import plain
from benchmark.protocol import BASELINE, PROTOCOLS, TWO_STEP
from benchmark.protocol import ordered as ordered_protocols

CHUNK = 500
"""Rows of one file of F1 by class."""

SCALE, FINE = 10**7, 1000
"""Scores and gains are whole numbers of 1/SCALE: a tenth of a point then rounds as in every other file of the board.
F1 of a class is a whole number of 1/FINE, which is what is shown."""

INTERVALS = ("none", "groups", "trainings and groups")


class Words:
    """Texts that repeat, as numbers; the first is 0."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = {word: number for number, word in enumerate(words)}

    def __call__(self, word: str) -> int:
        """The number of a text."""
        return self.words.setdefault(word, len(self.words))


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order that the page opens with.

    What leads is what may be claimed at least: the lower end of two-step's gain, of the rows whose interval
    speaks of new trainings; then those without a verdict, by their gain; then those without a gain, by macro-F1.
    """

    def place(row: Row) -> tuple[int, float, float]:
        gain, score = _gain(row), _score(row.results.get(TWO_STEP)) or _score(row.results.get(BASELINE))
        if gain is None:
            return 2, -(score.value if score else 0.0), 0.0
        return (1 if floor(gain) is None else 0), -(gain.value if gain.low is None else gain.low), -gain.value

    return sorted(rows, key=place)


def floor(gain: Gain) -> float | None:
    """What may be claimed at least: the lower end of an interval for new trainings, in parts of 1, else nothing."""
    return gain.low if gain.verdict != "withheld" else None


def files(board: Board) -> Iterator[tuple[str, bytes]]:
    """The page and its data, as (path in the board's folder, content)."""
    tracks = sorted(board.tracks, key=lambda track: track.simulated)
    names = [track.label for track in tracks]
    drawn = {path for path, _ in drawings(board)}
    pictures = {name: [chart for chart in CHARTS if f"charts/{name}-{chart}" in drawn] for name in names}
    yield "index.html", render("index.html", root="", page="board", board=board, tracks=tracks, pictures=pictures)
    rows = {name: ordered(row for row in board.rows if row.track == name) for name in names}
    yield "data/index.js", script("index", _index(board, rows, pictures))
    for name, found in rows.items():
        for number in range(0, len(found), CHUNK):
            key = f"classes-{name}-{number // CHUNK}"
            yield f"data/{key}.js", script(key, _classes(found[number : number + CHUNK]))


def _gain(row: Row) -> Gain | None:
    result = row.results.get(TWO_STEP)
    return result.gain if result else None


def _score(result: Result | None) -> Estimate | None:
    return result.macro_f1 if result else None


def _whole(value: float | None, scale: int = SCALE) -> int | None:
    return None if value is None else round(value * scale)


def _index(board: Board, rows: dict[str, list[Row]], pictures: dict[str, list[str]]) -> dict[str, Any]:
    tracks = {track.label: track for track in board.tracks}
    return {
        "scale": SCALE,
        "chunk": CHUNK,
        "protocols": board.protocols,
        "aside": [name for name in board.protocols if name in board.controls or name not in PROTOCOLS],
        "classes": board.classes,
        "verdicts": VERDICTS,
        "badges": BADGES,
        "tracks": [
            {
                "label": label,
                "title": tracks[label].title,
                "simulated": tracks[label].simulated,
                "targets": tracks[label].targets,
                "stains": {data.name: data.stain for data in tracks[label].datasets},
                "pictures": pictures[label],
                "rows": _columns(found),
            }
            for label, found in rows.items()
        ],
    }


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows of one track: a list a column, and the words that columns of numbers stand for."""
    words = {name: Words() for name in ("target", "stain", "family", "device", "needs", "failed", "updated", "text")}
    verdicts, intervals, badges = Words(VERDICTS), Words(INTERVALS), {name: 1 << n for n, name in enumerate(BADGES)}
    submissions: dict[str, str] = {row.submission: plain(row.title) for row in rows}
    places = {name: number for number, name in enumerate(submissions)}
    protocols = ordered_protocols({name for row in rows for name in row.results})
    gains = [_gain(row) for row in rows]
    longer = [gain and gain.over_long for gain in gains]

    def of(read: Callable[[Row], Any]) -> list[Any]:
        return [read(row) for row in rows]

    def columns_of(some: Sequence[Gain | None]) -> dict[str, list[Any]]:
        def of_gain(read: Callable[[Gain], Any]) -> list[Any]:
            return [None if gain is None else read(gain) for gain in some]

        return {
            "value": of_gain(lambda gain: _whole(gain.value)),
            "low": of_gain(lambda gain: _whole(gain.low)),
            "high": of_gain(lambda gain: _whole(gain.high)),
            "interval": of_gain(lambda gain: intervals(gain.interval)),
            "verdict": of_gain(lambda gain: verdicts(gain.verdict)),
            "p": of_gain(lambda gain: _digits(gain.p, 7)),  # so many that who shows it is the one who rounds
            "family": of_gain(lambda gain: gain.family),
            "smallest": of_gain(lambda gain: _whole(gain.smallest)),
            "needs": of_gain(lambda gain: words["needs"](gain.needs)),
            "transfer": of_gain(lambda gain: words["text"](gain.transfer)),
            "trainings": of_gain(lambda gain: gain.trainings),
            "groups": of_gain(lambda gain: gain.groups),
        }

    return {
        "count": len(rows),
        "submissions": list(submissions),
        "titles": list(submissions.values()),
        "submission": of(lambda row: places[row.submission]),
        "target": of(lambda row: words["target"](row.target)),
        "stain": of(lambda row: words["stain"](row.stain or "")),
        "family": of(lambda row: words["family"](row.family)),
        "badges": of(lambda row: sum(badges[badge] for badge in row.badges)),
        "rank": of(lambda row: row.rank and [row.rank.rank, row.rank.low, row.rank.high, row.rank.of]),
        "parameters": of(lambda row: row.parameters),
        "device": of(lambda row: words["device"](", ".join(row.devices))),
        "updated": of(lambda row: words["updated"](row.updated[:10])),
        "seconds": of(lambda row: _digits(row.results[TWO_STEP].seconds) if TWO_STEP in row.results else None),
        "energy": of(lambda row: _digits(row.results[TWO_STEP].energy_joules) if TWO_STEP in row.results else None),
        "gain": columns_of(gains),
        "longer": columns_of(longer) if any(longer) else None,
        "scores": {name: _scores([row.results.get(name) for row in rows], words["failed"]) for name in protocols},
        "words": {
            **{name: list(found.words) for name, found in words.items()},
            "verdict": list(VERDICTS),
            "interval": list(INTERVALS),
        },
    }


def _scores(results: Sequence[Result | None], failed: Words) -> dict[str, list[int | None]]:
    """One protocol's column: a score or nothing, the number of its trainings (null: never run), and what failed."""
    scores = [_score(result) for result in results]
    return {
        "value": [_whole(score.value) if score else None for score in scores],
        "low": [_whole(score.low) if score else None for score in scores],
        "high": [_whole(score.high) if score else None for score in scores],
        "trainings": [result.trainings if result else None for result in results],
        "failed": [failed(", ".join(result.failed)) if result and result.failed else None for result in results],
    }


def _digits(value: float | None, count: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{count}g}")


def _classes(rows: Sequence[Row]) -> dict[str, Any]:
    """F1 of the classes, in the order of the page's rows: of the baseline and of two-step."""
    return {
        name: [[_whole(value, FINE) for value in row.results[name].f1] if name in row.results else None for row in rows]
        for name in (BASELINE, TWO_STEP)
    }
