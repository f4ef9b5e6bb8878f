"""`karyobench leaderboard`: the page that readers open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, note, say, table
from benchmark.cli.results import Yes, carry_out

if TYPE_CHECKING:
    from benchmark.ledger import Ledger
    from benchmark.status.reading import Found

app = typer.Typer(help="The public board: build, look at, publish, check.", no_args_is_help=True)


@app.command()
def build(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder. Default: board, in the workspace.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Where it will be found, for its feed and metadata.")] = None,
    status: Annotated[
        bool, typer.Option("--status", help="With a page that shows how the workspace's newest run is getting on.")
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Build the board from the workspace's ledger; it opens from disk, offline, and can be put on any host.

    Figures are remembered in the user's cache folder (KARYOBENCH_CACHE), so that a second build computes only what is new.

    Example: karyobench leaderboard build -o page
    """
    from benchmark.ledger import Ledger
    from benchmark.status.model import RUNS
    from benchmark.status.reading import Folder, find

    run = find(Folder(workspace / RUNS)) if status else None
    say(f"wrote {build_board(Ledger(workspace / 'ledger'), output or workspace / 'board', url, run)}")


def build_board(ledger: Ledger, folder: Path, url: str | None = None, run: Found | None = None) -> Path:
    """Build with a progress bar and the user's memory of figures."""
    from benchmark import memo
    from benchmark.allocator import keep_memory
    from benchmark.board.build import build as write

    keep_memory()
    with memo.Memo(memo.default()) as remembered, bar("board", "submissions") as progress:
        return write(ledger, folder, memo=remembered, url=url, step=progress, run=run)


@app.command()
def serve(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="A built board. Default: board, in the workspace.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Look at a built board in a browser of this machine; Ctrl-C ends it.

    Example: karyobench leaderboard serve
    """
    from benchmark.board.serve import LOOPBACK, server

    with server(folder or workspace / "board", port) as running:
        say(f"http://{LOOPBACK}:{running.server_port}/")
        note(
            "For looking, on this machine only: the public gets the folder from a host of static pages. Ctrl-C ends it."
        )
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            note("stopped")


@app.command()
def publish(
    to: Annotated[str, typer.Option("--to", help="hf:<owner>/<space>, git:<branch> or dir:<path>.")],
    results: Annotated[
        str | None, typer.Option("--results", help="Where the ledger goes, too: hf:<owner>/<dataset> or as --to.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Where the board will be found, for its feed and metadata.")] = None,
    yes: Yes = False,
    push: Annotated[str | None, typer.Option(metavar="REMOTE", help="git: push the branch there.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Build the board and bring it to others; only what changed, and first only shown.

    The ledger must verify to the last score and keep the policy (karyobench leaderboard check). Results are
    published before the board that rests on them, and only ever grow.

    Examples: karyobench leaderboard publish --to hf:someone/karyobench --results hf:someone/karyobench-results
              karyobench leaderboard publish --to git:pages --push origin --yes
    """
    from tempfile import TemporaryDirectory

    from benchmark.board.publish import board_job, frozen, results_job
    from benchmark.board.publishing import place
    from benchmark.ledger import Ledger

    where = place(to, "board", "--to")
    beside = place(results, "results", "--results") if results else None
    with frozen(Ledger(workspace / "ledger")) as ledger, TemporaryDirectory(prefix="karyobench-") as folder:
        build_board(ledger, Path(folder), url)
        jobs = [results_job(ledger, beside)] if beside else []
        carry_out([*jobs, board_job(Path(folder), ledger, where)], yes, json, push)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Published results: a folder with ledger/.")] = Path("leaderboard"),
    board: Annotated[
        Path | None, typer.Option("--board", help="A built board, which must be of this ledger as it is.")
    ] = None,
    json: Json = False,
) -> None:
    """Test published data against the policy: files, records, predictions, provenance, sizes.

    Exits 3 when there is an error; warnings alone do not fail.

    Example: karyobench leaderboard check leaderboard
    """
    from benchmark.board.policy.published import Published
    from benchmark.board.policy.rules import RULES
    from benchmark.board.policy.rules import check as check_policy
    from benchmark.ledger import Ledger

    found = check_policy(Published(Ledger(folder / "ledger"), folder, board))
    errors = sum(finding.level == "error" for finding in found)
    if json:
        emit([finding._asdict() for finding in found])
    else:
        if found:
            say(table(found, ("level", "rule", "where", "problem")))
        say(f"{len(RULES)} rules: {errors} errors, {len(found) - errors} warnings")
    if errors:
        raise typer.Exit(3)
