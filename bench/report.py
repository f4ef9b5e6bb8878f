"""From measured results to the table and the figure of docs/performance.md.

Usage: python -m bench.report RESULTS.json [--rounds ROUNDS.json] -o docs/performance

ROUNDS are measurements of another time, of several rounds with fewer epochs: how much do the ratios vary?
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from benchmark.board.pictures.figure import save, settings

NAMES = {
    "timm_script": "timm train.py", "torchvision_loop": "torchvision reference loop", "hf_trainer": "Hugging Face Trainer",
    "lightning_trainer": "Lightning Trainer", "fastai_learner": "fastai Learner",
}  # fmt: skip
OURS = "KaryoBench"
EPOCHS = 10
"""Of the pocket track."""


class Figures(NamedTuple):
    """Of one contender, each the median over rounds.

    Attributes:
        rate: training images a second through whole epochs, validation included, by all processes of the machine together.
        start: seconds from the start of the process until training begins.
        unit: wall seconds of one unit from a cold process.
        peak: bytes.
        campaign: wall seconds of the campaign at the pocket track's epochs.
        shared: the same if the stages that protocols share are trained once.
        macro_f1: of the unit's test images, part of 1, with its interval over groups.
    """

    rate: float
    start: float
    unit: float
    peak: float
    campaign: float
    shared: float
    macro_f1: tuple[float, float, float]


def images(results: dict[str, Any]) -> tuple[int, int]:
    """Training images of the campaign's stages, one epoch each: as protocols list them, and shared."""
    sizes = results["campaign_images"]
    whole = sum(sizes.values())
    return 4 * whole, 3 * whole


def peer(results: dict[str, Any], name: str) -> Figures:
    """Of a peer: its campaign is projected from its unit's start and epochs."""
    rounds = list(results[name].values())
    rate = statistics.median(
        one["images"] / (training + evaluation)
        for one in rounds
        for training, evaluation in zip(one["training"], one["evaluation"], strict=True)
    )
    start = statistics.median(one["startup"] for one in rounds)
    plain, shared = images(results)
    return Figures(
        rate=rate,
        start=start,
        unit=statistics.median(one["wall"] for one in rounds),
        peak=statistics.median(one["peak_bytes"] for one in rounds),
        campaign=40 * start + EPOCHS * plain / rate,
        shared=30 * start + EPOCHS * shared / rate,
        macro_f1=middle([tuple(one["macro_f1"]) for one in rounds]),
    )


