"""`karyobench reproduce`: does a record come out again?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, duration, emit, note, percent, say, table
from benchmark.cli.run import Offline, unit_bar
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.ledger import Ledger
    from benchmark.records import Record
    from benchmark.reproduce import Draw, Way

SOME_FAILED = 1
"""Exit code when a record did not come out again."""


def reproduce(
    records: Annotated[
        list[str] | None, typer.Argument(metavar="[RECORD]...", help="Keys, or their first 8 characters or more.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Draw so many records that have no reproduction; flagged ones first.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample.")] = 0,
    sandbox: Annotated[str, typer.Option(help="Where the submitted code runs.")] = "process",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Processor threads a unit; changes the last bits.")] = 1,
    submissions: Annotated[
        list[Path] | None,
        typer.Option(help="Submission folders, or folders of them, where code is looked for. Repeatable."),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    issue: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the text of an issue about failed records; none failed, no file."),
    ] = None,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Train recorded units again, from their records, and grade what comes out.

    Grades: bitwise (the same logits), tolerance (but for rounding), statistical (a score that two
    trainings of one unit may differ by), failed. The grade is written into the ledger. Stop it at any
    time; the same command continues. Exits 1 when a record is graded failed.

    Examples: karyobench reproduce 1f3a09bc
              karyobench reproduce --sample 5 --seed 7 --issue failed.md
    """
    from benchmark import reproduce as again
    from benchmark.campaign import default_device
    from benchmark.ledger import Ledger

    if bool(records) == bool(sample):
        raise InputError("which records?", field="RECORD", found=records, allowed="keys, or --sample N")
    way = again.Way(sandbox, default_device() if device == "auto" else device, threads)
    ledger, draw = Ledger(workspace / "ledger"), again.Draw(sample, seed) if sample else None
    chosen = _drawn(ledger, workspace, draw, way) if draw else again.named(ledger, records or ())
    if sample and len(chosen) < sample:
        note(f"only {len(chosen)} records have no reproduction yet")
    written = again.reproduce(
        workspace, chosen, way, unit_bar, folders=submissions or (), fetch=not offline, draw=draw
    )  # fmt: skip
    if issue is not None:
        _tell(issue, chosen, written)
    if json:
        emit(written)
    else:
        say(table([_row(*pair) for pair in zip(chosen, written, strict=True)], HEADERS))
        for one in written:
            say(f"{one['of'][:12]}: {one['grade']}: {one['reason']}")
    if any(one["grade"] == "failed" for one in written):
        raise typer.Exit(SOME_FAILED)


HEADERS = ("key", "submission", "arm", "dataset", "fold", "repeat", "grade", "macro-F1", "again", "classes", "time")


def _drawn(ledger: Ledger, workspace: Path, draw: Draw, way: Way) -> list[Record]:
    """The sample that was interrupted, else a new one."""
    from benchmark import reproduce as again

    left = again.unfinished(workspace, draw, way)
    if left is None:
        return again.sample(ledger, draw)
    note(f"going on with the sample of {len(left)} records that was interrupted")
    return again.named(ledger, left)


def _tell(path: Path, records: Sequence[Record], written: Sequence[Record]) -> None:
    """Write the issue, or remove an older one where nothing failed."""
    from benchmark.files import atomic, disk_errors
    from benchmark.forge.failed import text

    told = text(records, written)
    if told is None:
        with disk_errors(path):
            path.unlink(missing_ok=True)
        return
    with atomic(path) as file:
        file.write(told.encode())


def _row(record: Record, one: Record) -> tuple[Any, ...]:
    scores, same = one["macro_f1"], one["agreement"]
    after = "failed" if scores["reproduced"] is None else percent(scores["reproduced"])
    return (
        record["key"][:12], record["submission"]["name"], record["arm"], record["dataset"]["name"], record["fold"],
        record["repeat"], one["grade"], percent(scores["original"]), after,
        "" if same is None else f"{percent(same)} % the same", duration(one["seconds"]),
    )  # fmt: skip
