"""The page that shows how a run is getting on, as its head last said; made only where a run is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmark.board.model import Board
from benchmark.board.pages.frame import render
from benchmark.status.model import RunState

PATH = "status.html"

AGAIN = 20
"""Seconds after which the page of a living run is loaded again, where the reader wants that."""


def files(board: Board, state: RunState, life: str) -> Iterator[tuple[str, bytes]]:
    """The page, as (path, content).

    Args:
        board: for the frame.
        state: of the run.
        life: `alive`, `ended` or `dead`: of the run's head.
    """
    yield (
        PATH,
        render(
            "status.html", root="", page="status", board=board, state=state, life=life, word=word(state, life),
            rows=rows(state), again=AGAIN,
        ),
    )  # fmt: skip


def word(state: RunState, life: str) -> str:
    """What the run is doing, in a word."""
    return {"alive": "under way", "dead": "dead"}.get(life, state.phase)


def rows(state: RunState) -> list[dict[str, Any]]:
    """A row a submission, those that are not done first, with how many units wait."""
    found = [
        {**one.model_dump(), "waiting": one.total - one.done - one.failed - one.running} for one in state.submissions
    ]
    return sorted(found, key=lambda row: (row["done"] + row["failed"] == row["total"], row["submission"]))
