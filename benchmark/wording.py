"""Verdicts in one sentence for people who work with chromosomes and not with statistics."""

from __future__ import annotations

from typing import Any

NAMES = {"two-step": "two-step training", "scratch": "training from scratch", "imagenet": "ImageNet fine-tuning",
         "imagenet-long": "ImageNet fine-tuning of equal length",
         "two-step-shuffled": "two-step training with shuffled source labels"}  # fmt: skip
"""Protocols as running text."""

_TRANSFER = {
    "yes": " The gain also stands over equally long training on the target alone{figures}, so that more training alone does not explain it.",
    "no": " It does not stand over equally long training on the target alone{figures}, so that it is not shown to be transfer.",
    "worse": " Equally long training on the target alone does better still{figures}, so that more training explains the gain.",
    "equivalent": " Equally long training on the target alone does equally well to within half a point{figures}, so that it is not shown to be transfer.",
    "not tested": " Whether more training on the target alone does as much was not tested (imagenet-long).",
}


def protocol_name(name: str) -> str:
    """A protocol as running text: `two-step training (sim-q, then sim-g)`."""
    base, _, sources = name.removesuffix("]").partition("[")
    text = NAMES.get(base, base)
    return f"{text} ({', then '.join(sources.split('+'))})" if sources else text


def points(value: float, signed: bool = False) -> str:
    """Parts of 1 as points with one decimal and a real minus sign."""
    rounded = round(100 * value, 1) + 0.0  # no negative zero
    text = f"{rounded:+.1f}" if signed else f"{rounded:.1f}"
    return text.replace("-", "−")


def duration(seconds: float) -> str:
    """`45 s`, `2 min 05 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if round(seconds) < 600:
        return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def p_value(p: float) -> str:
    """`p = 0.012`, `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def reach(beyond: bool, family: str) -> str:
    """Whom an answer to the general question speaks of.

    Args:
        beyond: whether of others than the submissions that it rests on.
        family: the one that all of these are of; empty where they are of several.
    """
    if not beyond:
        return "these submissions only"
    return f"other submissions of {family}, too, and of no other family" if family else "submissions beyond these, too"


def sentence(submission: str, target: str, protocol: str, gain: dict[str, Any]) -> str:
    """One sentence on a gain, and one on transfer where that is the question.

    Args:
        submission: name.
        target: dataset.
        protocol: the arm.
        gain: from `benchmark.findings.describe`.
    """
    arm, baseline = protocol_name(protocol), protocol_name(gain["over"])
    value = points(gain["value"], signed=True)
    span = f"{points(gain['low'], signed=True)} to {points(gain['high'], signed=True)}"
    kind = "Exploratory: " if gain["exploratory"] else ""
    name = gain["verdict"]
    if name == "withheld":
        return (
            f"No verdict on {arm} against {baseline} for {submission} on {target}: it takes {gain['needs']}; "
            f"the difference so far is {value} points."
        )
    if name in ("better", "worse"):
        small = ", though by less than half a point" if gain["p_equivalent_adjusted"] <= 0.05 else ""
        text = (
            f"{kind}on chromosomes of new people or cells, {submission} trained anew by {arm} reads {target} {name} "
            f"than by {baseline}{small}: {value} points of macro-F1 ({span}); chance alone would hardly do this "
            f"({p_value(gain['p_adjusted'])} {_adjusted(gain['family'])})."
        )
    elif name == "equivalent":
        text = (
            f"{kind}for {submission} on {target}, {arm} and {baseline} do equally well: the difference "
            f"({value} points, {span}) is smaller than half a point either way."
        )
    else:
        text = (
            f"{kind}for {submission} on {target}, these trainings cannot tell {arm} from {baseline}: "
            f"{value} points, and anything from {span} would fit; a true gain of {points(gain['smallest'])} points "
            f"would have been found four times in five{_more(gain)}.{_narrow(gain)}"
        )
    return text[0].upper() + text[1:] + _over_long(gain)


def _over_long(gain: dict[str, Any]) -> str:
    """Whether a gain stands over equally long training, too: ` It does not ... (+0.2 points, −0.4 to +0.8), so that ...`."""
    kind, found = gain.get("transfer", ""), gain.get("over_long")
    if not kind or not found:
        return _TRANSFER[kind].format(figures="") if kind else ""
    if found["verdict"] == "withheld":
        value = points(found["value"], signed=True)
        return f" Over equally long training on the target alone it is {value} points so far; a verdict on that takes {found['needs']}."
    if kind == "no" and found["verdict"] in _TRANSFER:
        kind = found["verdict"]
    value, low, high = (points(found[name], signed=True) for name in ("value", "low", "high"))
    return _TRANSFER[kind].format(figures=f" ({value} points, {low} to {high})")


def _adjusted(family: int) -> str:
    return "the only comparison" if family == 1 else f"after adjusting for {family} comparisons"


def _narrow(gain: dict[str, Any]) -> str:
    if gain["judges_equivalence"]:
        return ""
    return (
        " Whether they do equally well to within half a point is not judged: these trainings could judge it to within "
        f"{points(gain['smallest_margin'])} points."
    )


def _more(gain: dict[str, Any]) -> str:
    repeats = gain["repeats_for_point"]
    if repeats is None:
        return ""
    if repeats == 0:
        return ", and a gain of one point cannot be found with so few groups however often one trains"
    return f", and {repeats} repeat{'s' if repeats > 1 else ''} would find one point as often"
