"""What the commands share: options, output, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark.wording import duration
from benchmark.workspace import DEFAULT_WORKSPACE, VARIABLE

Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace",
        "-w",
        envvar=VARIABLE,
        help="Folder for images, units and the ledger.",
        show_default=True,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print plain JSON instead of a table.")]
__all__ = [
    "DEFAULT_WORKSPACE", "Json", "Workspace", "bar", "duration", "emit", "finite", "interval", "note", "percent", "say", "table",
]  # fmt: skip


def say(text: str = "") -> None:
    """Print to standard output."""
    typer.echo(text)


def note(text: str) -> None:
    """Print to standard error, where it does not get into data."""
    typer.echo(text, err=True)


def emit(data: object) -> None:
    """Print data as JSON; what is no number becomes null."""
    typer.echo(json.dumps(finite(data), indent=1, ensure_ascii=False, allow_nan=False))


def finite(data: Any) -> Any:
    """The same data with null for NaN and infinity, which JSON does not know."""
    if isinstance(data, float):
        return data if data == data and abs(data) != float("inf") else None
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data


def table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    """A plain table."""
    from tabulate import tabulate

    return str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))


@contextmanager
def bar(title: str, unit: str = "images") -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on standard error; the yielded function takes done and total."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task(title, total=None)

        def update(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield update


def percent(value: float) -> str:
    """A part of 1 as a percentage with one decimal."""
    return f"{100 * value:.1f}"


def interval(found: dict[str, float], signed: bool = False) -> str:
    """`92.1 [90.8, 93.4]` in points; no bounds where none can be given."""
    form = "{:+.1f}" if signed else "{:.1f}"

    def points(value: float) -> str:
        return form.format(round(100 * value, 1) + 0.0)  # no negative zero

    text = points(found["value"])
    if found["low"] == found["low"]:
        text += f" [{points(found['low'])}, {points(found['high'])}]"
    return text
