"""A report of quality in words: tables and sentences in Markdown, which read as plain text too."""

from __future__ import annotations

from benchmark.insight.compare import number
from benchmark.insight.quality.flags import FLAGS, NO_BODY
from benchmark.insight.quality.schema import Quality
from benchmark.insight.quality.wording import points, ratio
from benchmark.insight.render import table


def found(report: Quality) -> str:
    """How many images each flag holds."""
    names = (*FLAGS, NO_BODY, "crop", "any")
    heads = {"crop": "bad crop", "any": "any flag"}
    rows = [
        (one.name, f"{one.images:,}", *(f"{one.flagged[n]:,} ({100 * one.flagged[n] / one.images:.1f} %)" for n in names))
        for one in report.datasets
    ]  # fmt: skip
    return table(rows, ("dataset", "images", *(heads.get(name, name) for name in names)))


def rules(report: Quality) -> str:
    """The rule of each flag."""
    return table([(f.key, f.meaning, number(f.threshold)) for f in report.flags], ("flag", "score", "flagged above"))


def checks(report: Quality) -> str:
    """How well the flags find what was planted."""
    rows = [
        (one.images, curve.flag, f"{curve.images:,}", ratio(curve.auc), points(curve.sensitivity), points(curve.flagged))
        for one in report.validation
        for curve in one.curves
    ]  # fmt: skip
    return table(rows, ("images", "defect", "planted", "ROC AUC", "found, %", "flagged without it, %"))


def effects(report: Quality, flags: str) -> str:
    """Scores with and without flagged images, side by side."""
    rows = [
        (e.submission, e.protocol, e.target, f"{e.removed:,} of {e.images:,}", points(e.with_flagged), points(e.without_flagged),
         points(e.difference, True), points(e.random, True), points(e.error_flagged), points(e.error_unflagged),
         ratio(e.risk_ratio))
        for e in report.effects if e.flags == flags
    ]  # fmt: skip
    heads = (
        "submission", "protocol", "target", "flagged", "macro-F1", "without", "difference", "random removal",
        "wrong of flagged, %", "of others, %", "risk ratio",
    )  # fmt: skip
    return table(rows, heads)


def markdown(report: Quality) -> str:
    """The whole report."""
    said = "\n".join(
        f"- {one}" for one in (*report.answers, *([report.without_effect] if report.without_effect else []))
    )
    units = sorted(
        {f"{e.target}: {e.units} {e.resampled}s, folds {', '.join(map(str, e.folds))}" for e in report.effects}
    )
    beside = (
        f"## Scores with and without\n\nAny flag:\n\n{effects(report, 'any')}\n\nBad crops (cut, neighbour, scale, no body):\n\n"
        f"{effects(report, 'crop')}\n\nResampled: {'; '.join(units)}.\n\n"
        if report.effects
        else ""
    )
    return (
        f"# Quality of images, track {report.track}\n\nBrackets: 95 % intervals from {report.resamples:,} resamples of whole groups; "
        f"of the random removal, what 95 % of draws stay within. Nothing is ranked or published without its flagged images.\n\n"
        f"## In short\n\n{said}\n\n## Flags\n\n{found(report)}\n\n{rules(report)}\n\n## Planted defects\n\n{checks(report)}\n\n"
        f"{beside}"
    ).rstrip() + "\n"  # fmt: skip
