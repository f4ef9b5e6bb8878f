"""Heat map of F1 by chromosome class, a row a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmark.board.pictures.figure import Kind, both, caption, ladder, settings
from benchmark.wording import points

FEW = 24
"""Rows up to which every cell shows its number."""


class Row(NamedTuple):
    """F1 of every class in parts of 1, None where a class is absent, and their macro-F1."""

    heading: str
    label: str
    f1: tuple[float | None, ...]
    macro_f1: float


def _floor(values: np.ndarray[Any, Any]) -> int:
    """Where the colours begin, in %: the tens below all but the lowest twentieth of the cells, at most 90."""
    return int(min(90, 10 * np.floor(np.nanpercentile(values, 5) / 10)))


def class_map(rows: Sequence[Row], classes: Sequence[str], note: str = "") -> dict[Kind, bytes]:
    """Draw it.

    Args:
        rows: at least one, each with a class that is not absent.
        classes: their names, in the order of `f1`.
        note: written below.

    Returns:
        SVG (one element on no background) and PNG (on white, 200 dots an inch); the same rows give the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(settings(9)):
        figure = Figure(figsize=(9.6, 4), layout="constrained")
        axes = figure.subplots()
        heights = ladder(axes, [(row.heading, row.label) for row in rows], 1.5)
        values = np.full((heights[-1] + 1, len(classes)), np.nan)
        for height, row in zip(heights, rows, strict=True):
            values[height] = [np.nan if one is None else 100 * one for one in row.f1]
        floor = _floor(values)
        across, down = (np.arange(size + 1) - 0.5 for size in values.shape[::-1])
        mesh = axes.pcolormesh(
            across, down, values, cmap="YlGnBu_r", vmin=floor, vmax=100, edgecolors="white", linewidth=0.6
        )
        axes.set_xticks(range(len(classes)), classes)
        axes.set_xlim(-0.5, len(classes) - 0.5)
        axes.tick_params(axis="x", length=0, top=True, labeltop=True)
        axes.spines["bottom"].set_visible(False)
        axes.set_xlabel("chromosome")
        _numbers(axes, rows, heights, floor)
        low = bool(np.nanmin(values) < floor)
        bar = figure.colorbar(
            mesh, ax=axes, location="bottom", shrink=0.4, aspect=30, pad=0.02, extend="min" if low else "neither"
        )
        bar.set_label("F1 of two-step, %")
        bar.outline.set_visible(False)
        caption(figure, note)
        return both(figure)


def _numbers(axes: Any, rows: Sequence[Row], heights: Sequence[int], floor: int) -> None:
    end = len(rows[0].f1) - 0.2
    axes.text(end, heights[0] - 1, "macro-F1", va="center", fontweight="bold")
    for height, row in zip(heights, rows, strict=True):
        axes.text(end, height, points(row.macro_f1), va="center")
        for column, one in enumerate(row.f1):
            if one is None:
                axes.text(column, height, "–", ha="center", va="center", color="#777777")
            elif len(rows) <= FEW:
                ink = "white" if 100 * one < (floor + 100) / 2 else "black"
                axes.text(column, height, f"{100 * one:.0f}", ha="center", va="center", color=ink, fontsize=7)
