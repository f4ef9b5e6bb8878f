"""The page of changes: what entered, was extended, replaced, corrected, reproduced or withdrawn, newest first, by month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any, get_args

from benchmark.board.model import Board, Change, ChangeKind
from benchmark.board.pages.frame import render

KINDS: dict[ChangeKind, str] = {
    "entered": "a submission's first results on a track",
    "extended": "more trainings, targets or protocols",
    "replaced": "a new version of a submission took the place of an earlier one",
    "corrected": "title, paper, licence or note of a submission; no result hangs on them",
    "reproduced": "records were trained again",
    "withdrawn": "taken off the board, with the reason",
    "self-run": "a score of a model that was trained elsewhere, listed apart",
}
"""What each kind of change says, in words."""

assert set(KINDS) == set(get_args(ChangeKind))

OPEN = 40
"""Entries that are open at first: whole months until there are so many."""


def files(board: Board) -> Iterator[tuple[str, bytes]]:
    """The page, as (path, content)."""
    count = Counter(change.kind for change in board.changes)
    kinds = [{"name": kind, "meaning": meaning, "count": count[kind]} for kind, meaning in KINDS.items() if count[kind]]
    yield (
        "changes.html",
        render("changes.html", root="", page="changes", board=board, months=months(board.changes), kinds=kinds),
    )


def months(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    """Changes by month, newest first; the newest months are open until `OPEN` entries are seen."""
    ordered = sorted(changes, key=lambda one: one.date, reverse=True)
    found: list[dict[str, Any]] = []
    seen = 0
    for month, own in groupby(ordered, key=lambda one: one.date[:7]):
        entries = list(own)
        found.append(
            {
                "id": month,
                "title": f"{date.fromisoformat(month + '-01'):%B %Y}",
                "changes": entries,
                "open": seen < OPEN,
            }
        )
        seen += len(entries)
    return found
