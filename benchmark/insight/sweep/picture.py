"""The picture of a sweep: macro-F1 over the values of the setting, and the differences from the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmark.board.pictures.figure import BAND, FAINT, INK, Kind, both, caption, settings
from benchmark.insight.schema import Estimate
from benchmark.insight.sweep.report import shown
from benchmark.insight.sweep.schema import Point, Sweep, Trial
from benchmark.insight.sweep.series import is_number

LOOKS = (
    ("#0072b2", "D"),
    ("#d55e00", "o"),
    ("#009e73", "s"),
    ("#cc79a7", "v"),
    ("#e69f00", "^"),
    ("#56b4e9", "P"),
    ("#000000", "X"),
)
"""Colour and mark of each trial, in turn (Okabe & Ito 2008)."""

NOTHING = Estimate(value=0.0, low=None, high=None, basis="none")
"""What the reference differs from itself by."""


def picture(report: Sweep) -> dict[Kind, bytes]:
    """Draw it: SVG (one element on no background) and PNG (on white); the same report gives the same bytes."""
    from matplotlib import rc_context

    with rc_context(settings(9)):
        return both(drawing(report))


def drawing(report: Sweep) -> Any:
    """It as a matplotlib `Figure`: the scores on the left, the differences on the right."""
    from matplotlib.figure import Figure

    points = {repr(point.value): point for trial in report.trials for point in trial.points}
    places = list(points)
    if all(is_number(point.value) for point in points.values()):
        places.sort(key=lambda name: float(points[name].value or 0))
    across = {name: float(place) for place, name in enumerate(places)}
    figure = Figure(figsize=(9, 3.6 + 0.2 * len(report.trials)), layout="constrained")
    left, right = figure.subplots(1, 2)
    _panel(left, report.trials, across, lambda point: point.macro_f1)
    left.set_ylabel("macro-F1, %")
    _panel(right, report.trials, across, lambda point: point.difference or NOTHING)
    right.axhspan(-100 * report.margin, 100 * report.margin, color=BAND, alpha=0.12, linewidth=0)
    right.axhline(0, color=INK, linewidth=0.8)
    right.set_ylabel(f"against {shown(report.reference)}, points of macro-F1")
    for axes in (left, right):
        axes.set_xticks(list(across.values()), [shown(points[name].value) for name in places])
        axes.set_xlim(-0.4, len(places) - 0.6)
        axes.set_xlabel(report.setting)
    keys, labels = left.get_legend_handles_labels()
    figure.legend(keys, labels, loc="outside upper left", ncols=2, frameon=False)
    caption(figure, (
        "Lines: 95 % intervals over whole cells or people; dotted where they speak of these trainings only, none where too few "
        f"were tested. Green: within {100 * report.margin:g} points."
    ))  # fmt: skip
    return figure


def _panel(axes: Any, trials: tuple[Trial, ...], across: dict[str, float], of: Callable[[Point], Estimate]) -> None:
    for number, trial in enumerate(trials):
        colour, mark = LOOKS[number % len(LOOKS)]
        aside = 0.08 * (number - (len(trials) - 1) / 2)
        shown_ = [(across[repr(point.value)] + aside, of(point)) for point in trial.points]
        for place, one in shown_:
            if one.low is not None and one.high is not None:
                line = "-" if one.basis == "trainings and groups" else ":"
                axes.plot([place] * 2, [100 * one.low, 100 * one.high], line, color=colour, linewidth=1.6)
        places, values = [place for place, _ in shown_], [100 * one.value for _, one in shown_]
        label = f"{trial.submission}, {trial.protocol} → {trial.target}"
        axes.plot(places, values, f"-{mark}", color=colour, linewidth=0.8, markersize=6, zorder=3, label=label)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
