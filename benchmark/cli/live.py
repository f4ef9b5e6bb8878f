"""What a terminal shows while a run goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmark.cli.common import note
from benchmark.cli.status import line

if TYPE_CHECKING:
    from benchmark.status.model import RunState

SAID = 60.0
"""Seconds between two lines where no terminal is that could be drawn on."""


@contextmanager
def live() -> Iterator[Callable[[RunState], None]]:
    """One bar over the training images of all units, with counts and the time that remains; the yielded function takes states.

    Where standard error is no terminal (a batch job, a log), a line a minute.
    """
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("", total=None)

        def show(state: RunState) -> None:
            bar.update(task, completed=state.images_done, total=state.images, description=described(state))

        yield show


def described(state: RunState) -> str:
    """The line beside the bar: counts, the time that remains, and what one of the units is at."""
    newest = next((one for one in reversed(state.under_way) if one.part is not None), None)
    at = f" · {newest.submission} {' → '.join(newest.chain)} {100 * (newest.part or 0):.0f} %" if newest else ""
    return line(state) + at


def _lines() -> Callable[[RunState], None]:
    said = [time.monotonic()]

    def show(state: RunState) -> None:
        if time.monotonic() - said[0] >= SAID:
            said[0] = time.monotonic()
            note(line(state))

    return show
