"""Sentences about quality, made from the figures alone."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.insight.compare import number
from benchmark.insight.quality.schema import Effect, Estimate
from benchmark.protocol import TWO_STEP

MOST = 0.5
"""Of the errors: from here on flagged images are said to explain most."""


def points(found: Estimate, signed: bool = False) -> str:
    """`92.1 [90.8, 93.4]` of parts of 1, in points."""

    def one(value: float) -> str:
        return (f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}").replace("-", "−")

    if found.value is None:
        return "not defined"
    return one(found.value) + (
        f" [{one(found.low)}, {one(found.high)}]" if found.low is not None and found.high is not None else ""
    )


def ratio(found: Estimate) -> str:
    """`1.9 [1.3, 2.6]`."""
    if found.value is None:
        return "not defined"
    bounds = found.low is not None and found.high is not None
    return number(found.value) + (f" [{number(found.low or 0)}, {number(found.high or 0)}]" if bounds else "")


_KIND = {"any": "flagged images", "crop": "bad crops"}


def sentence(one: Effect) -> str:
    """What one arm says."""
    return (
        f"{one.submission}, {one.protocol} on {one.target}: {one.removed:,} of {one.images:,} tested images are "
        f"{_KIND[one.flags]} ({100 * one.removed / one.images:.1f} %) and hold {100 * one.errors_on_flagged:.1f} % of the errors; "
        f"wrong {points(one.error_flagged)} % of them against {points(one.error_unflagged)} % of the others, within a class "
        f"{ratio(one.risk_ratio)} times as often. Macro-F1 {points(one.with_flagged)} with them and "
        f"{points(one.without_flagged)} without, {points(one.difference, True)}; without as many random images of the same "
        f"classes {points(one.random, True)}."
    )


def answer(target: str, effects: Sequence[Effect]) -> str:
    """Whether the failures on a target are bad crops: of two-step, or else the last protocol there is, in each submission."""
    said = []
    names = dict.fromkeys(one.submission for one in effects if one.target == target)
    for name in names:
        own = [one for one in effects if one.target == target and one.submission == name and one.flags == "crop"]
        if not own:
            continue
        one = next((e for e in own if e.protocol == TWO_STEP), own[-1])
        said.append(_verdict(one))
    return f"Are failures on {target} bad crops? " + (" ".join(said) or "No tested image is flagged as a bad crop.")


def _verdict(one: Effect) -> str:
    low, high, value = one.risk_ratio.low, one.risk_ratio.high, one.errors_explained.value or 0.0
    if low is None or high is None:
        said = "Cannot be said"
    elif low > 1:
        said = "Mostly" if value >= MOST else "In part"
    else:
        said = "Not more than others" if high < 1 else "Not shown"
    return (
        f"{said} ({one.submission}, {one.protocol}, {one.trainings} training{'s' if one.trainings > 1 else ''}): bad crops are "
        f"{100 * one.removed / one.images:.1f} % of the tested images and hold {100 * one.errors_on_flagged:.1f} % of the errors; "
        f"they are wrong {ratio(one.risk_ratio)} times as often as others of their class, which explains "
        f"{points(one.errors_explained)} % of the errors. Without them macro-F1 changes by {points(one.difference, True)} points, "
        f"without as many random images of the same classes by {points(one.random, True)}."
    )
