"""The picture of similarity: distances as matrices, the domains in a plane, and their spectra. No image is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.board.pictures.figure import FAINT, Kind, both, caption, settings
from benchmark.insight.compare import number
from benchmark.insight.resample import Floats, seeds
from benchmark.insight.schema import Similarity

MATRICES = ("frechet", "kid", "a-distance", "spectrum")
LOOKS = (("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), ("#e69f00", "v"), ("#56b4e9", "P"))
"""Colour and mark of each domain (Okabe & Ito 2008)."""

SHOWN = 800
"""Points of a domain that are drawn, chosen by chance."""


def picture(report: Similarity, points: Sequence[Floats]) -> dict[Kind, bytes]:
    """Draw it.

    Args:
        report: of the comparison.
        points: of each domain in the report's order, its first two principal components, (images, 2).

    Returns:
        SVG (one element on no background) and PNG (on white, 200 dots an inch); the same report gives the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(settings(9)):
        figure = Figure(figsize=(10.4, 7.6), layout="constrained")
        places = figure.subplot_mosaic("AAABBBCCCDDD;EEEEEEEFFFFF", height_ratios=(1, 1.6))
        shown = [one for one in report.measures if one.key in MATRICES]
        for letter, measure in zip("ABCD", shown, strict=True):
            _matrix(places[letter], report, measure.key, measure.title)
        _plane(places["E"], report, points)
        _spectra(places["F"], report)
        caption(figure, _caption(report))
        return both(figure)


def _caption(report: Similarity) -> str:
    return (
        f"Distances: darker is farther, each matrix on its own scale; on the diagonal the mean between random halves of one domain. "
        f"Plane: principal components 1 and 2 of what {report.network.submission} with ImageNet weights sees in grey images of "
        f"{report.size} pixels, up to {SHOWN} images a domain; large marks are means. Spectra: mean over images.\n"
        f"Natural images: {report.reference.source}."
    )


def _matrix(axes: Any, report: Similarity, key: str, title: str) -> None:
    names = [domain.name for domain in report.domains]
    values = np.full((len(names), len(names)), np.nan)
    for one in report.distances:
        if one.measure == key:
            a, b = names.index(one.first), names.index(one.second)
            values[a, b] = values[b, a] = one.value
    for floor in report.floors:
        if floor.measure == key:
            values[names.index(floor.domain), names.index(floor.domain)] = floor.mean
    top = max(float(np.nanmax(values)), 1e-12)
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(edges, edges, np.clip(values, 0, None), cmap="Blues", vmin=0, vmax=top, edgecolors="white", linewidth=1.2)  # fmt: skip
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if value > 0.6 * top else "#111111"
        axes.text(column, row, number(float(value)), ha="center", va="center", color=ink, fontsize=9)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=9, fontweight="bold")
    for side in axes.spines.values():
        side.set_visible(False)
    if axes.get_subplotspec().colspan.start:
        axes.set_yticks([])


def _plane(axes: Any, report: Similarity, points: Sequence[Floats]) -> None:
    order = seeds(report.settings.seed, "picture")
    for number_, (domain, own) in enumerate(zip(report.domains, points, strict=True)):
        colour, mark = LOOKS[number_ % len(LOOKS)]
        some = own[np.sort(order.permutation(len(own))[:SHOWN])]
        axes.plot(some[:, 0], some[:, 1], ".", color=colour, markersize=3, alpha=0.35, rasterized=True, zorder=1.5)
        axes.plot(
            *own.mean(axis=0)[:, None], mark, color=colour, markersize=11, markeredgecolor="white", zorder=3,
            label=f"{domain.name} ({len(own):,} images, {domain.groups:,} groups)",
        )  # fmt: skip
    axes.set_xlabel("principal component 1")
    axes.set_ylabel("principal component 2")
    axes.legend(loc="best", frameon=False, fontsize=8)
    _quiet(axes)


def _spectra(axes: Any, report: Similarity) -> None:
    for number_, domain in enumerate(report.domains):
        colour, mark = LOOKS[number_ % len(LOOKS)]
        radii = np.arange(1, len(domain.spectrum) + 1)
        label = f"{domain.name}, slope {number(domain.slope.value)}"
        axes.plot(radii, domain.spectrum, mark, linestyle="-", color=colour, markersize=3, linewidth=1.2, label=label)
    axes.set_xscale("log")
    ticks = [2**power for power in range(int(np.log2(report.size // 2)) + 1)]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("fineness, cycles an image side")
    axes.set_ylabel("share of power, powers of ten")
    axes.legend(loc="lower left", frameon=False, fontsize=8)
    _quiet(axes)


def _quiet(axes: Any) -> None:
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
