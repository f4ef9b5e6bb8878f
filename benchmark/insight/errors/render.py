"""A report of errors in words: tables and sentences in Markdown, which read as plain text too."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.insight.compare import number
from benchmark.insight.errors.schema import Errors, Trial
from benchmark.insight.render import table
from benchmark.insight.spans import percent, plain
from benchmark.wording import p_value

LISTED = 15
"""Images of a kind, and suspects, that are named in the text; the JSON holds all."""


def kinds(trial: Trial) -> str:
    """Who misses what."""
    rows = [
        (one.title, f"{one.images:.1f}", percent(one.share), f"{one.expected:.1f}", plain(one.ratio), str(len(one.always)))
        for one in trial.kinds
    ]  # fmt: skip
    return table(
        rows, ("images that", "a repeat", "% of all", "if independent", "found / independent", "in every repeat")
    )


def lookalikes(trial: Trial) -> str:
    """Confusions between look-alikes."""
    changes = {one.group: one for one in trial.changes}
    rows = []
    for one in trial.lookalikes:
        change = changes.get(one.group) if one.protocol == "two-step" else None
        verdict = ""
        if change is not None:
            verdict = percent(change.difference, signed=True)
            verdict += f" ({p_value(change.p_adjusted)})" if change.p_adjusted is not None else ""
        even = "–" if one.chance is None else f"{100 * one.chance:.1f}"
        rows.append(
            (one.group, one.protocol, f"{one.errors:.1f}", percent(one.share), even, percent(one.rate), verdict)
        )
    return table(rows, (
        "look-alikes", "protocol", "errors a repeat", "% of all errors", "% if even", "% of their images", "two-step − imagenet",
    ))  # fmt: skip


def pairs(trial: Trial) -> str:
    """The commonest pairs, a line a protocol."""
    lines = []
    for name in trial.protocols:
        own = [f"{one.first}/{one.second} ({one.errors:.1f})" for one in trial.pairs if one.protocol == name]
        lines.append(f"- {name}: {', '.join(own) or 'no error'}")
    return "\n".join(lines)


def conditions(trial: Trial) -> str:
    """Error against what was measured."""
    rows = []
    for one in trial.conditions:
        odds = "–"
        if one.odds is not None and one.odds_low is not None and one.odds_high is not None and one.odds_p is not None:
            odds = f"{number(one.odds)} [{number(one.odds_low)}, {number(one.odds_high)}] ({p_value(one.odds_p)})"
        ends = [one.fifths[k] for k in (0, 2, 4)]
        rows.append((one.title, one.protocol, *map(percent, ends), plain(one.trend), odds))
    return table(rows, (
        "measured", "protocol", "% missed, lowest fifth", "middle fifth", "highest fifth", "trend (0.5: none)", "odds ratio a sd",
    ))  # fmt: skip


def cells(trial: Trial) -> str:
    """How errors fall on cells."""
    rows = [
        (one.protocol, number(one.dispersion), p_value(one.p), f"{100 * one.worst:.1f}", f"{100 * one.worst_by_chance:.1f}")
        for one in trial.cells
    ]  # fmt: skip
    heads = ("protocol", "unevenness (1: chance)", "", "% of errors in the worst tenth of cells", "by chance")
    return table(rows, heads) if rows else "Cells are not known, too few, or without an error."


def checks(trial: Trial) -> str:
    """How well planted errors are found."""
    rows = [
        (one.how, "of like size" if one.alike else "any", f"{100 * one.rate:g} %", f"{one.planted:,}", f"{one.flagged:.0f}",
         percent(one.precision), percent(one.recall))
        for one in trial.labels.checks
    ]  # fmt: skip
    return table(rows, ("classifier", "changed to", "rate", "planted", "suspected", "precision, %", "recall, %"))


def _listed(images: Iterable[str]) -> str:
    every = list(images)
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return ", ".join(every[:LISTED]) + more if every else "none"


def suspects(trial: Trial) -> str:
    """The most suspicious labels."""
    every = trial.labels.suspects
    rows = [(one.image, one.label, one.instead, f"{one.margin:.2f}".replace("-", "−"), ", ".join(one.protocols) or "only the mean") for one in every[:LISTED]]  # fmt: skip
    if not rows:
        return "No label is suspected."
    return table(rows, ("image", "label", "looks like", "margin", "suspected by each alone"))


def sentences(trial: Trial) -> list[str]:
    """What was found, a sentence each."""
    name = f"{trial.submission} on {trial.target}"
    rates = "; ".join(f"{one.protocol} {percent(one.rate)} %" for one in trial.rates)
    found = [f"{name}: images missed: {rates}."]
    found += [
        f"{name}: {one.images:.1f} of {trial.images:,} images are of the kind “{one.title}”, {one.expected:.1f} if the protocols erred "
        f"independently: {plain(one.ratio)} times as many."
        for one in trial.kinds
    ]
    if trial.discordance:
        one = trial.discordance
        found.append(
            f"{name}: two-step gets {one.gained:.1f} images that imagenet misses and loses {one.lost:.1f}: {percent(one.difference, signed=True)} "
            f"points of right images (McNemar by groups, for these trainings: {p_value(one.p)})."
        )
    checks_at = [one for one in trial.labels.checks if one.alike and one.how == "as given"]
    quality = "; ".join(
        f"{100 * one.rate:g} %: {percent(one.precision)} % and {percent(one.recall)} %" for one in checks_at
    )
    found.append(
        f"{name}: {len(trial.labels.suspects)} labels are suspected. Precision and recall of the same search on planted errors of like size: "
        f"{quality}. A suspect is a reason to look, no finding of a wrong label."
    )
    return found


NOTES = (
    "Counts are means over repeats. Brackets: 95 % intervals, from six trainings and six groups on for new trainings on new groups "
    "(two-way t on delete-one-group pseudo-values), below for these trainings only (groups resampled); precision and recall: plantings and "
    "groups drawn. *If independent*: what protocols would give that err independently of each other, each at its own rate in every class. "
    "*If even*: the share if every error of a chromosome fell evenly on the 23 other classes. Measurements are compared within a class. "
    "*Trend*: the chance that a missed image has more of it than one read rightly. *Odds ratio*: logistic regression on all measurements at "
    "once, robust to groups. *Margin*: probability of the label minus the greatest other. All is exploratory; p-values of changes are "
    "adjusted over the report (Benjamini-Hochberg), others are not."
)


def markdown(report: Errors) -> str:
    """The whole report."""
    return f"# Errors, track {report.track}\n\n{NOTES}\n" + "".join(_trial(one) for one in report.trials)


def _trial(trial: Trial) -> str:
    said = "\n".join(f"- {one}" for one in sentences(trial))
    kinds_of = "\n".join(f"- {one.title}, in every repeat: {_listed(one.always)}" for one in trial.kinds)
    return (
        f"\n## {trial.submission} → {trial.target}{' (simulated)' if trial.simulated else ''}\n\n{', '.join(trial.protocols)}; "
        f"{trial.repeats} × {len(trial.folds)} trainings each, {trial.images:,} images, {trial.groups} groups ({trial.group_by}).\n\n{said}\n\n"
        f"### Who misses what\n\n{kinds(trial)}\n\n{kinds_of}\n\n### Look-alikes\n\n{lookalikes(trial)}\n\n"
        f"Commonest pairs (errors a repeat):\n\n{pairs(trial)}\n\n### In which images\n\n{conditions(trial)}\n\n{cells(trial)}\n\n"
        f"### Suspected labels\n\n{suspects(trial)}\n\n{len(trial.labels.suspects)} in all. The same search on planted errors "
        f"(the regression of *retrained* is right for {100 * trial.labels.regression_accuracy:.0f} % of images without any):\n\n{checks(trial)}\n"
    )
