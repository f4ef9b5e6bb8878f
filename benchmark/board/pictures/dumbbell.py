"""Dumbbells: macro-F1 of every protocol of a row on one line, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmark.board.model import Estimate
from benchmark.board.pictures.figure import FAINT, Kind, both, caption, ladder, settings
from benchmark.protocol import MAIN

SHADES = {
    "scratch": "#8c8c8c",
    "imagenet": "#0072b2",
    "two-step": "#d55e00",
    "imagenet-long": "#56b4e9",
    "two-step-shuffled": "#e69f00",
}
"""Colours of the protocols (Okabe & Ito 2008, told apart by colour-blind readers)."""

MARKS = {"scratch": "o", "imagenet": "s", "two-step": "D", "imagenet-long": "^", "two-step-shuffled": "v"}


class Scores(NamedTuple):
    """The scores of one row by protocol; `heading` names the group of rows that it stands in, empty for none."""

    heading: str
    label: str
    arms: Mapping[str, Estimate]


def dumbbell(rows: Sequence[Scores], note: str = "") -> dict[Kind, bytes]:
    """Macro-F1 of each protocol, a line a row, with intervals; a thin line joins those of the study.

    Args:
        rows: at least one, each with at least one score.
        note: written below.

    Returns:
        SVG (one element on no background) and PNG (on white, 200 dots an inch); the same rows give the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(settings(9)):
        figure = Figure(figsize=(7.6, 4), layout="constrained")
        axes = figure.subplots()
        used: dict[str, Any] = {}
        heights = ladder(axes, [(row.heading, row.label) for row in rows], 1.3)
        for height, row in zip(heights, rows, strict=True):
            places = {name: height + 0.14 * (number - (len(row.arms) - 1) / 2) for number, name in enumerate(row.arms)}
            chain = [name for name in MAIN if name in row.arms]
            axes.plot(
                [100 * row.arms[name].value for name in chain],
                [places[name] for name in chain],
                color="#b8b8b8",
                linewidth=1,
                zorder=1,
            )
            for name, found in row.arms.items():
                used[name] = _arm(axes, name, found, places[name])
        axes.set_xlabel("macro-F1, % (line: 95 % interval)")
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        names = [name for name in SHADES if name in used]
        figure.legend([used[name] for name in names], names, loc="outside upper center", ncols=len(names), frameon=False)  # fmt: skip
        caption(figure, note)
        return both(figure)


def _arm(axes: Any, name: str, found: Estimate, place: float) -> Any:
    if found.low is not None and found.high is not None:
        axes.plot([100 * found.low, 100 * found.high], [place] * 2, color=SHADES[name], linewidth=1.6, alpha=0.5)
    return axes.plot([100 * found.value], [place], MARKS[name], color=SHADES[name], markersize=5.5, zorder=3)[0]
