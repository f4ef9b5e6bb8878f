"""Forest plot of gains: point, interval, verdict, and the smallest gain the design could have found."""

from __future__ import annotations

from typing import Any, Literal

from benchmark.board.picture import save, settings

LOOKS = {
    "better": ("#0072b2", "D"),
    "worse": ("#d55e00", "v"),
    "equivalent": ("#009e73", "s"),
    "undecided": ("#555555", "o"),
    "withheld": ("#999999", "x"),
}
"""Colour and mark of a verdict (Okabe & Ito 2008); every verdict is also written out."""


def lines(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every gain of a summary as one line of the plot, in the order of the rows."""
    return [
        {"submission": row["submission"], "target": row["target"], "protocol": name, **entry["gain"]}
        for row in rows
        for name, entry in row["protocols"].items()
        if "gain" in entry
    ]


def forest(rows: list[dict[str, Any]], kind: Literal["svg", "png"] = "svg") -> bytes:
    """Draw it.

    Args:
        rows: from `benchmark.findings.summary`, with at least one gain.
        kind: `svg`: one `<svg>` element on no background; `png`: on white, 200 dots an inch.

    Returns:
        The file's bytes; the same rows give the same bytes.

    Raises:
        ValueError: when no row holds a gain.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found = lines(rows)
    if not found:
        raise ValueError("no gain to draw (allowed: 1 or more)")
    with rc_context(settings(9)):
        figure = Figure(figsize=(8.6, 1.7 + 0.52 * len(found)), layout="constrained")
        axes = figure.subplots()
        axes.axvspan(-0.5, 0.5, color="#009e73", alpha=0.09, linewidth=0)
        axes.axvline(0, color="#333333", linewidth=0.8)
        reach = 1.0
        for height, gain in enumerate(reversed(found)):
            colour, mark = LOOKS[gain["verdict"]]
            value, low, high = (100 * gain[name] for name in ("value", "low", "high"))
            reach = max(reach, abs(value))
            if low == low:
                dashed = gain["interval"] != "trainings and groups"
                axes.plot([low, high], [height] * 2, color=colour, linewidth=2, linestyle=":" if dashed else "-")
                reach = max(reach, abs(low), abs(high))
            axes.plot([value], [height], mark, color=colour, markersize=7, zorder=3)
            smallest = gain.get("smallest")
            if smallest is not None and not gain["needs"]:
                axes.plot([-100 * smallest, 100 * smallest], [height] * 2, "|", color="#777777", markersize=11)
                reach = max(reach, 100 * smallest)
            text = f"{value:+.1f}  {gain['verdict']}".replace("-", "−")
            axes.text(
                1.02, height, text, transform=axes.get_yaxis_transform(), va="center", color=colour, clip_on=False
            )
        names = [f"{one['submission']} → {one['target']}\n{one['protocol']} over {one['over']}" for one in found]
        axes.set_yticks(range(len(found)), list(reversed(names)))
        axes.set_ylim(-0.7, len(found) - 0.3)
        axes.set_xlim(-1.08 * reach, 1.08 * reach)
        axes.set_xlabel("gain in macro-F1, points")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
        keys = [
            Line2D([], [], color="#333333", linewidth=2, label="95 % interval, new trainings on new groups"),
            Line2D([], [], color="#333333", linewidth=2, linestyle=":", label="95 % interval, these trainings only"),
            Line2D([], [], color="#777777", marker="|", linestyle="", markersize=10,
                   label="smallest gain found 4 times in 5"),
            Patch(color="#009e73", alpha=0.15, label="within half a point: no difference that matters"),
        ]  # fmt: skip
        figure.legend(handles=keys, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
        return save(figure, kind)
