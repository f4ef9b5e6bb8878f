"""Table and figure of a calibration: how often each procedure claims what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from tabulate import tabulate

from benchmark.board.pictures.figure import save, settings
from benchmark.stats.calibration import BAR, JUDGED
from benchmark.stats.procedures import PROCEDURES

Lines = Sequence[dict[str, Any]]


def _of(lines: Lines, scenario: str) -> dict[str, dict[str, dict[str, float]]]:
    return {
        line["condition"]: {rate["procedure"]: rate for rate in line["rates"]}
        for line in lines
        if line["scenario"] == scenario
    }


def _cell(rate: dict[str, float] | None, interval: bool = False) -> str:
    if rate is None:
        return ""
    text = f"{100 * rate['rate']:.1f}"
    return f"{text} ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})" if interval else text


def markdown(lines: Lines) -> str:
    """Three tables, in %: type I error of every procedure, equivalence of ours, power of every procedure.

    Args:
        lines: from `benchmark.calibrate.run`.
    """
    null, margin, wide, point = (_of(lines, name) for name in ("null", "margin", "wide", "point"))
    withheld = {line["condition"] for line in lines if line["withheld"]}
    number, of_power = (
        max((rate["replicates"] for line in lines for rate in line["rates"] if line["scenario"] == name), default=0)
        for name in ("null", "point")
    )
    names = list(PROCEDURES)

    def marked(condition: str) -> str:
        return condition + (" †" if condition in withheld else "")

    def procedures(found: dict[str, dict[str, dict[str, float]]]) -> str:
        rows = [
            [marked(condition), *(_cell(rates.get(name), interval=name == "ours") for name in names)]
            for condition, rates in found.items()
        ]
        return tabulate(rows, ["condition", *names], tablefmt="github", disable_numparse=True)

    def claimed(rates: dict[str, dict[str, float]]) -> list[str]:
        judged = rates[JUDGED]["rate"]
        return [_cell(rates["ours"], interval=True) + (" ‡" if judged < 0.5 else ""), f"{100 * judged:.0f}"]

    equivalence = [
        [marked(condition), *(cell for found in (margin, wide) for cell in claimed(found[condition]))]
        for condition in margin
    ]
    low, high = (100 * end for end in BAR)
    heads = [
        "condition",
        "claimed, true gain ± 0.5 points",
        "judged in",
        "claimed, at 2.2 standard errors",
        "judged in",
    ]
    second = tabulate(equivalence, heads, tablefmt="github", disable_numparse=True)
    return (
        f"Type I error in % at a nominal 5 %, {number:,} experiments without a gain each "
        f"(bar: {low:.0f} to {high:.0f}; brackets: exact 95 % binomial interval; all intervals are in `rates.jsonl`).\n"
        f"† too few trainings or groups: the verdict is withheld.\n\n{procedures(null)}\n\n"
        f"Equivalence claimed at the edge of its margin, ours, in % (nominal: 5; bar: {low:.0f} to {high:.0f} at ± 0.5 points, the "
        f"board's margin), and in how many of the experiments it was judged at all.\n‡ withheld in most of them: the margin is too "
        f"narrow for the error.\n\n{second}\n\n"
        f"Power in %: a true gain of one point found, in the right direction, {of_power:,} experiments each. A procedure that claims what is not "
        f"there more often than it says (first table) also finds more of what is.\n\n{procedures(point)}\n"
    )


def figure(lines: Lines, kind: Literal["svg", "png"] = "svg") -> bytes:
    """A strip a procedure with a dot a condition; on the right, what ours finds.

    Args:
        lines: from `benchmark.calibrate.run`.
        kind: of file.

    Returns:
        The file's bytes; the same lines give the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    looks = {"mild": ("#0072b2", "o"), "strong": ("#d55e00", "D"), "real": ("#009e73", "^")}
    null, point = _of(lines, "null"), _of(lines, "point")
    withheld = {line["condition"] for line in lines if line["withheld"]}
    names = list(PROCEDURES)

    def look(condition: str) -> tuple[str, str]:
        return looks["real" if "real:" in condition else condition.rsplit(", ", 1)[1]]

    with rc_context(settings(9)):
        drawing = Figure(figsize=(9.0, 5.2), layout="constrained")
        left, right = drawing.subplots(1, 2, width_ratios=(3, 1.15))
        left.axvspan(100 * BAR[0], 100 * BAR[1], color="#009e73", alpha=0.14, linewidth=0)
        for number, (condition, rates) in enumerate(null.items()):
            colour, mark = look(condition)
            shift = 0.62 * ((number % 15) / 14 - 0.5)
            for row, name in enumerate(names):
                hollow = "none" if condition in withheld else colour
                left.plot([100 * rates[name]["rate"]], [len(names) - 1 - row + shift], mark, color=colour,
                          markerfacecolor=hollow, markersize=4.2, markeredgewidth=0.9)  # fmt: skip
        left.set_yticks(range(len(names)), list(reversed(names)))
        left.set_xscale("function", functions=(lambda x: x.clip(0) ** 0.5, lambda x: x**2))
        left.set_xlim(0, 100)
        left.set_xticks([0, 1, 3, 5, 7, 10, 20, 40, 60, 80, 100])
        left.set_xlabel("false claims of a gain, % (nominal: 5 %)")
        left.grid(axis="y", color="#dddddd", linewidth=0.5)
        groups = ["16", "65", "119"]
        for number, (condition, rates) in enumerate(point.items()):
            if condition in withheld:
                continue
            colour, mark = look(condition)
            place = groups.index(condition.split(" ", 1)[0]) + 0.5 * ((number % 5) / 4 - 0.5)
            right.plot([place], [100 * rates["ours"]["rate"]], mark, color=colour, markersize=5)
        right.set_xticks(range(3), groups)
        right.set_xlabel("groups (each, left to right:\n5 folds × 2, 5 folds × 4,\none split × 10)")
        right.set_ylabel("a gain of one point found by ours, %")
        right.set_ylim(0, 100)
        for axes in (left, right):
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        keys = [
            Line2D([], [], color=colour, marker=mark, linestyle="", label=label)
            for (colour, mark), label in zip(looks.values(), ("mild effects", "strong effects", "real, swapped"), strict=True)
        ]  # fmt: skip
        keys.append(
            Line2D([], [], color="#333333", marker="o", markerfacecolor="none", linestyle="",
                   label="too few trainings: verdict withheld")
        )  # fmt: skip
        drawing.legend(handles=keys, loc="outside lower center", ncols=4, frameon=False)
        return save(drawing, kind)
