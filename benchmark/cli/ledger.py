"""`karyobench ledger`: look at, check, correct and withdraw what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, emit, percent, say, table

if TYPE_CHECKING:
    from benchmark.ledger import Ledger

app = typer.Typer(help="The ledger of scored units: list, verify, correct, withdraw.", no_args_is_help=True)


@app.command("list")
def list_(workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """List all records, with the best grade of their reproductions and what their learning curve says.

    A curve is `too fast` when it rises implausibly fast beside the others of its track, target and protocol,
    `as expected`, or not judged (empty: too few to compare with; `not whole`: scores are missing in its log).

    Example: karyobench ledger list
    """
    from benchmark import grading, plausibility
    from benchmark.ledger import Ledger
    from benchmark.withdrawal import names

    ledger = Ledger(workspace / "ledger")
    records, grades = ledger.records(), grading.best(ledger.reproductions())
    curves = plausibility.judge(records)
    if json:
        flags = {key: one.flag._asdict() for key, one in curves.items() if one.flag is not None and one.flagged}
        emit([{**r, "reproduction": grades.get(r["key"]), "implausible": flags.get(r["key"])} for r in records])
        return
    named = names(records)
    rows = [
        (r["key"][:12], r["submission"]["name"], named[r["key"]], r["arm"], r["dataset"]["name"], r["track"]["name"], r["fold"], r["repeat"],
         percent(r["scores"]["macro_f1"]) if r["status"] == "scored" else f"failed: {r['failure']['kind']}", f"{r['seconds']:.0f}",
         grades.get(r["key"], ""), curves[r["key"]].word if r["key"] in curves else "")
        for r in records
    ]  # fmt: skip
    headers = (
        "key",
        "submission",
        "version",
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
    _tell_harness(ledger)


def _tell_harness(ledger: Ledger) -> None:
    """Say of the records of every version of the harness whether they are comparable with this one's."""
    from benchmark.versions import sentences

    for text in sentences(ledger.records()):
        say(text)


@app.command()
def verify(workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Find any changed byte: the chain of hashes, every predictions file, every score and grade, every score from elsewhere.

    Exits 3 when something is wrong.

    Example: karyobench ledger verify
    """
    from benchmark.elsewhere.store import Store
    from benchmark.ledger import Ledger

    ledger = Ledger(workspace / "ledger")
    findings, elsewhere = ledger.verify(), list(Store(ledger).problems())
    if json:
        emit(
            [
                *(finding._asdict() for finding in findings),
                *({"file": file, "problem": text} for file, text in elsewhere),
            ]
        )
    else:
        for file, text in elsewhere:
            say(f"{file}: {text}")
        for finding in findings:
            say(f"line {finding.line}: {finding.problem}")
        if not findings:
            again = len(ledger.reproductions())
            more = f" and {again} reproduction{'s' * (again > 1)}" if again else ""
            say(f"{len(ledger.records())} records{more}, chain whole, predictions, scores and grades as recorded")
            _tell_harness(ledger)
            scores = len(Store(ledger).entries()) if not elsewhere else 0
            if scores:
                say(f"{scores} score{'s' * (scores > 1)} from elsewhere (self-run), as kept")
    if findings or elsewhere:
        raise typer.Exit(3)


@app.command()
def withdraw(
    submission: Annotated[str, typer.Argument(help="Its name; with --self-run, that of a score from elsewhere.")],
    reason: Annotated[str, typer.Option(help="Why, in one line; it stays readable on the board.")],
    self_run: Annotated[
        bool, typer.Option("--self-run", help="It is a score from elsewhere, and not a submission.")
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Take all present versions of a submission off the board; nothing is deleted, and a new version is listed again.

    Example: karyobench ledger withdraw my-net --reason "its weights had seen the test images"
    """
    from benchmark.ledger import Ledger
    from benchmark.withdrawal import withdraw as write

    if self_run:
        from benchmark.elsewhere.store import Store

        number = Store(Ledger(workspace / "ledger")).withdraw(submission, reason)
        say(
            f"{submission} withdrawn, {number} score{'s' * (number > 1)} from elsewhere; what is kept of it stays readable"
        )
        return
    record = write(Ledger(workspace / "ledger"), submission, reason)
    number = len(record["versions"])
    say(f"{submission} withdrawn, {number} version{'s' * (number > 1)}; its units and its page stay")


@app.command()
def correct(
    submission: Annotated[str, typer.Argument(help="Its folder, or the name of a shipped one.")],
    reason: Annotated[str | None, typer.Option(help="Why, in one line; it stays readable on the board.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Record that a submission says something else of itself: title, paper, licence, family, note. Nothing is trained again.

    What would change a result - network, code, weights - is a new version: karyobench run trains it, under keys of its own.

    Example: karyobench ledger correct submissions/my-net --reason "the paper is out"
    """
    from benchmark.correction import correct as write
    from benchmark.correction import differences
    from benchmark.ledger import Ledger
    from benchmark.submission import load

    ledger = Ledger(workspace / "ledger")
    record = write(ledger, load(submission), reason)
    before, after = (ledger.document("submissions", record[name]) for name in ("before", "document"))
    say(
        f"{record['submission']} corrected: {', '.join(differences(before, after))}; its keys and records stay as they are"
    )
