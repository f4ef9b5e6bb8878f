"""A report of similarity in words: tables and sentences in Markdown, which read as plain text too."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.insight.compare import number
from benchmark.insight.schema import Similarity, Span


def span(found: Span) -> str:
    """`1.23 [1.10, 1.40]`."""
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def table(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
    """A table in Markdown; what is in a cell is shown as it is."""
    from tabulate import tabulate

    return str(tabulate(rows, headers=heads, tablefmt="github", disable_numparse=True))


def domains(report: Similarity) -> str:
    """What was compared."""
    rows = [
        (d.name + (" (simulated)" if d.simulated else ""), f"{d.images:,}", f"{d.groups:,} ({d.group_by})", span(d.mean),
         span(d.spread), span(d.entropy), span(d.slope))
        for d in report.domains
    ]  # fmt: skip
    return table(
        rows, ("domain", "images", "groups (by)", "mean grey", "sd of grey", "entropy, bits", "spectral slope")
    )


def distances(report: Similarity) -> str:
    """Every distance with its interval, and the floor of each of the two domains."""
    titles = {one.key: one.title for one in report.measures}
    floors = {(one.measure, one.domain): one.mean for one in report.floors}
    rows = [
        (titles[d.measure], d.first, d.second, span(d), number(floors[d.measure, d.first]), number(floors[d.measure, d.second]))
        for d in report.distances
    ]  # fmt: skip
    return table(rows, ("measure", "from", "to", "distance", "within the first", "within the second"))


def claims(report: Similarity) -> str:
    """For each measure, whether the stains are closer to each other than to natural images."""
    titles = {one.key: one.title for one in report.measures}
    rows = [(titles[c.measure], f"{c.q}, {c.g}", span(c), c.verdict) for c in report.claims]
    return table(rows, ("measure", "stains", "nearest natural − between stains", "closer to each other"))


def sentences(report: Similarity) -> list[str]:
    """Everything that is claimed, a sentence each."""
    found = [one.sentence for one in report.claims]
    if report.unclaimed:
        found.append(report.unclaimed)
    found.extend(
        f"CKA of the mean features of {one.classes} chromosome classes, {one.q} against {one.g}: {span(one)} of 1; with "
        f"the classes shuffled {number(one.shuffled)} (95 % below {number(one.shuffled_high)}). Natural images have no "
        "such classes, so that it is not defined for them."
        for one in report.alignment
    )
    return [*found, report.prediction.sentence]


def notes(report: Similarity) -> str:
    """What the figures rest on."""
    network, reference = report.network, report.reference
    small = f" {reference.too_small:,} smaller than {report.size} pixels were left out." if reference.too_small else ""
    return (
        f"Natural images: {reference.source}.{small} All images are grey and {report.size} × {report.size} pixels: not "
        f"colour is compared but structure. Features: {network.features:,} of {network.submission} with ImageNet weights "
        f"({network.weights}); the Fréchet and A-distance use their first {network.components} principal components "
        f"({100 * network.explained:.0f} % of the variance). Brackets: 95 % intervals from {report.settings.resamples:,} "
        "resamples of whole groups, each measure for itself. Within: the mean over random splits of one domain's groups "
        "into halves, the scale on which nothing differs. The Fréchet and kernel distances are corrected for bias and may "
        "lie below nothing by chance."
    )


def markdown(report: Similarity) -> str:
    """The whole report."""
    said = "\n".join(f"- {one}" for one in sentences(report))
    claimed = f"{claims(report)}\n\n" if report.claims else ""
    return (
        f"# Similarity of domains, track {report.track}\n\n{notes(report)}\n\n## Domains\n\n{domains(report)}\n\n"
        f"## Distances\n\n{distances(report)}\n\n## Claims\n\n{claimed}{said}\n"
    )
