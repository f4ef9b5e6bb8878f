"""`karyobench leaderboard`: the page that readers open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Workspace, say

app = typer.Typer(help="The public page: build.", no_args_is_help=True)


@app.command()
def build(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder. Default: board, in the workspace.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Build the page from the workspace's ledger; it opens from disk, offline.

    Example: karyobench leaderboard build -o page
    """
    from benchmark.board.build import build as build_board
    from benchmark.ledger import Ledger

    say(f"wrote {build_board(Ledger(workspace / 'ledger'), output or workspace / 'board')}")
