"""`karyobench status`: how a run is getting on, from any terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, duration, emit, note, say, table

if TYPE_CHECKING:
    from benchmark.status.model import Remaining, RunState
    from benchmark.status.reading import Found, Source

DEAD, STOPPED = 4, 130
"""Exit codes: of a run that failed or whose head is dead, and of one that was stopped by hand."""

WATCHED = 2.0
"""Seconds between two looks of `--watch`."""


def status(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Name of a run, or how it begins. Default: the newest.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Address of the artefact store that the run uses; instead of a workspace.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again until the run has ended.")] = False,
    board: Annotated[
        Path | None,
        typer.Option(help="Write the page of the run in this board again: one that was built with --status."),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Say how a run is getting on: done, running, failed, and the time that remains with an interval of 95 %.

    Exits 0 while it runs and when it has finished, 4 when it failed or its head is dead, 130 when it was stopped.

    Examples: karyobench status
              karyobench status --store s3://bucket/karyobench --watch --board board
    """
    source = _source(workspace, store)
    from benchmark.status.reading import find

    found = find(source, run)
    _show(board, found)
    while watch and found.life == "alive":
        note(line(found.state))
        time.sleep(WATCHED)
        found = find(source, found.state.run)
        _show(board, found)
    if json:
        emit({"life": found.life, **found.state.model_dump(mode="json")})
    else:
        say(text(found))
    if found.life == "dead" or found.state.phase == "failed":
        raise typer.Exit(DEAD)
    if found.state.phase == "stopped":
        raise typer.Exit(STOPPED)


def _show(board: Path | None, found: Found) -> None:
    if board is not None:
        from benchmark.board.refresh import refresh

        refresh(board, found)


def _source(workspace: Path, store: str | None) -> Source:
    if store is not None:
        from benchmark.status.stores import source

        return source(store)
    from benchmark.status.model import RUNS
    from benchmark.status.reading import Folder

    return Folder(workspace / RUNS)


def left(remaining: Remaining | None) -> str:
    """The time that remains, for people."""
    if remaining is None:
        return "not known yet"
    if remaining.low is None or remaining.high is None:
        return f"about {duration(remaining.seconds)} (no interval: too little was timed)"
    return f"about {duration(remaining.seconds)} ({duration(remaining.low)} to {duration(remaining.high)})"


def line(state: RunState) -> str:
    """The state in one line."""
    parts = [f"{state.done}/{state.total} done", f"{state.running} running"]
    parts += [f"{state.queued} queued"] if state.queued else []
    parts += [f"{state.failed} failed"]
    parts += [f"{state.given_up} given up"] if state.given_up else []
    parts += [f"{state.retries} tried again"] if state.retries else []
    return f"{', '.join(parts)} · left: {left(state.remaining)}"


def text(found: Found) -> str:
    """A run for people."""
    state, life = found
    words = {
        "alive": f"under way since {state.started}",
        "dead": f"DEAD: its head was last heard of at {state.beaten}; the same command goes on from what is finished",
        "ended": f"{state.phase} after {duration(state.seconds)}",
    }
    rows = [
        ("run", state.run), ("state", words[life]), ("engine", f"{state.engine}, {state.sandbox} on {state.device}"),
        ("head", f"{state.head.host}, process {state.head.pid}"), ("track", state.track),
        ("units", line(state) if life == "alive" else line(state).split(" · ")[0]),
    ]  # fmt: skip
    if life == "alive":
        rows.append(("time left", left(state.remaining)))
        if state.remaining and state.remaining.guessed:
            rows.append(("by guess", f"{', '.join(state.remaining.guessed)}: not timed yet, counted at the mean rate"))
    if state.message:
        rows.append(("why", state.message))
    parts = ["\n".join(f"{name:10} {value}" for name, value in rows)]
    if life == "alive" and state.under_way:
        parts.append(table(
            [(one.key[:12], one.submission, " → ".join(one.chain), one.fold, one.repeat,
              "" if one.part is None else f"{100 * one.part:.0f} %", duration(one.seconds), one.place) for one in state.under_way],
            ("running", "submission", "chain", "fold", "repeat", "done", "since", "node"),
        ))  # fmt: skip
    if state.failures:
        parts.append(table(
            [(one.key[:12], one.submission, " → ".join(one.chain), one.fold, one.repeat, one.kind, _first(one.message)) for one in state.failures],
            ("failed", "submission", "chain", "fold", "repeat", "kind", "message"),
        ))  # fmt: skip
    return "\n\n".join(parts)


def _first(message: str) -> str:
    line = (message.strip().splitlines() or [""])[0]
    return line if len(line) <= 80 else line[:77] + "..."
