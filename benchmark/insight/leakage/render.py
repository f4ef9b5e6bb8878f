"""A report of leakage in words: tables and sentences in Markdown, which read as plain text too."""

from __future__ import annotations

from benchmark.insight.leakage.report import BY
from benchmark.insight.leakage.schema import Leakage, Scored
from benchmark.insight.render import table
from benchmark.insight.spans import percent

GROUPS = {"case": "people", "cell": "cells", "image": "images"}


def scores(report: Leakage) -> str:
    """Each submission and protocol under both splits."""
    rows = [
        (one.submission, one.protocol, _made(one.careful), percent(one.careful.macro_f1), _made(one.careless),
         percent(one.careless.macro_f1), percent(one.flattery, signed=True), one.flattery.basis)
        for one in report.trials
    ]  # fmt: skip
    careful, careless = (BY[one.by] for one in (report.careful, report.careless))
    return table(rows, (
        "submission", "protocol", f"trainings {careful}", f"macro-F1 {careful}", f"trainings {careless}", f"macro-F1 {careless}",
        "flattered by", "interval over",
    ))  # fmt: skip


def _made(one: Scored) -> str:
    images = "" if one.train_images is None else f" of {one.train_images:,.0f} images"
    return f"{one.trainings}{images}"


def sentences(report: Leakage) -> list[str]:
    """Everything that is claimed, a sentence each."""
    return [one.sentence for one in report.trials]


def notes(report: Leakage) -> str:
    """What the figures rest on."""
    careful, careless = report.careful, report.careless
    made = " The images are simulated." if report.simulated else ""
    return (
        f"The same {report.images:,} images of {report.groups:,} {GROUPS[careful.by]} twice: {careful.dataset}, whose folds keep each of "
        f"them on one side, and {careless.dataset}, whose folds are drawn {BY[careless.by]}, so that {100 * careless.exposed:.1f} % of its "
        f"test images have others of their group in the training part ({100 * careful.exposed:.1f} % in {careful.dataset}).{made} Five "
        "folds test every image once under either split. Scores in %, differences in points. Brackets: 95 % intervals, resampling whole "
        f"{GROUPS[careful.by]} in both splits alike and, from six trainings of each split and six groups on, trainings of each "
        f"({report.resamples:,} resamples): these speak of new trainings; the others of these very trainings only. Each comparison speaks for "
        "itself: nothing is adjusted for their number, and all is exploratory."
    )


def markdown(report: Leakage) -> str:
    """The whole report."""
    said = "\n".join(f"- {one}" for one in sentences(report))
    left = "\n".join(f"- {one}" for one in report.left_out)
    rest = f"\n## Not compared\n\n{left}\n" if left else ""
    return (
        f"# What a careless split flatters, {report.careful.dataset}, track {report.track}\n\n{notes(report)}\n\n## Scores\n\n{scores(report)}\n\n"
        f"## In sentences\n\n{said}\n{rest}"
    )
