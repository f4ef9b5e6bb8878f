"""What every picture of the board shares: how it is written, named rows, headings and a caption.

The same figure gives the same bytes. A text is drawn as it is: `$` begins no formula, and SVG holds it
as text.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

Kind = Literal["svg", "png"]
KINDS: tuple[Kind, ...] = ("svg", "png")

DOTS = 200
"""Of a PNG, an inch."""

MARGIN = 0.5
"""Gains within so many points of nothing are equivalent."""

LOOKS = {
    "better": ("#0072b2", "D"),
    "worse": ("#d55e00", "v"),
    "equivalent": ("#009e73", "s"),
    "undecided": ("#555555", "o"),
    "withheld": ("#999999", "x"),
}
"""Colour and mark of a verdict (Okabe & Ito 2008); every verdict is also written out."""

INK, FAINT = "#333333", "#dddddd"
CROWD = 300
"""More points than these are drawn as an image in the SVG."""

BAND = "#009e73"
"""Colour of the band of equivalence."""


def settings(size: int) -> Any:
    """Settings of a figure: real text in an SVG, no formula in a text, and ids that do not change.

    Args:
        size: of the text, in points.
    """
    return {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": size,
        "svg.hashsalt": "karyobench",
        "text.parse_math": False,
        "axes.unicode_minus": True,
    }


def save(figure: Any, kind: Kind) -> bytes:
    """The bytes of a figure's file. A sign that the font lacks is a box in the PNG.

    Args:
        figure: of matplotlib, under `settings`.
        kind: `svg`: one `<svg>` element on no background; `png`: on white, 200 dots an inch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    lay_out(figure)
    file = io.BytesIO()
    figure.set_dpi(DOTS)
    grounds = [figure.patch, *(axes.patch for axes in figure.axes)] if kind == "svg" else []
    for ground in grounds:
        ground.set_visible(False)
    with _boxes():
        if kind == "png":
            canvas: Any = FigureCanvasAgg(figure)
            canvas.print_png(file, metadata={"Software": None})
            return file.getvalue()
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(file, metadata={"Date": None, "Creator": None})
    for ground in grounds:
        ground.set_visible(True)
    svg = file.getvalue()
    return svg[svg.index(b"<svg") :]


def both(figure: Any) -> dict[Kind, bytes]:
    """A figure's two files."""
    return {kind: save(figure, kind) for kind in KINDS}


def lay_out(figure: Any) -> None:
    """Give every part of a figure its place, once and for all."""
    if figure.get_layout_engine() is not None:
        figure.set_dpi(DOTS)
        with _boxes():
            figure.draw_without_rendering()
        figure.set_layout_engine("none")


@contextmanager
def _boxes() -> Iterator[None]:
    """No warning of signs that the font lacks: a title may hold any."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def ladder(axes: Any, rows: Sequence[tuple[str, str]], frame: float) -> list[int]:
    """Name the rows of a plot from the top down, and make the figure as high as they need.

    Args:
        axes: of a figure with one plot.
        rows: heading and label of each; a heading that differs from the one before gets a bold line of its own.
        frame: height of all that is not a row, in inches.

    Returns:
        Height of each row on the vertical axis.
    """
    names: list[str] = []
    heights: list[int] = []
    bold: list[int] = []
    before = ""
    for heading, label in rows:
        if heading and heading != before:
            bold.append(len(names))
            names.append(heading)
        before = heading
        heights.append(len(names))
        names.append(label)
    axes.set_yticks(range(len(names)), names)
    for number in bold:
        axes.get_yticklabels()[number].set_fontweight("bold")
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    pitch = 0.48 if any("\n" in name for name in names) else 0.32 if len(names) <= 16 else 0.25
    axes.figure.set_figheight(frame + pitch * len(names))
    return heights


def caption(figure: Any, text: str) -> None:
    """Write what the picture shows below it, in small letters; nothing when there is nothing to say."""
    wide = int(16 * figure.get_figwidth())
    if text:
        figure.supxlabel(
            "\n".join(textwrap.fill(line, wide) for line in text.splitlines()),
            fontsize=8,
            color="#555555",
            ha="left",
            x=0.01,
        )


def dots(axes: Any, points: Sequence[tuple[float, float]], colour: str) -> None:
    """Draw points small; very many of them are an image in the SVG."""
    across, up = [x for x, _ in points], [y for _, y in points]
    axes.plot(across, up, ".", color=colour, markersize=3, alpha=0.5, rasterized=len(points) > CROWD, zorder=1.5)


def verdict_keys(names: Sequence[str]) -> list[Any]:
    """Entries of a legend for verdicts, in the order of `LOOKS`."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=LOOKS[name][0], marker=LOOKS[name][1], linestyle="", label=name)
        for name in LOOKS
        if name in names
    ]
