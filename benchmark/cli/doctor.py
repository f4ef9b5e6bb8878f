"""`karyobench doctor`: is everything here that a run needs, and what to do where it is not."""

from __future__ import annotations

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, emit, say, table


def doctor(workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Check versions, device, memory, disk, docker, weights and data; say what to do about each.

    Exits 1 when something that every run needs is missing.

    Example: karyobench doctor
    """
    from benchmark.health import check

    findings = check(workspace)
    if json:
        emit([finding._asdict() for finding in findings])
    else:
        say(table([(f.state, f.what, f.found, f.advice) for f in findings], ("", "what", "found", "what to do")))
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(1)
