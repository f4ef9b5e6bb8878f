"""`karyobench compare`: macro-F1 and gains, with intervals."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, emit, interval, say, table
from benchmark.errors import InputError

FOOTNOTE = (
    "Macro-F1 in %, gains in points; brackets: 95 % bootstrap over groups (cells or cases) for these very trainings.\n"
    "It does not speak of other trainings, and is no verdict. No brackets: fewer than four groups were tested."
)


def compare(
    submissions: Annotated[
        list[str] | None, typer.Argument(metavar="[SUBMISSION]...", help="Default: all in the ledger.")
    ] = None,
    track: Annotated[str | None, typer.Option("--track", "-t", help="Default: all tracks, in separate rows.")] = None,
    over: Annotated[str, typer.Option(help="The protocol that gains are measured against.")] = "imagenet",
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Compare protocols: macro-F1, and gain over a baseline, from the stored predictions.

    Examples: karyobench compare
              karyobench compare tf-efficientnet-lite0 --track pocket --over imagenet-long
    """
    from benchmark import protocol as protocols
    from benchmark.ledger import Ledger
    from benchmark.results import Results, summary

    protocols.get(over)
    ledger = Ledger(workspace / "ledger")
    rows = summary(Results(ledger, track, submissions), over)
    if not rows:
        raise InputError("no record to compare", file=ledger.path, hint="Run: karyobench run")
    if json:
        emit(rows)
    else:
        say(render(rows, over))


def render(rows: list[dict[str, Any]], over: str) -> str:
    """The table and its footnote."""
    lines = []
    for row in rows:
        for name, entry in row["protocols"].items():
            score = interval(entry["macro_f1"]) if "macro_f1" in entry else "failed: " + ", ".join(entry["failed"])
            gain = interval(entry["gain"], signed=True) if "gain" in entry else ""
            marks = [
                mark for mark, wanted in (("simulated", row["simulated"]), ("unpinned", not row["pinned"])) if wanted
            ]
            lines.append(
                (
                    row["submission"],
                    row["track"],
                    row["target"],
                    name,
                    score,
                    gain,
                    entry.get("trainings", 0),
                    ", ".join(marks),
                )
            )
    heads = ("submission", "track", "target", "protocol", "macro-F1 %", f"gain over {over}", "trainings", "note")
    return f"{table(lines, heads)}\n\n{FOOTNOTE}"
