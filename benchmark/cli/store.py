"""`karyobench store`: look after an artefact store."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli import cluster
from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, emit, say

app = typer.Typer(help="Look after the store of runs on other machines.", no_args_is_help=True)

GIB = 1 << 30


@app.callback()
def _root() -> None:
    pass


@app.command()
def clean(
    store: cluster.StoreOption = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    days: Annotated[float, typer.Option(help="Younger blobs are kept, whatever refers to them. At least 2.")] = 7.0,
    remove: Annotated[bool, typer.Option("--remove", help="Remove them; without it they are only counted.")] = False,
    json: Json = False,
) -> None:
    """Count, or remove, blobs that no unit and no run refers to any more; runs may work meanwhile.

    Examples: karyobench store clean --store s3://bucket/study
              karyobench store clean -w work --days 30 --remove
    """
    from benchmark.artefacts import Artefacts, clean
    from benchmark.artefacts.store import DAY

    found = Artefacts(store or str((workspace / cluster.STORE).absolute()))
    seen = clean.survey(found, days * DAY)
    gone = clean.remove(found, seen) if remove else {}
    if json:
        emit(
            {
                "store": found.address, "kept": seen.kept[0], "kept_bytes": seen.kept[1], "old": len(seen.old),
                "old_bytes": sum(seen.old.values()), "removed": len(gone), "removed_bytes": sum(gone.values()),
                "runs_alive": seen.living,
            }
        )  # fmt: skip
        return
    say(f"{found.address}: {seen.kept[0]:,} blobs of {seen.kept[1] / GIB:,.2f} GiB stay")
    if seen.living:
        say("a run showed a sign of life within that time: what any run uses stays, too")
    if remove:
        say(f"removed {len(gone):,} of {sum(gone.values()) / GIB:,.2f} GiB")
    elif seen.old:
        say(f"{len(seen.old):,} of {sum(seen.old.values()) / GIB:,.2f} GiB can go: the same with --remove removes them")
    else:
        say("nothing can go")
