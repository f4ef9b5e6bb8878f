"""The static pictures of a board: five charts a track, each as SVG and PNG.

A chart without anything to draw has no file. A chart of rows shows the best `LIMIT` and says so; a
scatter plot shows every point, and the best ones large.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import inf

from benchmark.board.model import Board, Estimate, Gain, Row, TrackInfo
from benchmark.board.pictures import class_map, cost, forest, stains
from benchmark.board.pictures.dumbbell import SHADES, Scores, dumbbell
from benchmark.board.pictures.figure import Kind
from benchmark.board.plain import plain, shorten
from benchmark.protocol import TWO_STEP

LIMIT = 40
"""Rows of a picture, and points of a panel that are drawn large."""

CHARTS = {
    "forest": "Gain of two-step over imagenet with its interval, verdict and smallest detectable gain",
    "dumbbell": "Macro-F1 of every protocol with its interval",
    "cost": "Gain of two-step against the time of one training, with the Pareto front",
    "classes": "F1 of two-step by chromosome",
    "stains": "Gain of two-step on Q-band against that on G-band",
}
"""The five charts and what each shows, for a caption or an alternative text."""

INTERVALS = "Lines: 95 % intervals, for new trainings on new groups; dotted: for these trainings only."

Draw = Callable[[], dict[Kind, bytes]]


class _Track:
    """The rows of one track, and how they are named."""

    def __init__(self, info: TrackInfo, rows: Sequence[Row], classes: Sequence[str]) -> None:
        self.info, self.rows, self.classes = info, rows, classes
        self._titles = {row.submission: shorten(row.title, 34) or row.submission for row in rows}
        self._holders = Counter(self._titles.values())

    def label(self, row: Row) -> str:
        """The row's title, with its name where another submission has the same one."""
        title = self._titles[row.submission]
        return title if self._holders[title] == 1 else f"{shorten(title, 20)} ({row.submission})"

    def place(self, row: Row) -> int:
        """Where the row's target stands among those of the track."""
        targets = self.info.targets
        return targets.index(row.target) if row.target in targets else len(targets)

    def note(self, shown: int, of: int, which: str) -> str:
        """What a picture says below itself."""
        parts = [f"{plain(self.info.title)}."]
        if self.info.simulated:
            parts.append("Simulated images: says nothing about people.")
        if shown < of:
            parts.append(f"Shown: {shown} of {of:,} results, {which}; all: board.csv.")
        return " ".join(parts)


def _heading(row: Row) -> str:
    return f"{row.target} ({row.stain}-band)" if row.stain else row.target


def _gain(row: Row) -> Gain | None:
    return row.results[TWO_STEP].gain if TWO_STEP in row.results else None


def _whole(gain: Gain) -> bool:
    return gain.interval == "trainings and groups"


def _end(gain: Gain) -> float:
    return -inf if gain.low is None else gain.low


def _standing(row: Row) -> tuple[float, float, str]:
    """The highest ranked first, then the highest score of two-step, or else of any protocol."""
    own = row.results[TWO_STEP].macro_f1 if TWO_STEP in row.results else None
    scores = [found.macro_f1.value for found in row.results.values() if found.macro_f1]
    return row.rank.rank if row.rank else inf, -(own.value if own else max(scores) - 1), row.submission


def _forest(track: _Track) -> Draw | None:
    found = [(row, gain) for row in track.rows if (gain := _gain(row))]
    chosen = sorted(found, key=lambda pair: (-_end(pair[1]), -pair[1].value, pair[0].submission))[:LIMIT]
    chosen.sort(key=lambda pair: (track.place(pair[0]), -pair[1].value, pair[0].submission))
    lines = [
        forest.Line(_heading(row), "↳ over longer training" if over else track.label(row), one.value, one.low, one.high, _whole(one),
                    one.verdict, None if one.needs else one.smallest, over > 0)
        for row, gain in chosen
        for over, one in enumerate((gain, gain.over_long))
        if one
    ]  # fmt: skip
    note = track.note(len(chosen), len(found), "those with the largest lower end of the interval")
    return (lambda: forest.forest(lines, note)) if lines else None


