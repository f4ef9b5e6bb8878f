"""Gain of two-step against the time of one training, a panel a target, the Pareto front marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from statistics import median
from typing import Any, NamedTuple

from benchmark.board.model import Gain
from benchmark.board.pictures import labels
from benchmark.board.pictures.figure import (
    BAND,
    FAINT,
    INK,
    LOOKS,
    MARGIN,
    Kind,
    both,
    caption,
    dots,
    settings,
    verdict_keys,
)

NAMED = 12
"""Points that are named beside those of the front."""

_FRONT: dict[str, Any] = {
    "color": INK,
    "linewidth": 0.9,
    "marker": "o",
    "markersize": 11,
    "markerfacecolor": "none",
    "markeredgewidth": 0.9,
}
"""Looks of the front: a ring a point, and dashes between."""

_UNITS = (("s", 1), ("min", 60), ("h", 3600))
_STEPS: tuple[tuple[float, ...], ...] = ((1, 10), (1, 3, 10, 30), (1, 2, 5, 10, 20, 30))
"""Times of an axis in each unit, from coarse to fine."""


class Spot(NamedTuple):
    """One result: gain in parts of 1, None where an end is not known; `panel` is the heading of its target.

    `whole`: whether the interval speaks of new trainings, and not of these ones alone.
    """

    panel: str
    label: str
    seconds: float
    value: float
    low: float | None
    high: float | None
    whole: bool
    verdict: str


def front(spots: Sequence[Spot]) -> list[Spot]:
    """Those that no other beats in both time and gain, the quickest first."""
    found: list[Spot] = []
    best = -inf
    for spot in sorted(spots, key=lambda one: (one.seconds, -one.value, one.label)):
        if spot.value > best:
            found.append(spot)
            best = spot.value
    return found


def limits(gains: Sequence[Spot] | Sequence[Gain]) -> tuple[float, float]:
    """Ends of an axis of gains in points: nothing, every value, and every interval but the parts of those far longer than usual."""
    halves = [50 * (one.high - one.low) for one in gains if one.low is not None and one.high is not None]
    longest = 4 * median(halves) if halves else 0.0
    low, high = -MARGIN, MARGIN
    for one in gains:
        value = 100 * one.value
        low = min(low, value, value if one.low is None else max(100 * one.low, value - longest))
        high = max(high, value, value if one.high is None else min(100 * one.high, value + longest))
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def cost(spots: Sequence[Spot], shown: int, note: str = "") -> dict[Kind, bytes]:
    """Draw it.

    Args:
        spots: at least one.
        shown: points of a panel drawn large and with their interval: the front, then the largest lower ends.
        note: written below.

    Returns:
        SVG (one element on no background) and PNG (on white, 200 dots an inch); the same points give the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    panels = list(dict.fromkeys(spot.panel for spot in spots))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with rc_context(settings(9)):
        figure = Figure(figsize=(4.7 * columns if columns > 1 else 5.6, 3.6 * rows + 0.8), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        _scale(grid[0, 0], spots)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            axes.set_title(panel, fontsize=9, fontweight="bold")
            axes.set_xlabel("time of one training with the stages before it")
        for axes in grid[:, 0]:
            axes.set_ylabel("gain of two-step over imagenet, points")
        keys = verdict_keys([spot.verdict for spot in spots])
        keys.append(Line2D([], [], linestyle="--", **_FRONT, label="no other is quicker and gains more"))
        figure.legend(handles=keys, loc="outside upper center", ncols=6, frameon=False, fontsize=8)
        caption(figure, note)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _panel(axes, [spot for spot in spots if spot.panel == panel], shown)
        return both(figure)


def _scale(axes: Any, spots: Sequence[Spot]) -> None:
    axes.set_ylim(*limits(spots))
    first, last = min(one.seconds for one in spots) / 1.8, max(one.seconds for one in spots) * 1.8
    axes.set_xscale("log")
    ticks: dict[float, str] = {}
    for steps in _STEPS:
        if len(ticks) < 4:
            ticks = {t: name for t, name in _times(steps) if first <= t <= last}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xticks([], minor=True)
    axes.set_xlim(first, last)


def _times(steps: Sequence[float]) -> Iterator[tuple[float, str]]:
    for unit, seconds in _UNITS:
        yield from ((step * seconds, f"{step:g} {unit}") for step in steps)
    yield from ((10.0**power, f"{10.0**power:g} s") for power in (-3, -2, -1))
    yield from ((3600 * 10.0**power, f"{10**power:,} h") for power in (2, 3, 4))


def _panel(axes: Any, spots: list[Spot], shown: int) -> None:
    axes.axhspan(-MARGIN, MARGIN, color=BAND, alpha=0.09, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    best = front(spots)
    rest = sorted(set(spots) - set(best), key=lambda one: (-(one.low if one.low is not None else -inf), one.label))
    large = (best + rest)[:shown]
    crowd = sorted(set(spots) - set(large), key=lambda one: one.label)
    for verdict, (colour, _) in LOOKS.items():
        dots(axes, [(one.seconds, 100 * one.value) for one in crowd if one.verdict == verdict], colour)
    for one in large:
        colour, mark = LOOKS[one.verdict]
        if one.low is not None and one.high is not None:
            axes.plot(
                [one.seconds] * 2,
                [100 * one.low, 100 * one.high],
                color=colour,
                linewidth=1.2,
                alpha=0.45,
                linestyle="-" if one.whole else ":",
            )
        axes.plot([one.seconds], [100 * one.value], mark, color=colour, markersize=6, zorder=3)
    axes.plot(
        [one.seconds for one in best],
        [100 * one.value for one in best],
        "--",
        drawstyle="steps-post",
        zorder=2,
        **_FRONT,
    )
    named = best + (rest if len(spots) <= NAMED else [])
    labels.place(
        axes,
        [labels.Point(one.seconds, 100 * one.value, one.label) for one in named],
        [(one.seconds, 100 * one.value) for one in large],
        sure=len(best),
    )
