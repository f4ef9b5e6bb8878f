"""Pictures of the board: SVG with real text in it, and the same as PNG."""

from __future__ import annotations

from typing import Any, Literal

from benchmark.board.picture import save, settings

SHADES = {
    "scratch": "#8c8c8c",
    "imagenet": "#0072b2",
    "two-step": "#d55e00",
    "imagenet-long": "#56b4e9",
    "two-step-shuffled": "#e69f00",
}
"""Colours of the protocols (Okabe & Ito 2008, told apart by colour-blind readers)."""

MARKS = {"scratch": "o", "imagenet": "s", "two-step": "D", "imagenet-long": "^", "two-step-shuffled": "v"}


def dumbbell(rows: list[dict[str, Any]], kind: Literal["svg", "png"] = "svg") -> bytes:
    """Macro-F1 of each protocol, a line a submission and target, with intervals.

    Args:
        rows: from `benchmark.results.summary`.
        kind: `svg`: one `<svg>` element on no background; `png`: on white, 200 dots an inch.

    Returns:
        The file's bytes; the same rows give the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(settings(10)):
        figure = Figure(figsize=(7.6, 1.1 + 0.62 * len(rows)), layout="constrained")
        axes = figure.subplots()
        used: dict[str, Any] = {}
        for line, row in enumerate(reversed(rows)):
            arms = [(name, entry["macro_f1"]) for name, entry in row["protocols"].items() if "macro_f1" in entry]
            values = [100 * found["value"] for _, found in arms]
            if values:
                axes.plot([min(values), max(values)], [line, line], color="#b8b8b8", linewidth=1, zorder=1)
            for number, (name, found) in enumerate(arms):
                height = line + 0.09 * (number - (len(arms) - 1) / 2)
                if found["low"] == found["low"]:
                    axes.plot(
                        [100 * found["low"], 100 * found["high"]],
                        [height] * 2,
                        color=SHADES[name],
                        linewidth=2,
                        alpha=0.55,
                    )
                point = axes.plot(
                    [100 * found["value"]], [height], MARKS[name], color=SHADES[name], markersize=7, zorder=3
                )
                used[name] = point[0]
        axes.set_yticks(range(len(rows)), [f"{row['submission']}\n→ {row['target']}" for row in reversed(rows)])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("macro-F1, % (line: 95 % interval)")
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
        if used:
            figure.legend(used.values(), used.keys(), loc="outside upper center", ncols=len(used), frameon=False)
        return save(figure, kind)
