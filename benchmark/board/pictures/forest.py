"""Forest plot of gains: point, interval, verdict, and the smallest gain the design could have found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from benchmark.board.pictures.figure import BAND, INK, LOOKS, MARGIN, Kind, both, caption, ladder, settings
from benchmark.wording import points


class Line(NamedTuple):
    """One gain; scores in parts of 1, None where not known.

    Args:
        heading: of the group of lines that it stands in; empty for none.
        whole: whether the interval speaks of new trainings, and not of these ones alone.
        smallest: gain that the design finds four times in five; None also where that is no matter.
        control: whether it is one over equally long training, which is drawn hollow.
    """

    heading: str
    label: str
    value: float
    low: float | None
    high: float | None
    whole: bool
    verdict: str
    smallest: float | None
    control: bool = False


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def lines(rows: Sequence[dict[str, Any]]) -> list[Line]:
    """Every gain of `benchmark.findings.summary`, in the order of its rows."""
    return [
        Line(
            "", f"{row['submission']} → {row['target']}\n{name} over {gain['over']}", gain["value"], _known(gain["low"]), _known(gain["high"]),
            gain["interval"] == "trainings and groups", gain["verdict"], None if gain["needs"] else gain.get("smallest"), over > 0,
        )
        for row in rows
        for name, entry in row["protocols"].items()
        for over, gain in enumerate((entry.get("gain"), entry.get("gain", {}).get("over_long")))
        if gain
    ]  # fmt: skip


def said(line: Line) -> str:
    """The gain in words: `+1.2 (0.4 to 2.0)`."""
    value = points(line.value, signed=True)
    if line.low is None or line.high is None:
        return value
    return f"{value} ({points(line.low, signed=True)} to {points(line.high, signed=True)})"


def _reach(found: Sequence[Line]) -> float:
    """Half the width of the axis in points: every value, and every interval but those far longer than usual."""
    values = [abs(line.value) for line in found] + [line.smallest for line in found if line.smallest is not None]
    ends = [max(abs(line.low), abs(line.high)) for line in found if line.low is not None and line.high is not None]
    return 108 * max(0.01, *values, min(max(ends), 4 * median(ends)) if ends else 0.0)


def _interval(axes: Any, line: Line, height: int, reach: float) -> None:
    colour = LOOKS[line.verdict][0]
    if line.low is None or line.high is None:
        return
    low, high = 100 * line.low, 100 * line.high
    axes.plot([low, high], [height] * 2, color=colour, linewidth=2, linestyle="-" if line.whole else ":")
    for beyond, mark, place in ((low < -reach, "<", -reach), (high > reach, ">", reach)):
        if beyond:
            axes.plot([place], [height], mark, color=colour, markersize=6, clip_on=False)


def forest(found: Sequence[Line], note: str = "") -> dict[Kind, bytes]:
    """Draw it.

    Args:
        found: at least one line, in order.
        note: written below.

    Returns:
        SVG (one element on no background) and PNG (on white, 200 dots an inch); the same lines give the same bytes.

    Raises:
        ValueError: when there is no line.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not found:
        raise ValueError("no gain to draw (allowed: 1 or more)")
    reach = _reach(found)
    with rc_context(settings(9)):
        figure = Figure(figsize=(8.6, 4), layout="constrained")
        axes = figure.subplots()
        axes.axvspan(-MARGIN, MARGIN, color=BAND, alpha=0.09, linewidth=0)
        axes.axvline(0, color=INK, linewidth=0.8)
        heights = ladder(axes, [(line.heading, line.label) for line in found], 1.6)
        for height, line in zip(heights, found, strict=True):
            colour, mark = LOOKS[line.verdict]
            _interval(axes, line, height, reach)
            if line.smallest is not None:
                axes.plot([-100 * line.smallest, 100 * line.smallest], [height] * 2, "|", color="#777777", markersize=9)
            inside = "white" if line.control else colour
            axes.plot(
                [100 * line.value], [height], mark, color=colour, markerfacecolor=inside, markersize=6.5, zorder=3
            )
            for place, text in ((8, line.verdict), (70, said(line))):
                axes.annotate(text, (1, height), (place, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center")  # fmt: skip
        axes.set_xlim(-reach, reach)
        axes.set_xlabel("gain in macro-F1, points")
        figure.legend(
            handles=_keys(any(line.control for line in found)),
            loc="outside upper center",
            ncols=2,
            frameon=False,
            fontsize=8,
        )
        caption(figure, note)
        return both(figure)


def _keys(controls: bool) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    hollow = Line2D([], [], color=INK, marker="D", markerfacecolor="white", linestyle="", markersize=6, label="hollow: over equally long training on the target alone")  # fmt: skip
    return [
        Line2D([], [], color=INK, linewidth=2, label="95 % interval, new trainings on new groups"),
        Line2D([], [], color=INK, linewidth=2, linestyle=":", label="95 % interval, these trainings only"),
        Line2D([], [], color="#777777", marker="|", linestyle="", markersize=10, label="smallest gain found 4 times in 5"),
        Patch(color=BAND, alpha=0.15, label="within half a point: no difference that matters"),
        *([hollow] if controls else []),
    ]  # fmt: skip