def middle(scores: list[Any]) -> tuple[float, float, float]:
    """The score of the median round with its interval."""
    value, low, high = sorted(scores)[len(scores) // 2]
    return value, low, high


def ours(results: dict[str, Any]) -> Figures:
    """Ours: the rate is that of two units side by side, as a campaign runs them, and its start that of the whole command."""
    rates, starts = [], []
    for one in results["ours, two units"].values():
        rates.append(sum(statistics.median(both_running(unit, one["units"])) for unit in one["units"]))
        starts.append(one["wall"] - max(unit["seconds"] for unit in one["units"]))
    single = list(results["ours, one unit"].values())
    rate, start = statistics.median(rates), statistics.median(starts)
    scores = [(unit["macro_f1"], float("nan"), float("nan")) for one in single for unit in one["units"]]
    _, shared = images(results)
    campaign = start + EPOCHS * shared / rate
    return Figures(
        rate=rate,
        start=start,
        unit=statistics.median(one["wall"] for one in single),
        peak=statistics.median(one["peak_bytes"] for one in results["ours, two units"].values()),
        campaign=campaign,
        shared=campaign,
        macro_f1=middle(scores),
    )


def both_running(unit: dict[str, Any], units: list[dict[str, Any]]) -> Iterator[float]:
    """Images a second of a unit's epochs, of which at least nine tenths passed while the others still ran."""
    until, spent = min(sum(one["epochs"]) for one in units), 0.0
    for count, seconds in zip(unit["images"], unit["epochs"], strict=True):
        if spent + 0.9 * seconds <= until:
            yield count / seconds
        spent += seconds


def overhead(results: dict[str, Any]) -> float:
    """Part of our campaign's time, over all processors, that is not a unit's: planning, scoring, ledger, start and end."""
    [one] = results["ours, campaign"].values()
    busy = sum(unit["seconds"] for unit in one["units"])
    return float(1 - busy / (one["wall"] * results["machine"]["cores"]))


def figures(results: dict[str, Any]) -> dict[str, Figures]:
    """Every contender that was measured, ours last."""
    found = {label: peer(results, name) for name, label in NAMES.items() if name in results}
    return found | {OURS: ours(results)}


def rows(found: dict[str, Figures]) -> Iterator[list[str]]:
    """A row a contender; in brackets: ours over it."""
    own = found[OURS]
    for name, one in found.items():
        yield [
            name,
            f"{one.rate:.0f}" + ("" if name == OURS else f" ({own.rate / one.rate:.1f} ×)"),
            f"{one.start:.0f} s",
            f"{one.unit:.0f} s" + ("" if name == OURS else f" ({one.unit / own.unit:.1f} ×)"),
            f"{one.campaign / 3600:.2f} h" + ("" if name == OURS else f" ({one.campaign / own.campaign:.1f} ×)"),
            f"{one.shared / 3600:.2f} h" + ("" if name == OURS else f" ({one.shared / own.campaign:.1f} ×)"),
            f"{one.peak / 2**30:.1f} GiB",
            f"{100 * one.macro_f1[0]:.1f}",
        ]


def rounds(results: dict[str, Any]) -> list[dict[str, Figures]]:
    """The figures of each round by itself, of those that have every contender."""
    names = [*(name for name in NAMES if name in results), "ours, one unit", "ours, two units"]
    numbers = set.intersection(*(set(results[name]) for name in names))
    return [
        figures({**results, **{name: {number: results[name][number]} for name in names}})
        for number in sorted(numbers, key=int)
    ]


def ratio_rows(found: list[dict[str, Figures]]) -> Iterator[list[str]]:
    """A row a peer: how many times as fast ours is within each round, and our memory over its; median, smallest and largest."""

    def said(ratios: list[float]) -> str:
        return f"{statistics.median(ratios):.1f} × ({min(ratios):.1f} to {max(ratios):.1f})"

    for name in found[0]:
        if name != OURS:
            pairs = [(one[name], one[OURS]) for one in found]
            yield [
                name,
                said([own.rate / one.rate for one, own in pairs]),
                said([one.campaign / own.campaign for one, own in pairs]),
                said([one.shared / own.campaign for one, own in pairs]),
                said([own.peak / one.peak for one, own in pairs]),
            ]


RATIO_HEADS = ("over", "images/s", "campaign", "campaign, stages shared", "memory")
HEADS = (
    "contender", "images/s", "start", "one unit, cold", "campaign", "campaign, stages shared", "peak memory", "macro-F1 %",
)  # fmt: skip


def picture(found: dict[str, Figures]) -> bytes:
    """Two panels of bars: images a second, and hours of a campaign."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = list(found)
    with rc_context(settings(9)):
        drawing = Figure(figsize=(8.6, 2.9), layout="constrained")
        left, right = drawing.subplots(1, 2, sharey=True)
        colours = ["#d55e00" if name == OURS else "#0072b2" for name in names]
        for axes, values, label, digits in (
            (left, [found[name].rate for name in names], "training images/s (more is better)", 0),
            (right, [found[name].campaign / 3600 for name in names], "hours of a campaign (less is better)", 1),
        ):
            bars = axes.barh(names, values, color=colours, height=0.62)
            axes.bar_label(bars, [f"{value:.{digits}f}" for value in values], padding=3)
            axes.set_xlabel(label)
            axes.margins(x=0.14)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        left.invert_yaxis()
        return save(drawing, "svg")


def main() -> None:
    """Write table and figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("--rounds", type=Path, help="measurements of several rounds")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    found = figures(results)
    text = tabulate(list(rows(found)), HEADS, tablefmt="github", disable_numparse=True)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "table.md").write_text(text + "\n")
    (options.output / "campaign.svg").write_bytes(picture(found))
    sys.stdout.write(text + "\n")
    if options.rounds:
        again = rounds(json.loads(options.rounds.read_text()))
        ratios = tabulate(list(ratio_rows(again)), RATIO_HEADS, tablefmt="github", disable_numparse=True)
        sys.stdout.write(f"\n{len(again)} rounds, times as fast, and memory over theirs:\n{ratios}\n")
    if "ours, campaign" in results:
        [one] = results["ours, campaign"].values()
        sys.stdout.write(
            f"\nour campaign of one epoch a stage: {len(one['units'])} units in {one['wall']:.0f} s, "
            f"{100 * overhead(results):.1f} % of it not in units, {one['peak_bytes'] / 2**30:.1f} GiB\n"
        )


if __name__ == "__main__":
    main()
