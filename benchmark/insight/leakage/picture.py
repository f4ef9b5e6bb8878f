"""The picture of leakage: macro-F1 under either split, and what the careless one adds."""

from __future__ import annotations

from typing import Any

from benchmark.board.pictures.figure import FAINT, INK, Kind, both, caption, ladder, settings
from benchmark.insight.leakage.report import BY
from benchmark.insight.leakage.schema import Leakage
from benchmark.insight.schema import Estimate

CAREFUL, CARELESS = ("#0072b2", "D"), ("#d55e00", "o")
"""Colour and mark (Okabe & Ito 2008)."""


def picture(report: Leakage) -> dict[Kind, bytes]:
    """Draw it: SVG (one element on no background) and PNG (on white); the same report gives the same bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows = [(f"{one.submission} → {one.target}", one.protocol) for one in report.trials]
    names = f"folds {BY[report.careful.by]}", f"folds {BY[report.careless.by]}"
    with rc_context(settings(9)):
        figure = Figure(figsize=(9, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        _panel(left, rows, [(one.careful.macro_f1, one.careless.macro_f1) for one in report.trials], "macro-F1, %")
        _panel(right, rows, [(one.flattery,) for one in report.trials], "flattered by, points of macro-F1")
        right.axvline(0, color=INK, linewidth=0.8)
        right.set_yticklabels([])
        keys = [
            Line2D([], [], color=colour, marker=mark, label=name)
            for (colour, mark), name in zip((CAREFUL, CARELESS), names, strict=True)
        ]
        figure.legend(handles=keys, loc="outside upper center", ncols=2, frameon=False)
        caption(figure, "Lines: 95 % intervals over whole groups; dotted where they speak of these trainings only.")
        return both(figure)


def _panel(axes: Any, rows: list[tuple[str, str]], values: list[tuple[Estimate, ...]], title: str) -> None:
    heights = ladder(axes, rows, 1.9)
    for height, shown in zip(heights, values, strict=True):
        shifts = (-0.13, 0.13) if len(shown) == 2 else (0.0,)
        styles = (CAREFUL, CARELESS) if len(shown) == 2 else ((INK, "s"),)
        for shift, one, (colour, mark) in zip(shifts, shown, styles, strict=True):
            if one.low is not None and one.high is not None:
                line = "-" if one.basis == "trainings and groups" else ":"
                axes.plot([100 * one.low, 100 * one.high], [height + shift] * 2, line, color=colour, linewidth=1.8)
            axes.plot([100 * one.value], [height + shift], mark, color=colour, markersize=6, zorder=3)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(title)
