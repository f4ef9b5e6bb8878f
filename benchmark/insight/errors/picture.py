"""The picture of errors: who misses what, look-alikes, error against what was measured, planted labels. No image is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.board.pictures.figure import FAINT, INK, Kind, both, caption, settings
from benchmark.insight.errors.schema import Errors, Trial
from benchmark.insight.schema import Estimate
from benchmark.protocol import base

LOOKS = {"scratch": ("#009e73", "^"), "imagenet": ("#d55e00", "o"), "two-step": ("#0072b2", "D"),
         "imagenet-long": ("#cc79a7", "s"), "two-step-shuffled": ("#e69f00", "v")}  # fmt: skip
"""Colour and mark of each protocol (Okabe & Ito 2008)."""


def picture(report: Errors) -> dict[Kind, bytes]:
    """Draw it, a row of panels a trial.

    Returns:
        SVG (one element on no background) and PNG (on white, 200 dots an inch); the same report gives the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rows = len(report.trials)
    with rc_context(settings(8)):
        figure = Figure(figsize=(13, 3.3 * rows + 1.1), layout="constrained")
        for line, trial in zip(figure.subplots(rows, 4, squeeze=False, width_ratios=(1, 1, 1.7, 1)), report.trials, strict=True):  # fmt: skip
            _kinds(line[0], trial)
            _lookalikes(line[1], trial)
            _conditions(line[2], trial)
            _checks(line[3], trial)
            line[0].set_ylabel(f"{trial.submission}\n→ {trial.target}", fontweight="bold")
        names = list(dict.fromkeys(name for trial in report.trials for name in trial.protocols))
        figure.legend(handles=_keys(names), loc="outside upper center", ncols=len(names) + 2, frameon=False)
        caption(figure, (
            "Lines: 95 % intervals. Images: a repeat; crosses: what independent errors of the same rates by class would give. Look-alikes: share of all "
            "errors; crosses: if errors fell evenly on the other classes. Fifths: of a measurement within the class, lowest to highest. Planted: labels "
            "changed to a class of like size; as given: compared with the stored predictions; retrained: a weak regression that was trained on them too."
        ))  # fmt: skip
        return both(figure)


def _line(axes: Any, one: Estimate | None, place: float, colour: str, mark: str, scale: float = 100.0) -> None:
    """A value with its interval, upright."""
    if one is None:
        return
    if one.low is not None and one.high is not None:
        style = ":" if one.basis == "groups" else "-"
        axes.plot([place] * 2, [scale * one.low, scale * one.high], style, color=colour, linewidth=1.6)
    axes.plot([place], [scale * one.value], mark, color=colour, markersize=5, zorder=3)


def _kinds(axes: Any, trial: Trial) -> None:
    for place, one in enumerate(trial.kinds):
        _line(axes, one.share, place, INK, "o", trial.images)
        axes.plot([place], [one.expected], "x", color=INK, markersize=7)
    axes.set_xticks(range(len(trial.kinds)), [one.title.replace(" two-step ", "\ntwo-step\n") for one in trial.kinds])
    axes.set_xlim(-0.5, len(trial.kinds) - 0.5)
    axes.set_title("images", fontweight="bold")
    _quiet(axes)


def _shift(trial: Trial, name: str, width: float = 0.5) -> float:
    places: Sequence[float] = np.linspace(-width / 2, width / 2, len(trial.protocols)).tolist()
    return places[trial.protocols.index(name)] if len(trial.protocols) > 1 else 0.0


def _lookalikes(axes: Any, trial: Trial) -> None:
    groups = list(dict.fromkeys(one.group for one in trial.lookalikes))
    for one in trial.lookalikes:
        place = groups.index(one.group) + _shift(trial, one.protocol)
        _line(axes, one.share, place, *LOOKS[base(one.protocol)])
        if one.chance is not None:
            axes.plot([place], [100 * one.chance], "x", color=INK, markersize=5)
    axes.set_xticks(range(len(groups)), groups)
    axes.set_title("look-alikes, % of errors", fontweight="bold")
    _quiet(axes)


def _conditions(axes: Any, trial: Trial) -> None:
    measures = list(dict.fromkeys(one.title for one in trial.conditions))
    for one in trial.conditions:
        colour, mark = LOOKS[base(one.protocol)]
        start = 6 * measures.index(one.title)
        places = [start + k + _shift(trial, one.protocol, 0.4) for k in range(len(one.fifths))]
        for place, fifth in zip(places, one.fifths, strict=True):
            _line(axes, fifth, place, colour, mark)
        values = [np.nan if fifth is None else 100 * fifth.value for fifth in one.fifths]
        axes.plot(places, values, color=colour, linewidth=0.8, alpha=0.7)
    axes.set_xticks([6 * k + 2 for k in range(len(measures))], [f"{one}, fifths" for one in measures])
    axes.set_title("% missed, by what was measured", fontweight="bold")
    _quiet(axes)


def _checks(axes: Any, trial: Trial) -> None:
    for how, style in (("as given", "-"), ("retrained", "--")):
        own = [one for one in trial.labels.checks if one.how == how and one.alike]
        for field, colour, mark, side in (("precision", "#0072b2", "o", -1), ("recall", "#d55e00", "s", 1)):
            values = [getattr(one, field) for one in own]
            places = [k + 0.07 * side for k in range(len(own))]
            axes.plot(places, [100 * one.value for one in values], style, color=colour, linewidth=0.9)
            for place, one in zip(places, values, strict=True):
                axes.plot([place] * 2, [100 * one.low, 100 * one.high], "-", color=colour, linewidth=1.4)
                axes.plot([place], [100 * one.value], mark, color=colour, markersize=4.5, label="_")
    rates = [one.rate for one in trial.labels.checks if one.how == "as given" and one.alike]
    axes.set_xticks(range(len(rates)), [f"{100 * rate:g} %" for rate in rates])
    axes.set_ylim(-2, 102)
    axes.set_title("planted label errors found, %", fontweight="bold")
    from matplotlib.lines import Line2D

    axes.legend(
        handles=[
            Line2D([], [], color="#0072b2", marker="o", label="precision"), Line2D([], [], color="#d55e00", marker="s", label="recall"),
            Line2D([], [], color=INK, linestyle="-", label="as given"), Line2D([], [], color=INK, linestyle="--", label="retrained"),
        ],
        frameon=False, fontsize=6.5, loc="best", ncols=2,
    )  # fmt: skip
    _quiet(axes)


def _quiet(axes: Any) -> None:
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _keys(names: Sequence[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    found = [Line2D([], [], color=LOOKS[base(name)][0], marker=LOOKS[base(name)][1], label=name) for name in names]
    return [*found, Line2D([], [], color=INK, marker="x", linestyle="", label="by chance")]
