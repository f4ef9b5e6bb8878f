"""`karyobench ledger` and `karyobench score`: look at, check and recompute what was recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, emit, percent, say, table

app = typer.Typer(help="The ledger of scored units: list, verify, withdraw.", no_args_is_help=True)


@app.command("list")
def list_(workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """List all records, with the best grade of their reproductions and what their learning curve says.

    A curve is `too fast` when it rises implausibly fast beside the others of its track, target and protocol,
    `as expected`, or not judged (empty: too few to compare with; `not whole`: scores are missing in its log).

    Example: karyobench ledger list
    """
    from benchmark import grading, plausibility
    from benchmark.ledger import Ledger

    ledger = Ledger(workspace / "ledger")
    records, grades = ledger.records(), grading.best(ledger.reproductions())
    curves = plausibility.judge(records)
    if json:
        flags = {key: one.flag._asdict() for key, one in curves.items() if one.flag is not None and one.flagged}
        emit([{**r, "reproduction": grades.get(r["key"]), "implausible": flags.get(r["key"])} for r in records])
        return
    rows = [
        (r["key"][:12], r["submission"]["name"], r["arm"], r["dataset"]["name"], r["track"]["name"], r["fold"], r["repeat"],
         percent(r["scores"]["macro_f1"]) if r["status"] == "scored" else f"failed: {r['failure']['kind']}", f"{r['seconds']:.0f}",
         grades.get(r["key"], ""), curves[r["key"]].word if r["key"] in curves else "")
        for r in records
    ]  # fmt: skip
    headers = (
        "key",
        "submission",
        "arm",
        "dataset",
        "track",
        "fold",
        "repeat",
        "macro-F1",
        "seconds",
        "reproduced",
        "curve",
    )
    say(table(rows, headers))


@app.command()
def verify(workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Find any changed byte: the chain of hashes, every predictions file, every score and grade.

    Exits 3 when something is wrong.

    Example: karyobench ledger verify
    """
    from benchmark.ledger import Ledger

    ledger = Ledger(workspace / "ledger")
    findings = ledger.verify()
    if json:
        emit([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            say(f"line {finding.line}: {finding.problem}")
        if not findings:
            again = len(ledger.reproductions())
            more = f" and {again} reproduction{'s' * (again > 1)}" if again else ""
            say(f"{len(ledger.records())} records{more}, chain whole, predictions, scores and grades as recorded")
    if findings:
        raise typer.Exit(3)


@app.command()
def withdraw(
    submission: Annotated[str, typer.Argument(help="Its name.")],
    reason: Annotated[str, typer.Option(help="Why, in one line; it stays readable on the board.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Take all present versions of a submission off the board; nothing is deleted, and a new version is listed again.

    Example: karyobench ledger withdraw my-net --reason "its weights had seen the test images"
    """
    from benchmark.ledger import Ledger
    from benchmark.withdrawal import withdraw as write

    record = write(Ledger(workspace / "ledger"), submission, reason)
    number = len(record["versions"])
    say(f"{submission} withdrawn, {number} version{'s' * (number > 1)}; its units and its page stay")


def score(
    keys: Annotated[list[str] | None, typer.Argument(help="First characters of keys; default: all records.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Compute every score again from the stored predictions.

    Example: karyobench score
    """
    from benchmark.errors import InputError
    from benchmark.ledger import Ledger

    ledger = Ledger(workspace / "ledger")
    records = [r for r in ledger.records() if r["status"] == "scored"]
    for key in keys or ():
        if not any(r["key"].startswith(key) for r in records):
            raise InputError("no scored record of this key", file=ledger.path, field="key", found=key)
    chosen = [r for r in records if not keys or any(r["key"].startswith(key) for key in keys)]
    found = [(r, ledger.rescore(r)) for r in chosen]
    if json:
        emit([{"key": r["key"], "submission": r["submission"]["name"], "arm": r["arm"], "scores": s} for r, s in found])
        return
    rows = [
        (r["key"][:12], r["submission"]["name"], r["arm"], r["dataset"]["name"], r["fold"], r["repeat"], percent(s["macro_f1"]),
         percent(s["accuracy"]), percent(s["top2"]), f"{s['ece']:.3f}",
         "" if s["karyotype_accuracy"] is None else percent(s["karyotype_accuracy"]))
        for r, s in found
    ]  # fmt: skip
    say(
        table(
            rows,
            (
                "key",
                "submission",
                "arm",
                "dataset",
                "fold",
                "repeat",
                "macro-F1",
                "accuracy",
                "top-2",
                "ECE",
                "whole cells",
            ),
        )
    )
