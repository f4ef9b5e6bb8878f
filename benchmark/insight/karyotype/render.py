"""A report of karyotypes in words: tables and sentences in Markdown, which read as plain text too."""

from __future__ import annotations

from benchmark.insight.karyotype.compare import span
from benchmark.insight.karyotype.schema import Karyotype
from benchmark.insight.render import table

GIVEN = (
    "The constraint is given what a per-image reading is not: which images make a cell. It presumes a normal karyotype, two of "
    "each autosome and XX or XY, so that it would read an extra chromosome wrongly by design: these figures are a bound on what "
    "counting can do for normal cells, no score of a submission, and no proposal for diagnosis."
)

_CHANGES = {"better": "grows", "worse": "shrinks", "not decided": "not decided", "withheld": "withheld", "": ""}


def readings(report: Karyotype) -> str:
    """Each protocol, read both ways."""
    rows = [
        (trial.submission, trial.target, one.protocol, f"{one.repeats} × {len(one.folds)}", span(one.alone), span(one.together),
         span(one.difference, signed=True), one.difference.verdict or "", f"{one.mended:.1f}", f"{one.spoiled:.1f}",
         span(one.complete_alone), span(one.complete_together), "" if one.sex is None else f"{100 * one.sex:.1f}")
        for trial in report.trials
        for one in trial.readings
    ]  # fmt: skip
    return table(rows, (
        "submission", "target", "protocol", "repeats × folds", "macro-F1 alone", "as karyotypes", "difference", "verdict",
        "mended", "spoiled", "cells without an error, alone", "as karyotypes", "sex right",
    ))  # fmt: skip


def gains(report: Karyotype) -> str:
    """The gain of two-step, both ways."""
    rows = [
        (trial.submission, trial.target, span(trial.gain.alone, signed=True), span(trial.gain.together, signed=True),
         span(trial.gain.change, signed=True), _CHANGES[trial.gain.change.verdict or ""])
        for trial in report.trials
        if trial.gain
    ]  # fmt: skip
    heads = ("submission", "target", "two-step − imagenet, alone", "as karyotypes", "change", "verdict")
    return table(rows, heads) if rows else "Two-step and imagenet are not both in the ledger for any target."


def sentences(report: Karyotype) -> list[str]:
    """Everything that is claimed, a sentence each."""
    found = [one for trial in report.trials for one in trial.sentences]
    return found + [trial.gain.sentence for trial in report.trials if trial.gain]


def notes(report: Karyotype) -> str:
    """What the figures rest on."""
    sizes = "; ".join(
        f"{low} images a cell on {target}" if low == high else f"{low} to {high} images a cell on {target}"
        for target, low, high in sorted({(one.target, one.smallest_cell, one.largest_cell) for one in report.trials})
    )
    return (
        f"{GIVEN}\n\nScores in %, differences in points, images as means over repeats. Brackets: 95 % intervals, from six trainings and "
        "six groups on for new trainings on new groups (two-way t), below for these trainings only (groups resampled). Verdicts are "
        "exploratory: Benjamini-Hochberg at 5 % over the differences of this report, the larger p-value of the two-way t and the pigeonhole "
        f"bootstrap ({report.resamples:,} resamples). There are {sizes}; places may stay empty, and of more than 46 images the "
        "surplus keeps its own class."
    )


def markdown(report: Karyotype) -> str:
    """The whole report."""
    said = "\n".join(f"- {one}" for one in sentences(report))
    return (
        f"# Whole cells as karyotypes, track {report.track}\n\n{notes(report)}\n\n## Each image for itself, and each cell as a "
        f"whole\n\n{readings(report)}\n\n## The gain of two-step training\n\n{gains(report)}\n\n## In sentences\n\n{said}\n"
    )
