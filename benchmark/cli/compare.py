"""`karyobench compare`: macro-F1, gains and verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, interval, say, table
from benchmark.errors import InputError
from benchmark.wording import reach

FOOTNOTE = (
    "Macro-F1 in %, gains in points, brackets: 95 % interval for new trainings on new groups (cells or cases);\n"
    "* for these very trainings only, too few to speak of others. p: adjusted, Holm over two-step against imagenet\n"
    "for every submission and target of the track; (expl.): exploratory, Benjamini-Hochberg.\n"
    "detectable: smallest gain that this design finds four times in five. for 1 point: repeats that find one point so."
)


def compare(
    submissions: Annotated[
        list[str] | None, typer.Argument(metavar="[SUBMISSION]...", help="Default: all in the ledger.")
    ] = None,
    track: Annotated[str | None, typer.Option("--track", "-t", help="Default: all tracks, in separate rows.")] = None,
    over: Annotated[str, typer.Option(help="The protocol that gains are measured against.")] = "imagenet",
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source", help="Only protocols over these sources, as sim-q+sim-g, and those that take none. Repeatable."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for compare.json, forest.svg and forest.png.")
    ] = None,
    secondary: Annotated[bool, typer.Option("--secondary", help="Also other tests, and what they assume.")] = False,
    classes: Annotated[bool, typer.Option("--classes", help="Also gains by chromosome class (exploratory).")] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Compare protocols: macro-F1, gain over a baseline and verdict, from the stored predictions.

    A verdict needs the two-way t test and the pigeonhole bootstrap to agree; see docs/statistics.md.

    Examples: karyobench compare
              karyobench compare tf-efficientnet-lite0 --track pocket --over imagenet-long
    """
    from benchmark.comparison import compared
    from benchmark.ledger import Ledger

    with bar("comparing", "families") as progress:
        found = compared(Ledger(workspace / "ledger"), track, over, submissions, source, progress)
    rows, errors = found.rows, found.refused
    whole = {"rows": rows, "ranks": found.ranks, "general": found.general}
    if output:
        write(whole, output)
    if json:
        emit(whole)
        _refuse(errors)
        return
    say(render(rows, found.over))
    for text in found.versions:
        say(f"\n{text}")
    for wanted, text in ((secondary, render_secondary(rows)), (classes, render_classes(rows))):
        if wanted:
            say(f"\n{text}")
    if len(found.submissions) > 1:
        say(f"\n{render_overview(whole)}")
    if output:
        say(f"\nwrote {output}")
    _refuse(errors)


def _refuse(errors: list[str]) -> None:
    """Name every gain that could not be estimated, after the others were shown, and end with an error."""
    for text in errors:
        typer.echo(f"error: {text}", err=True)
    if errors:
        raise typer.Exit(InputError.exit_code)


def write(whole: dict[str, Any], folder: Path) -> None:
    """Write the comparison as JSON and, where there is a gain, its forest plot as SVG and PNG."""
    from benchmark.board.pictures.forest import forest, lines
    from benchmark.cli.common import finite
    from benchmark.files import atomic, write_json

    write_json(folder / "compare.json", finite(whole))
    found = lines(whole["rows"])
    if found:
        for kind, content in forest(found).items():
            with atomic(folder / f"forest.{kind}") as file:
                file.write(content)


def _marks(row: dict[str, Any], gain: dict[str, Any]) -> str:
    transfer = {"yes": "transfer", "no": "not transfer", "not tested": "transfer not tested"}
    marks = (
        [f"earlier version {row['version_name']}"] * row["replaced"]
        + ["withdrawn"] * row["withdrawn"]
        + ["simulated"] * row["simulated"]
        + ["unpinned"] * (not row["pinned"])
    )
    return ", ".join([*marks, *([transfer[gain["transfer"]]] if gain.get("transfer") else [])])


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _gain(gain: dict[str, Any]) -> tuple[str, str, str, str, str]:
    if "error" in gain:
        return "error", "", "", "", ""
    if not gain:
        return ("",) * 5
    text = interval(gain, signed=True) + (" *" if gain["interval"] == "groups" else "")
    if gain["verdict"] == "withheld":
        return text, "withheld", "", "", ""
    repeats = gain["repeats_for_point"]
    wanted = "more groups" if repeats == 0 else "" if repeats is None else f"{repeats} repeats"
    p = _p(gain["p_adjusted"]) + (" (expl.)" if gain["exploratory"] else "")
    return text, gain["verdict"], p, f"{100 * gain['smallest']:.1f}", wanted


