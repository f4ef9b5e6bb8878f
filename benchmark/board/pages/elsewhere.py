"""The page of scores from elsewhere: by name, with what their authors say of them, and never in one order with sealed ones."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.board.model import Board, SelfRun
from benchmark.board.pages.frame import render

MARK = "labels were in reach, folds as stated, not checked"
"""What *self-run* means here."""


def files(board: Board) -> Iterator[tuple[str, bytes]]:
    """The page, as (path, content); none where nobody handed anything in."""
    if not board.self_run:
        return
    listed = [one for one in board.self_run if not gone(one)]
    yield "elsewhere.html", render(
        "elsewhere.html", root="", page="elsewhere", board=board, listed=listed, gone=[one for one in board.self_run if gone(one)],
        mark=MARK, anchors={one.id for one in {one.name: one for one in reversed(board.self_run)}.values()},
    )  # fmt: skip


def gone(one: SelfRun) -> bool:
    """Whether a score is not listed any more."""
    return one.replaced or one.withdrawn is not None
