"""The picture of karyotypes: macro-F1, whole cells and the gain of two-step, each read both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmark.board.pictures.figure import FAINT, INK, Kind, both, caption, ladder, settings
from benchmark.insight.karyotype.render import GIVEN
from benchmark.insight.karyotype.schema import Estimate, Karyotype

ALONE, TOGETHER = ("#d55e00", "o", "each image for itself"), ("#0072b2", "D", "each cell as a karyotype")
"""Colour, mark and name (Okabe & Ito 2008)."""


class _Row(NamedTuple):
    heading: str
    label: str
    alone: Estimate
    together: Estimate


def picture(report: Karyotype) -> dict[Kind, bytes]:
    """Draw it: SVG (one element on no background) and PNG (on white); the same report gives the same bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    trials = [(f"{trial.submission} → {trial.target}", trial) for trial in report.trials]
    scores = [_Row(name, one.protocol, one.alone, one.together) for name, trial in trials for one in trial.readings]
    whole = [_Row(name, one.protocol, one.complete_alone, one.complete_together) for name, trial in trials for one in trial.readings]  # fmt: skip
    gains = [_Row(name, "two-step over imagenet", trial.gain.alone, trial.gain.together) for name, trial in trials if trial.gain]  # fmt: skip
    with rc_context(settings(9)):
        figure = Figure(figsize=(11, 4), layout="constrained")
        places = figure.subplots(1, 3 if gains else 2, width_ratios=(1, 1, 1)[: 3 if gains else 2])
        if gains:
            _panel(places[2], gains, "gain in macro-F1, points")
            places[2].axvline(0, color=INK, linewidth=0.8)
        _panel(places[1], whole, "cells without an error, %")
        _panel(places[0], scores, "macro-F1, %")
        places[1].set_yticklabels([])
        figure.legend(handles=_keys(), loc="outside upper center", ncols=2, frameon=False)
        caption(figure, f"Lines: 95 % intervals; dotted where they speak of these trainings only. {GIVEN}")
        return both(figure)


def _panel(axes: Any, rows: Sequence[_Row], title: str) -> None:
    heights = ladder(axes, [(row.heading, row.label) for row in rows], 1.9)
    for height, row in zip(heights, rows, strict=True):
        for shift, one, (colour, mark, _) in ((-0.13, row.alone, ALONE), (0.13, row.together, TOGETHER)):
            if one.low is not None and one.high is not None:
                style = "-" if one.basis == "trainings and groups" else ":"
                axes.plot([100 * one.low, 100 * one.high], [height + shift] * 2, style, color=colour, linewidth=1.8)
            axes.plot([100 * one.value], [height + shift], mark, color=colour, markersize=6, zorder=3)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(title)


def _keys() -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=colour, marker=mark, label=name) for colour, mark, name in (ALONE, TOGETHER)]