def _arms(row: Row) -> dict[str, Estimate]:
    """Scores of the protocols that have a colour: those over sources other than the track's have none."""
    return {name: one.macro_f1 for name, one in row.results.items() if one.macro_f1 and name in SHADES}


def _dumbbell(track: _Track) -> Draw | None:
    found = [row for row in track.rows if _arms(row)]
    chosen = sorted(sorted(found, key=_standing)[:LIMIT], key=lambda row: (track.place(row), _standing(row)))
    rows = [
        Scores(_heading(row), track.label(row), _arms(row)) for row in chosen
    ]  # fmt: skip
    note = track.note(len(rows), len(found), "the highest ranked")
    return (lambda: dumbbell(rows, note)) if rows else None


def _classes(track: _Track) -> Draw | None:
    found = [
        (row, one.f1, one.macro_f1.value)
        for row in track.rows
        if (one := row.results.get(TWO_STEP)) and one.macro_f1 and any(f1 is not None for f1 in one.f1)
    ]
    chosen = sorted(found, key=lambda item: _standing(item[0]))[:LIMIT]
    chosen.sort(key=lambda item: (track.place(item[0]), -item[2], item[0].submission))
    rows = [class_map.Row(_heading(row), track.label(row), f1, score) for row, f1, score in chosen]
    note = track.note(len(rows), len(found), "the highest ranked")
    return (lambda: class_map.class_map(rows, track.classes, note)) if rows else None


def _cost(track: _Track) -> Draw | None:
    rows = sorted(track.rows, key=lambda row: (track.place(row), row.submission))
    spots = [
        cost.Spot(_heading(row), track.label(row), seconds, gain.value, gain.low, gain.high, _whole(gain), gain.verdict)
        for row in rows
        if (gain := _gain(row)) and (seconds := row.results[TWO_STEP].seconds)
    ]
    note = f"{track.note(1, 1, '')} {INTERVALS}"
    if max(Counter(spot.panel for spot in spots).values(), default=0) > LIMIT:
        note += f"\nLarge: the front, then the largest lower ends of the interval, {LIMIT} a panel; dots: all others."
    return (lambda: cost.cost(spots, LIMIT, note)) if spots else None


def _stains(track: _Track) -> Draw | None:
    rows = sorted((row for row in track.rows if _gain(row)), key=track.place)
    q, g = (next((row.target for row in rows if row.stain == stain), "") for stain in "QG")
    gains = {(row.submission, row.target): gain for row in rows if (gain := _gain(row))}
    found = [
        (stains.Both(track.label(row), gains[row.submission, q], gains[row.submission, g]), row.submission)
        for row in rows
        if row.target == q and (row.submission, g) in gains
    ]
    found.sort(key=lambda pair: (-min(_end(pair[0].q), _end(pair[0].g)), pair[1]))
    both = [one for one, _ in found]
    note = f"{track.note(1, 1, '')} {INTERVALS}"
    if len(both) > LIMIT:
        note += f"\nLarge: the {LIMIT} with the largest lower end of their weaker gain; dots: all others."
    axis = f"{q} (Q-band)", f"{g} (G-band)"
    return (lambda: stains.stains(both, LIMIT, note, axis)) if both else None


_MAKERS: dict[str, Callable[[_Track], Draw | None]] = {
    "forest": _forest, "dumbbell": _dumbbell, "cost": _cost, "classes": _classes, "stains": _stains,
}  # fmt: skip


def drawings(board: Board) -> Iterator[tuple[str, Draw]]:
    """The pictures there are to draw, none of them drawn yet.

    Yields:
        `charts/<track>-<chart>`, and what draws it.
    """
    for info in board.tracks:
        track = _Track(info, [row for row in board.rows if row.track == info.label], board.classes)
        for name, maker in _MAKERS.items():
            draw = maker(track)
            if draw:
                yield f"charts/{info.label}-{name}", draw


def files(board: Board) -> Iterator[tuple[str, bytes]]:
    """Every picture of every track.

    Yields:
        `charts/<track>-<chart>.svg` and `.png`, and their bytes; the same board gives the same bytes.
    """
    for path, draw in drawings(board):
        for kind, content in draw().items():
            yield f"{path}.{kind}", content
