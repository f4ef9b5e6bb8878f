"""Gain of two-step on Q-band against that on G-band, one point a submission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmark.board.model import Gain
from benchmark.board.pictures import labels
from benchmark.board.pictures.cost import NAMED, limits
from benchmark.board.pictures.figure import BAND, FAINT, INK, MARGIN, Kind, both, caption, dots, settings

GROUPS = {
    "better on both": ("#0072b2", "D"),
    "better on one": ("#56b4e9", "^"),
    "no difference shown": ("#555555", "o"),
    "worse on one or both": ("#d55e00", "v"),
}
"""What two verdicts say together, with its colour and mark."""


class Both(NamedTuple):
    """The gains of one submission on the two stains."""

    label: str
    q: Gain
    g: Gain

    @property
    def group(self) -> str:
        """Key of `GROUPS`; a loss outweighs a gain."""
        found = (self.q.verdict, self.g.verdict)
        if "worse" in found:
            return "worse on one or both"
        return ("no difference shown", "better on one", "better on both")[found.count("better")]


def stains(found: Sequence[Both], shown: int, note: str = "", axis: tuple[str, str] = ("Q", "G")) -> dict[Kind, bytes]:  # fmt: skip
    """Draw it.

    Args:
        found: at least one, the most important first.
        shown: how many are drawn large and with their intervals.
        note: written below.
        axis: what the two axes are called.

    Returns:
        SVG (one element on no background) and PNG (on white, 200 dots an inch); the same gains give the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    with rc_context(settings(9)):
        figure = Figure(figsize=(6.2, 6.8), layout="constrained")
        axes = figure.subplots()
        for name, set_limits in (("q", axes.set_xlim), ("g", axes.set_ylim)):
            set_limits(*limits([getattr(one, name) for one in found]))
        ends = min(axes.get_xlim()[0], axes.get_ylim()[0]), max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.set(xlim=ends, ylim=ends, aspect="equal")
        axes.set_xlabel(f"gain on {axis[0]}, points")
        axes.set_ylabel(f"gain on {axis[1]}, points")
        used = {one.group for one in found}
        keys = [
            Line2D([], [], color=colour, marker=mark, linestyle="", label=name)
            for name, (colour, mark) in GROUPS.items()
            if name in used
        ]
        keys.append(Line2D([], [], color="#999999", linewidth=0.9, linestyle="--", label="the same on both"))
        figure.legend(handles=keys, loc="outside upper center", ncols=3, frameon=False, fontsize=8)
        caption(figure, note)
        _draw(axes, found, shown)
        return both(figure)


def _interval(axes: Any, one: Both) -> None:
    colour = GROUPS[one.group][0]
    for gain, across in ((one.q, True), (one.g, False)):
        if gain.low is not None and gain.high is not None:
            span, still = [100 * gain.low, 100 * gain.high], [100 * (one.g if across else one.q).value] * 2
            style = "-" if gain.interval == "trainings and groups" else ":"
            axes.plot(*((span, still) if across else (still, span)), color=colour, linewidth=1.1, alpha=0.45, linestyle=style)  # fmt: skip


def _draw(axes: Any, found: Sequence[Both], shown: int) -> None:
    axes.axhspan(-MARGIN, MARGIN, color=BAND, alpha=0.08, linewidth=0)
    axes.axvspan(-MARGIN, MARGIN, color=BAND, alpha=0.08, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.axline((0, 0), slope=1, color="#999999", linewidth=0.9, linestyle="--")
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for group, (colour, _) in GROUPS.items():
        dots(axes, [(100 * one.q.value, 100 * one.g.value) for one in found[shown:] if one.group == group], colour)
    for one in found[:shown]:
        colour, mark = GROUPS[one.group]
        _interval(axes, one)
        axes.plot([100 * one.q.value], [100 * one.g.value], mark, color=colour, markersize=6, zorder=3)
    large = [(100 * one.q.value, 100 * one.g.value) for one in found[:shown]]
    named = [
        labels.Point(100 * one.q.value, 100 * one.g.value, one.label)
        for one in found[: NAMED if len(found) <= NAMED else NAMED // 2]
    ]
    labels.place(axes, named, large)
