"""`karyobench submission check`: all that CI asks of a submission, on one's own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import proposal
from benchmark.cli.common import Json, bar, duration, emit, note, say, table
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.checking import Report

SANDBOX = typer.Option(help="Where its code runs: auto (docker, else process), docker, process.")


def check(
    submission: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME_OR_PATH]...", help="Shipped names, or folders.")
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option("--track", "-t", help="Whose image size is tried. Repeatable. Default: smoke, pocket, paper."),
    ] = None,
    sandbox: Annotated[str, SANDBOX] = "auto",
    units: Annotated[bool, typer.Option("--units/--no-units", help="Train one smoke unit a protocol.")] = True,
    download: Annotated[bool, typer.Option("--download/--offline", help="Fetch weights that are not here.")] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one run of its code may take.")] = 120.0,
    pr: proposal.Pr = None,
    markdown: proposal.Markdown = None,
    report: proposal.Report = None,
    json: Json = False,
) -> None:
    """Check all that CI checks: files, licence, weights, model at each track's size, one smoke unit a protocol.

    Its code runs in the container, or else as a closed process, and is ended after --timeout. Exits 2 when anything is
    wrong; a step that cannot be done here is skipped and says why.

    Examples: karyobench submission check submissions/mine
              karyobench submission check --pr main..HEAD
    """
    if bool(pr) == bool(submission):
        raise InputError(
            "which submission?", field="NAME_OR_PATH", found=submission, allowed="names, or --pr BASE..HEAD"
        )
    if pr:
        tracks = [word for name in track or () for word in ("--track", name)]
        flags = ["--units" if units else "--no-units", "--download" if download else "--offline"]
        return proposal.check_pr(pr, markdown, report, sandbox, (*tracks, *flags, "--timeout", str(timeout)), json)
    from benchmark.checking import check as run
    from benchmark.checking.place import choose
    from benchmark.checking.steps import SIZES

    names = submission or []
    chosen, warning = choose(sandbox)
    if warning:
        note(f"warning: {warning}")
    try:
        with bar("checking", "steps") as progress:

            def one(number: int, name: str) -> Report:
                def tell(_: str, done: int, total: int) -> None:
                    progress(number * total + done, len(names) * total)

                return run(
                    name, sandbox=chosen, tracks=track or SIZES, units=units, offline=not download, seconds=timeout,
                    progress=tell,
                )  # fmt: skip

            reports = [one(number, name) for number, name in enumerate(names)]
    finally:
        chosen.close()
    if json:
        emit([found.plain() for found in reports])
    else:
        for found in reports:
            show(found)
    failed = [found.submission for found in reports if not found.ok]
    if failed:
        raise InputError(f"{len(failed)} of {len(reports)} submissions failed their check", field="submission",
                         found=failed)  # fmt: skip


def show(report: Report) -> None:
    """Print a report as a table of steps, then what is wrong, in full."""
    rows = [(one.step, one.status, f"{one.seconds:.1f} s", _short(one.detail)) for one in report.results]
    say(table(rows, ("step", "status", "time", "found")))
    for kind, texts in (("problem", report.problems), ("warning", report.warnings)):
        for text in texts:
            say(f"{kind}: {text}")
    skipped = sum(result.status == "skipped" for result in report.results)
    end = f", {skipped} steps skipped" if skipped else ""
    say(f"{report.submission}: {'ok' if report.ok else 'FAILED'} in {duration(report.seconds)}{end}")


def _short(text: str, width: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
