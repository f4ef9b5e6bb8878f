"""How every picture of the board is written: the same figure gives the same bytes."""

from __future__ import annotations

import io
from typing import Any, Literal

Kind = Literal["svg", "png"]


def settings(size: int) -> Any:
    """Settings of a figure: real text in an SVG, and ids that do not change.

    Args:
        size: of the text, in points.
    """
    return {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": size, "svg.hashsalt": "karyobench"}


def save(figure: Any, kind: Kind) -> bytes:
    """The bytes of a figure's file.

    Args:
        figure: of matplotlib, under `settings`.
        kind: `svg`: one `<svg>` element on no background; `png`: on white, 200 dots an inch.
    """
    file = io.BytesIO()
    if kind == "png":
        figure.savefig(file, format="png", dpi=200, metadata={"Software": None})
        return file.getvalue()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    return svg[svg.index(b"<svg") :]
