"""The page of a run that goes on, written again without the rest of its board."""

from __future__ import annotations

from pathlib import Path

from benchmark.board.build import built, put
from benchmark.board.model import Board
from benchmark.board.pages import status
from benchmark.errors import InputError
from benchmark.status.reading import Found


def refresh(folder: Path, run: Found) -> Path:
    """Write the page of a run again, and nothing else.

    Args:
        folder: a board that was built with such a page.
        run: what it shows.

    Returns:
        Path of the page.

    Raises:
        InputError: when the folder holds no such board.
    """
    if status.PATH not in built(folder).files:
        hint = "Run: karyobench leaderboard build --status"
        raise InputError("no board with a page of a run", file=folder, field="board", hint=hint)
    try:
        board = Board.model_validate_json((folder / "board.json").read_bytes())
    except (OSError, ValueError) as error:
        hint = "Run: karyobench leaderboard build --status"
        raise InputError("not the data of a board", file=folder / "board.json", hint=hint) from error
    for path, content in status.files(board.model_copy(update={"status": True}), run.state, run.life):
        put(folder / path, content)
    return folder / status.PATH
