"""Pictures of attention: the numbers and checks, and, apart from them, chromosomes with their maps side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.board.pictures.figure import FAINT, INK, Kind, both, caption, settings
from benchmark.data.manifest import CLASSES
from benchmark.insight.attention.faithful import enlarged
from benchmark.insight.attention.render import names
from benchmark.insight.attention.report import Outcome
from benchmark.insight.attention.sanity import SAME
from benchmark.insight.attention.schema import Attention, Unit
from benchmark.insight.attention.unit import Looked, correlations
from benchmark.insight.resample import seeds

LOOKS = (("#555555", "o"), ("#0072b2", "s"), ("#d55e00", "D"), ("#009e73", "^"), ("#cc79a7", "v"))
"""Colour and mark of each protocol (Okabe & Ito 2008)."""

SHOWN = 8
"""Chromosomes that are shown."""

Grey = npt.NDArray[np.float64]


def numbers(report: Attention) -> dict[Kind, bytes]:
    """Draw the numbers under each protocol, the cascade of shuffled weights, and deletion and insertion; no image is in it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(settings(9)):
        figure = Figure(figsize=(10.4, 5.6), layout="constrained")
        places = figure.subplot_mosaic("ABCDE;FFGGH", height_ratios=(1, 1.25), empty_sentinel=".")
        for letter, measure in zip("ABCDE", report.measures, strict=True):
            _measure(places[letter], report, measure.key, measure.title, measure.even)
        _cascade(places["F"], report)
        _curves(places["G"], report)
        handles, labels = places["F"].get_legend_handles_labels()
        places["H"].legend(handles, labels, loc="center left", frameon=False, fontsize=8)
        places["H"].axis("off")
        caption(figure, _caption(report))
        return both(figure)


def _caption(report: Attention) -> str:
    what = f"{report.submission} on {report.target}{' (simulated)' if report.simulated else ''}, track {report.track}"
    return (
        f"{what}: {report.images:,} test images. Above: means with 95 % intervals that allow for groups ({report.group_by}); dashed: a map "
        "that marks the chromosome evenly; crosses: maps under shuffled weights. Below left: rank correlation with maps under "
        "more and more shuffled weights. Below right: probability of the class as the pixels of the chromosome are put back "
        "(rising) or blackened (falling), most attention first; dotted: in the order of random maps."
    )


def _looks(report: Attention) -> dict[str, tuple[str, str]]:
    return {name: LOOKS[number % len(LOOKS)] for number, name in enumerate(names(report))}


def _measure(axes: Any, report: Attention, key: str, title: str, even: float) -> None:
    looks = _looks(report)
    for place, name in enumerate(looks):
        colour, mark = looks[name]
        for one in report.arms:
            if (one.protocol, one.measure) == (name, key):
                if one.low is not None and one.high is not None:
                    axes.plot([place, place], [one.low, one.high], color=colour, linewidth=1.6)
                axes.plot(place, one.value, mark, color=colour, markersize=6)
                if one.shuffled is not None:
                    axes.plot(place, one.shuffled, "x", color=colour, markersize=6, alpha=0.7)
    axes.axhline(even, color=INK, linestyle="--", linewidth=0.9)
    axes.set_xticks(range(len(looks)), list(looks), rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(looks) - 0.4)
    axes.set_title(title, fontsize=8, fontweight="bold")
    _quiet(axes)


def _mean(units: list[Unit], of: Any) -> Grey:
    return np.asarray(np.mean([of(one) for one in units], axis=0))


def _cascade(axes: Any, report: Attention) -> None:
    for name, (colour, mark) in _looks(report).items():
        own = [one for one in report.units if one.protocol == name]
        steps = _mean(own, lambda one: [step.rank for step in one.sanity.cascade])
        axes.plot(range(len(steps)), steps, mark, linestyle="-", color=colour, markersize=5, linewidth=1.4, label=name)
    parts = [step.part for step in report.units[0].sanity.cascade]
    axes.axhline(report.gate.threshold, color=INK, linestyle="--", linewidth=0.9, label="gate")
    axes.set_xticks(range(len(parts)), ["classifier", *(f"{100 * part:.0f} %" for part in parts[1:])])
    axes.set_ylim(-0.35, 1.05)
    axes.set_xlabel("shuffled, from the logits down")
    axes.set_ylabel("rank correlation")
    _quiet(axes)


