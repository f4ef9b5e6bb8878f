"""`karyobench run`, and the options that it shares with `plan`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli import cluster
from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, duration, emit, note, percent, say, table
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.campaign import Campaign
    from benchmark.engine import Options
    from benchmark.plan import Unit

Submissions = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SUBMISSION]...", help="Names of shipped submissions or paths; `all` for every shipped one."
    ),
]
TrackOption = Annotated[str, typer.Option("--track", "-t", help="smoke, pocket, paper, or the path of a YAML file.")]
Protocols = Annotated[
    list[str] | None, typer.Option("--protocol", "-p", help="Repeatable. Default: scratch, imagenet, two-step.")
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help="What two-step trains on first: a dataset, or several in order as sim-q+sim-g. Repeatable, each a chain "
        "of its own. Default: the source that the track pairs with the target.",
    ),
]
Targets = Annotated[list[str] | None, typer.Option("--target", help="Repeatable. Default: every target of the track.")]
Folds = Annotated[list[int] | None, typer.Option("--fold", "-f", help="Repeatable, from 0. Default: the track's.")]
Repeats = Annotated[list[int] | None, typer.Option("--repeat", "-r", help="Repeatable, from 0. Default: the track's.")]
Pinned = Annotated[
    bool, typer.Option("--pinned", help="Leave out what rests on weights without a fixed hash: it cannot be published.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Never ask the hub for weights.")]


def run(
    submissions: Submissions = None,
    track: TrackOption = "pocket",
    protocol: Protocols = None,
    source: Sources = None,
    target: Targets = None,
    fold: Folds = None,
    repeat: Repeats = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Units at once. Default: as many as processors and memory, or a GPU's memory, allow."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads a unit; changes the last bits.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    sandbox: Annotated[str, typer.Option(help="Where the submitted code runs.")] = "process",
    engine: cluster.Engine = "local",
    store: cluster.StoreOption = None,
    address: cluster.Address = None,
    gpus_per_unit: cluster.GpusPerUnit = None,
    pack: cluster.Pack = None,
    engine_setting: cluster.Settings = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train units again whose model failed.")] = False,
    pinned: Pinned = False,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Train and score what is missing. Stop it at any time; the same command continues.

    Examples: karyobench run tf-efficientnet-lite0 --track pocket --fold 0 --repeat 0
              karyobench run my-folder/my-net --track smoke -p scratch
              karyobench run tf-efficientnet-lite0 --target my-g --source bioimlab-q+cir-g
              karyobench run all --track paper --engine ray --address auto --store s3://bucket/karyobench --device cuda
    """
    from benchmark.asked import prepare

    campaign, made = prepare(
        submissions, track, workspace, protocol, target, fold, repeat,
        fetch=not offline, pinned=pinned, source=source,
    )  # fmt: skip
    campaign.artefacts = cluster.artefacts(engine, store, workspace)
    chosen = cluster.device_of(engine, device, gpus_per_unit)
    options = cluster.options(address, gpus_per_unit, chosen, engine_setting, workspace / "engine", pack)
    blocked = made.blocked()
    for reason, what in blocked.items():
        note(f"not run: {', '.join(what)}: {reason}")
    records = execute(campaign, campaign.todo(made, retry_failed), chosen, jobs, threads, sandbox, engine, options)
    known = campaign.ledger.by_key()
    asked = [known[unit.key] for unit in made.units if unit.key in known]
    if json:
        emit({"trained": [unit.key for unit, _ in records], "records": asked, "blocked": blocked})
    else:
        say(f"{len(records)} trained now, {len(asked) - len(records)} were done before")
        rows = [
            (r["submission"]["name"], " → ".join(r["chain"]) if r["arm"] != "scratch" else f"random → {r['chain'][-1]}", r["fold"], r["repeat"],
             percent(r["scores"]["macro_f1"]) if r["status"] == "scored" else f"failed: {r['failure']['kind']}", duration(r["seconds"]))
            for r in asked
        ]  # fmt: skip
        say(table(rows, ("submission", "chain", "fold", "repeat", "macro-F1 %", "time")))
    if blocked and not asked:
        raise InputError("nothing could be run", hint="The reasons are above")


def execute(
    campaign: Campaign,
    todo: Sequence[Unit],
    device: str,
    jobs: int | None,
    threads: int,
    sandbox: str,
    engine: str,
    options: Options | None = None,
) -> list[tuple[Unit, dict[str, Any]]]:
    """Run units under a progress bar over all images that remain to be trained on."""
    from benchmark import asked
    from benchmark.cli.live import live

    return asked.execute(
        campaign, todo, device=device, jobs=jobs, threads=threads, sandbox=sandbox, engine=engine, options=options,
        command=shlex.join(["karyobench", *sys.argv[1:]]), preparing=lambda name: bar(f"preparing {name}"), showing=live,
    )  # fmt: skip


@contextmanager
def unit_bar(todo: Sequence[Unit]) -> Iterator[Callable[[Unit, dict[str, Any]], None]]:
    """One bar over the training images of all units, with the newest line of the log."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    seen: dict[str, float] = {}
    total = sum(unit.cost for unit in todo)
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(f"{len(todo)} units", total=total)

        def progress(unit: Unit, line: dict[str, Any]) -> None:
            epoch, epochs = line.get("epoch"), line.get("epochs")
            if isinstance(epoch, int) and isinstance(epochs, int) and 0 < epoch <= epochs == unit.epochs:
                seen[unit.key] = unit.cost * epoch / epochs
                number = sum(1 for key in seen if key != unit.key) + 1
                text = f"unit {number}/{len(todo)} {unit.submission} {' → '.join(unit.chain)} epoch {epoch}/{epochs}"
                bar.update(task, completed=sum(seen.values()), description=text)

        yield progress
        bar.update(task, completed=total)
