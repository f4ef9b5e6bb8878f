"""`karyobench results`: records from others, and to others."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, note, say, table
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.board.publish import Job

app = typer.Typer(help="The records behind the board: pull those of others, push yours.", no_args_is_help=True)

Yes = Annotated[bool, typer.Option("--yes/--dry-run", help="Publish; without it, only show what would change.")]
SHOWN = 20


@app.command()
def pull(
    source: Annotated[str, typer.Argument(metavar="FROM", help="hf:<owner>/<dataset>, or a folder with a ledger.")],
    keep: Annotated[str | None, typer.Option(metavar="ours", help="In a conflict, leave theirs out.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Append what another ledger has beyond ours: units, reproductions, withdrawals, with their files.

    The other ledger is verified first, to the last score. What we have is skipped. When the two tell one unit
    differently, each such unit is named and nothing is changed, unless --keep ours is given. The same
    command completes a pull that was interrupted.

    Examples: karyobench results pull hf:someone/karyobench-results
              karyobench results pull ../other-workspace
    """
    from benchmark.elsewhere.store import Store
    from benchmark.ledger import Ledger
    from benchmark.merge import merge
    from benchmark.pull import HUB, opened

    if keep not in (None, "ours"):
        raise InputError("keep what?", field="--keep", found=keep, allowed="ours")
    shown = bar("pulling", "bytes") if source.startswith(HUB) else nullcontext(lambda done, total: None)
    with shown as progress, opened(source, workspace, progress) as (theirs, name):
        ours = Ledger(workspace / "ledger")
        Store(theirs).check()
        done = merge(ours, theirs, name, "ours" if keep else None)
        taken = Store(ours).take(Store(theirs))
    if json:
        emit({
            "added": [record["hash"] for record in done.added],
            "skipped": done.skipped,
            "conflicts": [conflict._asdict() for conflict in done.conflicts],
            "left_out": done.left_out,
            "self_run": taken,
        })  # fmt: skip
        return
    if done.conflicts:
        rows = [(c.key[:12], c.differs, c.ours[:12], c.theirs[:12]) for c in done.conflicts]
        say(table(rows, ("key", "conflict", "ours (kept)", "theirs (left out)")))
    if done.left_out:
        note(f"{len(done.left_out)} records about units in conflict were left out")
    say(f"{len(done.added)} record{'s' * (len(done.added) != 1)} added, {done.skipped} skipped")
    if taken:
        say(f"{taken} score{'s' * (taken > 1)} from elsewhere, or withdrawal{'s' * (taken > 1)} of such, added")


@app.command()
def push(
    to: Annotated[str, typer.Argument(metavar="TO", help="hf:<owner>/<dataset>, git:<branch> or dir:<path>.")],
    yes: Yes = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Publish the ledger: it must verify, keep the policy, and go on from what is published already.

    Example: karyobench results push hf:someone/karyobench-results
    """
    from benchmark.board.publish import frozen, results_job
    from benchmark.board.publishing import place
    from benchmark.ledger import Ledger

    where = place(to, "results", "TO")
    with frozen(Ledger(workspace / "ledger")) as ledger:
        carry_out([results_job(ledger, where)], yes, json)


def carry_out(jobs: list[Job], yes: bool, json: bool, remote: str | None = None) -> None:
    """Show what would change; with `yes` do it, one after the other, and push the last to a remote, if given."""
    if not json:
        for job in jobs:
            _show(job)
    done = [job.place.write(job.publication, job.plan) for job in jobs] if yes else []
    if yes and remote is not None:
        done[-1] = jobs[-1].place.push(remote)
    if json:
        emit([_described(job) for job in jobs])
        return
    for sentence in done:
        say(sentence)
    if not yes and any(job.plan.changes for job in jobs):
        note("nothing was published; to publish: the same command with --yes")


def _show(job: Job) -> None:
    changes = job.plan.changes
    rows = [(change.kind, change.path, f"{change.size:,}" if change.size else "") for change in changes[:SHOWN]]
    if rows:
        say(table(rows, ("change", f"file of the {job.publication.what}", "bytes")))
    if len(changes) > SHOWN:
        say(f"... and {len(changes) - SHOWN} more")
    number = {kind: len(job.plan.of(kind)) for kind in ("added", "changed", "removed")}
    counts = ", ".join(f"{count} {kind}" for kind, count in number.items())
    say(
        f"{job.publication.what} to {job.place}: {counts}, {job.plan.same} as they are; {job.plan.size:,} bytes to write"
    )


def _described(job: Job) -> dict[str, Any]:
    return {
        "to": str(job.place),
        "what": job.publication.what,
        "changes": [change._asdict() for change in job.plan.changes],
        "same": job.plan.same,
        "bytes": job.plan.size,
    }
