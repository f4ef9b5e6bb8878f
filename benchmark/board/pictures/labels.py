"""Names beside the points of a scatter plot, where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import Any, NamedTuple

from benchmark.board.pictures.figure import lay_out
from benchmark.board.plain import shorten

DIRECTIONS = (1, 7, 3, 5, 0, 4, 2, 6)
"""Eighths of a turn, in the order in which they are tried."""

LONGEST = 24
"""Letters of a name."""

DISTANCES = (9, 16, 30, 46)
"""From the point, in points; from the second on with a thin line."""


class Point(NamedTuple):
    """A point in the plot's own units, and its name."""

    x: float
    y: float
    text: str


def place(
    axes: Any, named: Sequence[Point], others: Sequence[tuple[float, float]] = (), sure: int | None = None
) -> int:
    """Write the names so that none covers a name or a point, or leaves the plot; one without room is left out.

    Args:
        axes: its limits must be set.
        named: points to name, the most important first.
        others: further points not to be covered.
        sure: of the first so many a name may also stand far away; default all.

    Returns:
        Number of names written.
    """
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    figure = axes.figure
    lay_out(figure)
    unit = figure.dpi / 72
    frame = axes.get_window_extent().padded(-3 * unit)
    taken = [
        Bbox.from_bounds(x - 4 * unit, y - 4 * unit, 8 * unit, 8 * unit)
        for x, y in axes.transData.transform([*((p.x, p.y) for p in named), *others])
    ] if named else []  # fmt: skip
    written = 0
    for number, point in enumerate(named):
        reach = DISTANCES if sure is None or number < sure else DISTANCES[:2]
        note = axes.annotate(shorten(point.text, LONGEST), (point.x, point.y), (0, 0), textcoords="offset points", fontsize=7.5, zorder=2.5, color="#222222",
                             bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.6},
                             arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3})  # fmt: skip
        note.set_in_layout(False)
        size = Text.get_window_extent(note)
        here = axes.transData.transform((point.x, point.y))
        for distance, eighth in ((d, e) for d in reach for e in DIRECTIONS):
            across, up = cos(eighth * pi / 4), sin(eighth * pi / 4)
            left = distance * across * unit - (size.width if across < -0.1 else size.width / 2 if across < 0.1 else 0)
            low = distance * up * unit - (size.height if up < -0.1 else size.height / 2 if up < 0.1 else 0)
            box = Bbox.from_bounds(here[0] + left, here[1] + low, size.width, size.height)
            inside = box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1
            if inside and not box.padded(1.5 * unit).count_overlaps(taken):
                note.set_position((left / unit, low / unit))
                note.arrow_patch.set_visible(distance > DISTANCES[0])
                taken.append(box)
                written += 1
                break
        else:
            note.remove()
    return written