def render(rows: list[dict[str, Any]], over: str) -> str:
    """The table, its footnote, and every verdict in a sentence."""
    lines, sentences = [], []
    for row in rows:
        for name, entry in row["protocols"].items():
            score = interval(entry["macro_f1"]) if "macro_f1" in entry else "failed: " + ", ".join(entry["failed"])
            gain = entry.get("gain", {"error": entry["gain_error"]} if "gain_error" in entry else {})
            if "sentence" in gain:
                sentences.append(gain["sentence"])
            place = (row["submission"], row["track"], row["target"], name)
            lines.append((*place, score, *_gain(gain), entry.get("trainings", 0), _marks(row, gain)))
    heads = (
        "submission", "track", "target", "protocol", "macro-F1 %", f"gain over {over}", "verdict", "p",
        "detectable", "for 1 point", "trainings", "note",
    )  # fmt: skip
    return "\n\n".join([table(lines, heads), FOOTNOTE, *sentences])


def render_secondary(rows: list[dict[str, Any]]) -> str:
    """Other tests of the same gains, with what each of them leaves out."""
    lines = []
    for row in rows:
        for name, entry in row["protocols"].items():
            gain = entry.get("gain", {})
            if "secondary" in gain:
                other = gain["secondary"]
                order = other.get("almost_stochastic_order")
                lines.append((
                    row["submission"], row["target"], name, _p(gain["p_test"]), _p(gain["p_bootstrap"]),
                    _p(gain["p_satterthwaite"]), _p(other["nadeau_bengio_p"]), _p(other["mcnemar"]["p"]), "" if order is None else f"{order:.2f}",
                ))  # fmt: skip
    heads = (
        "submission", "target", "protocol", "two-way t", "pigeonhole", "Satterthwaite", "Nadeau-Bengio", "McNemar †",
        "ASO †",
    )  # fmt: skip
    return (
        f"{table(lines, heads)}\n\nUnadjusted p-values. The verdict rests on the first two. Nadeau-Bengio: sensitivity "
        "column, very careful.\n† conditional on one training (the first repeat): says nothing of another one; McNemar "
        "also takes the images\nof one cell for independent. ASO: almost stochastic order, below 0.2 favours the arm."
    )


def render_classes(rows: list[dict[str, Any]]) -> str:
    """Gain in F1 of every class, significant ones marked."""
    lines = []
    for row in rows:
        for name, entry in row["protocols"].items():
            for one in entry.get("gain", {}).get("secondary", {}).get("by_class", []):
                mark = "*" if one["p_adjusted"] <= 0.05 else ""
                found = interval({"value": one["gain"], "low": one["low"], "high": one["high"]}, signed=True)
                lines.append((row["submission"], row["target"], name, one["class"], found, _p(one["p_adjusted"]), mark))  # fmt: skip
    heads = ("submission", "target", "protocol", "class", "gain in F1", "p", "")
    return f"{table(lines, heads)}\n\nExploratory: p adjusted over the classes by Benjamini-Hochberg; * at most 0.05."


def render_overview(whole: dict[str, Any]) -> str:
    """Ranks, and answers to the general question."""
    parts = []
    lines = [
        (one["track"], one["target"], f"{one['rank']}", f"{one['low']}-{one['high']}", one["submission"], f"{100 * one['score']:.1f}")
        for one in whole["ranks"]
    ]  # fmt: skip
    if lines:
        heads = ("track", "target", "rank", "interval", "submission", "two-step macro-F1 %")
        parts.append(f"{table(lines, heads)}\n\nSubmissions that share a rank cannot be told apart.")
    answered = [
        (one["track"], one["question"], interval(one, signed=True), _p(one["p"]), one["submissions"],
         reach(one["new_submissions"], one["family"]))
        for one in whole["general"]
    ]  # fmt: skip
    if answered:
        heads = ("track", "question", "gain", "p", "submissions", "speaks of")
        parts.append(
            f"{table(answered, heads)}\n\nExploratory and conservative: submissions, trainings and groups drawn "
            "together, no adjustment."
        )
    return "\n\n".join(parts)
