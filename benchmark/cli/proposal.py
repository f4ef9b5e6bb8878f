"""`karyobench submission check --pr`: what a pull request brings."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.common import bar, emit, note, say, table
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.proposal.report import Proposal

Pr = Annotated[
    str | None,
    typer.Option("--pr", metavar="BASE..HEAD", help="Check what a pull request brings, in a git repository."),
]
Markdown = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="With --pr: also write a table for a comment.")
]
Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="With --pr: also write the findings as JSON.")
]
STEPS = 3


def check_pr(
    span: str,
    markdown: Path | None = None,
    report: Path | None = None,
    sandbox: str = "auto",
    options: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Check a pull request in the repository of the present folder, print and write what was found.

    Args:
        span: BASE..HEAD.
        markdown: file for a table.
        report: file for the findings as JSON.
        sandbox: where its code runs.
        options: more of the check of the submission itself.
        json: print the findings as JSON.

    Raises:
        InputError: when anything is wrong; exit code 2.
    """
    from benchmark.files import atomic
    from benchmark.proposal import report as reports
    from benchmark.proposal.check import check
    from benchmark.proposal.examine import examine
    from benchmark.proposal.prints import resolve

    with bar("pull request", "steps") as progress:
        done = 0

        def told(text: str) -> None:
            nonlocal done
            progress(done, STEPS)
            note(f"looking at {text}")
            done += 1

        chosen, warning = resolve(sandbox)
        if warning:
            note(f"warning: {warning}")
        found = check(Path.cwd(), span, partial(examine, options=("--sandbox", chosen, *options)), chosen, told)
        progress(STEPS, STEPS)
    for path, text in ((markdown, reports.markdown(found)), (report, found.model_dump_json(indent=1) + "\n")):
        if path is not None:
            with atomic(path) as file:
                file.write(text.encode())
    if json:
        emit(found.model_dump(mode="json"))
    else:
        _print(found)
    if found.failed:
        wrong = [step.name for step in found.steps if step.level == "error"]
        raise InputError("the pull request failed its check", field="--pr", found=wrong)


def _print(found: Proposal) -> None:
    rows = [(step.level, step.name, "\n".join(f"- {text}" for text in step.texts)) for step in found.steps]
    say(f"{found.submission or 'no single submission'} ({found.kind}), {found.base[:12]}..{found.head[:12]}")
    say(table(rows, ("", "checked", "found")))