def _curves(axes: Any, report: Attention) -> None:
    for name, (colour, mark) in _looks(report).items():
        own = [one for one in report.units if one.protocol == name]
        for number in range(2):
            for style, field in (("-", "curve"), (":", "random")):
                curve = _mean(own, lambda one, n=number, f=field: getattr(one.faithfulness[n], f))
                places = np.linspace(0, 1, len(curve))
                axes.plot(places, curve, marker=mark if style == "-" else "", linestyle=style, color=colour, markersize=3, linewidth=1.2)  # fmt: skip
    axes.set_xlabel("part of the chromosome")
    axes.set_ylabel("probability of the class")
    axes.set_ylim(-0.02, 1.02)
    _quiet(axes)


def chromosomes(outcome: Outcome, count: int = SHOWN) -> dict[Kind, bytes]:
    """Draw the same chromosomes under every protocol, chosen by chance from the first fold and repeat.

    A map that fails the check with shuffled weights is not drawn.

    Args:
        outcome: of `report.look`.
        count: how many chromosomes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    report = outcome.report
    first = [one for one in outcome.looked if (one.trained.place.fold, one.trained.place.repeat) == (report.folds[0], report.repeats[0])]  # fmt: skip
    chosen = _chosen(first[0], report.settings.seed, count)
    with rc_context(settings(8)):
        figure = Figure(figsize=(1.2 * len(chosen) + 0.9, 1.28 * (len(first) + 1) + 0.7), layout="constrained")
        places = figure.subplots(len(first) + 1, len(chosen), squeeze=False)
        for column, row in enumerate(chosen):
            trained = first[0].trained
            image = trained.images[first[0].rows[row]]
            _show(places[0][column], image, None, "")
            places[0][column].set_title(CLASSES[trained.labels[first[0].rows[row]]], fontsize=9, fontweight="bold")
        for line, one in enumerate(first, 1):
            name = one.trained.place.protocol
            sound, large = correlations(one) <= SAME, enlarged(one.maps[chosen], report.size)
            for column, row in enumerate(chosen):
                reason = "" if sound[row] and name not in report.gate.failed else "fails the\ncheck"
                image = one.trained.images[one.rows[row]]
                _show(places[line][column], image, None if reason else large[column].astype(np.float64), reason)
        for line, label in enumerate(["chromosome", *(one.trained.place.protocol for one in first)]):
            places[line][0].set_ylabel(label, fontsize=9)
        what = (
            f"{report.submission} on {report.target}{' (simulated)' if report.simulated else ''}, track {report.track}"
        )
        caption(
            figure,
            f"{what}. {report.settings.method} of the true class (above each column), brightest where most speaks for it, each "
            "map on its own scale; chromosomes chosen by chance. A map that stays the same under shuffled weights is not shown.",
        )
        return both(figure)


def _chosen(looked: Looked, seed: int, count: int) -> list[int]:
    """Rows of chromosomes of different classes, in the order of the classes."""
    order = seeds(seed, "chromosomes").permutation(len(looked.rows))
    labels = looked.trained.labels[looked.rows]
    first: dict[int, int] = {}
    for row in order.tolist():
        first.setdefault(int(labels[row]), row)
    some = list(first.values())[:count]
    return sorted(some, key=lambda row: int(labels[row]))


def _show(axes: Any, image: npt.NDArray[np.uint8], marked: Grey | None, reason: str) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    if marked is not None and marked.max() > 0:
        strength = marked / marked.max()
        axes.imshow(strength, cmap="inferno", vmin=0, vmax=1, alpha=0.65 * strength**0.5, interpolation="bilinear")
    if reason:
        axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color="white", fontsize=7)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color(FAINT)


def _quiet(axes: Any) -> None:
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
