"""A sweep in words: tables and sentences in Markdown, which read as plain text too."""

from __future__ import annotations

from benchmark.insight.leakage.render import GROUPS
from benchmark.insight.render import table
from benchmark.insight.spans import percent
from benchmark.insight.sweep.report import shown
from benchmark.insight.sweep.schema import Sweep


def scores(report: Sweep) -> str:
    """Each submission, protocol and target by each track."""
    rows = [
        (
            trial.submission, trial.protocol, trial.target, one.track, shown(one.value), str(one.trainings), percent(one.macro_f1),
            "" if one.difference is None else percent(one.difference, signed=True), one.reading or "",
            "" if one.difference is None else one.difference.basis,
        )
        for trial in report.trials
        for one in trial.points
    ]  # fmt: skip
    return table(rows, (
        "submission", "protocol", "target", "track", report.setting, "trainings", "macro-F1", f"against {shown(report.reference)}",
        "reads", "interval over",
    ))  # fmt: skip


def sentences(report: Sweep) -> list[str]:
    """Everything that is claimed, a sentence each."""
    return [one.sentence for one in report.trials]


def notes(report: Sweep) -> str:
    """What the figures rest on."""
    made = " Images are simulated." if report.simulated else ""
    tested = "; ".join(
        dict.fromkeys(
            f"{one.target}: {one.images:,} images of {one.groups:,} {GROUPS[one.group_by]}, "
            f"fold{'s' if len(one.folds) > 1 else ''} {', '.join(map(str, one.folds))}"
            for one in report.trials
        )
    )
    return (
        f"Tracks that differ in {report.setting} alone, on the same images ({tested}).{made} Scores in %, differences in points. Brackets: "
        "95 % intervals, resampling whole cells or people for all tracks alike and, from six trainings of each and six groups on, trainings "
        f"of each by itself ({report.resamples:,} resamples): these speak of new trainings; the others of these very trainings only. Equivalent: the "
        f"whole interval lies within {100 * report.margin:g} points. Nothing is adjusted for the number of comparisons, and all is exploratory."
    )


def markdown(report: Sweep) -> str:
    """The whole report."""
    said = "\n".join(f"- {one}" for one in sentences(report))
    left = "\n".join(f"- {one}" for one in report.left_out)
    rest = f"\n## Not compared\n\n{left}\n" if left else ""
    return f"# What {report.setting} does\n\n{notes(report)}\n\n## Scores\n\n{scores(report)}\n\n## In sentences\n\n{said}\n{rest}"
