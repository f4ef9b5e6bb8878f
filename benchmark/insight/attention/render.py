"""A report of attention in words: tables and sentences in Markdown, which read as plain text too."""

from __future__ import annotations

from benchmark.insight.attention.schema import Attention, Contrast, Faithfulness, Mean
from benchmark.insight.compare import number
from benchmark.insight.render import table


def span(found: Mean) -> str:
    """`1.23 [1.10, 1.40]`; without the brackets where there is no interval."""
    if found.low is None or found.high is None:
        return number(found.value)
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def names(report: Attention) -> list[str]:
    """Protocols in the report's order."""
    return list(dict.fromkeys(one.protocol for one in report.units))


def numbers(report: Attention) -> str:
    """Every number under every protocol, beside what an even map shows and what maps under shuffled weights show."""
    arms = {(one.protocol, one.measure): one for one in report.arms}
    rows = []
    for measure in report.measures:
        own = [arms.get((name, measure.key)) for name in names(report)]
        shuffled = [one.shuffled for one in own if one and one.shuffled is not None]
        noise = f"{number(min(shuffled))} to {number(max(shuffled))}" if shuffled else "none"
        rows.append((measure.title, *(span(one) if one else "none" for one in own), number(measure.even), noise))
    return table(rows, ("number", *names(report), "even map", "shuffled weights"))


def contrasts(report: Attention) -> str:
    """Every paired difference."""
    titles = {one.key: one.title for one in report.measures}
    rows = [
        (titles[c.measure], f"{c.first} − {c.second}", span(c), "none" if c.adjusted is None else _p(c.adjusted), c.verdict)
        for c in report.contrasts
    ]  # fmt: skip
    return table(rows, ("number", "protocols", "difference", "p (Holm)", "verdict"))


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.1 else f"{value:.2f}"


def checks(report: Attention) -> str:
    """Sanity and faithfulness of every unit's maps."""
    rows = []
    for one in report.units:
        faith = {found.kind: found for found in one.faithfulness}
        rows.append((
            f"{one.protocol}, fold {one.fold}, repeat {one.repeat}", f"{one.layer}, {one.cells} × {one.cells}",
            span(one.sanity.rank), "passed" if one.sanity.passed else "failed", f"{one.sanity.failed:,} of {one.images:,}",
            _faith(faith["deletion"]), _faith(faith["insertion"]),
        ))  # fmt: skip
    heads = (
        "network",
        "layer, cells",
        "shuffled weights: correlation",
        "gate",
        "maps that fail",
        "deletion",
        "insertion",
    )
    return table(rows, heads)


def _faith(found: Faithfulness) -> str:
    return f"{span(found)}, {found.verdict}"


def sentence(report: Attention, found: Contrast) -> str:
    """What is claimed of a difference that is not undecided."""
    title = next(one.title for one in report.measures if one.key == found.measure)
    return (
        f"{title[0].upper()}{title[1:]} is {found.verdict} under {found.first} than under {found.second}: {span(found)} over "
        f"{found.images:,} pairs of maps of {found.groups:,} groups ({report.group_by}), adjusted p {_p(found.adjusted or 0.0)}."
    )


def sentences(report: Attention) -> list[str]:
    """Everything that is claimed, and all that may not be."""
    said = [sentence(report, one) for one in report.contrasts if one.verdict in ("higher", "lower")]
    undecided = sum(one.verdict == "undecided" for one in report.contrasts)
    withheld = sum(one.verdict == "withheld" for one in report.contrasts)
    if undecided:
        said.append(f"{undecided} of {len(report.contrasts)} differences are undecided.")
    if withheld:
        said.append(f"{withheld} of {len(report.contrasts)} verdicts are withheld: there are fewer than 6 groups.")
    said += [
        f"The maps of {name} fail the check with shuffled weights: they are no evidence, and none of their numbers is compared."
        for name in report.gate.failed
    ]
    for name in names(report):
        own = [f for one in report.units if one.protocol == name for f in one.faithfulness if f.verdict != "holds"]
        if own and name not in report.gate.failed:
            kinds = " and ".join(dict.fromkeys(f"{one.kind} ({one.verdict})" for one in own))
            said.append(f"That the network uses what the maps of {name} mark is not shown by {kinds}.")
    if report.absent:
        said.append(f"Not trained here: {', '.join(report.absent)}.")
    return said or ["No difference was tested: there is one protocol."]


def notes(report: Attention) -> str:
    """What the figures rest on."""
    one = report.units[0]
    short = f" {report.unmeasured:,} have no axis or are too short to be measured." if report.unmeasured else ""
    coarse = ""
    if one.cells < 7:
        coarse = f" Maps of {one.cells} × {one.cells} cells are coarse: numbers along the axis say little."
    return (
        f"{report.images:,} test images of {report.target}{' (simulated)' if report.simulated else ''}, "
        f"{report.size} × {report.size} pixels, the same under every protocol.{short} Maps: {report.settings.method} of the "
        f"true class's logit at the layer {one.layer}, {one.cells} × {one.cells} cells.{coarse} Brackets: 95 % intervals "
        f"that allow for groups ({report.group_by}); they speak of {report.speaks_of}. Even map: what a map shows that "
        "marks the whole chromosome alike with cells of this size. Numbers of two submissions with other cells are not "
        f"comparable. Gate: {report.gate.rule}. Deletion and insertion: how much better than random maps, in area "
        f"under the curve, on {min(report.settings.sample, one.images):,} images."
    )


def markdown(report: Attention) -> str:
    """The whole report."""
    said = "\n".join(f"- {one}" for one in sentences(report))
    compared = f"\n\n{contrasts(report)}" if report.contrasts else ""
    return (
        f"# Where {report.submission} looks, {report.target}, track {report.track}\n\n{notes(report)}\n\n"
        f"## Checks\n\n{checks(report)}\n\n## Numbers\n\n{numbers(report)}{compared}\n\n## What follows\n\n{said}\n"
    )
