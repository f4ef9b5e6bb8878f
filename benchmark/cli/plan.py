"""`karyobench plan`: what a run would train, and what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, duration, emit, say, table
from benchmark.cli.run import (
    Folds,
    Pinned,
    Protocols,
    Repeats,
    Sources,
    Submissions,
    Targets,
    TrackOption,
)
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.campaign import Campaign
    from benchmark.cost import Cost, Machines
    from benchmark.forecast import Range
    from benchmark.plan import Plan, Unit


def plan(
    submissions: Submissions = None,
    track: TrackOption = "pocket",
    protocol: Protocols = None,
    source: Sources = None,
    target: Targets = None,
    fold: Folds = None,
    repeat: Repeats = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    engine: Annotated[str, typer.Option(help="Who would hand out units.")] = "local",
    gpus: Annotated[int | None, typer.Option(min=1, help="GPUs in all; without it, units run on processors.")] = None,
    gpus_per_unit: Annotated[float, typer.Option(help="GPUs a unit, also a part of one.")] = 1.0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Units at once. Default: as `run`, or as the GPUs allow.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads a unit.")] = 1,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Train two batches of each submission that was never timed here. Runs its code."
        ),
    ] = False,
    elsewhere: Annotated[
        bool,
        typer.Option("--elsewhere", help="Plan for a machine that has the images and can fetch pinned weights."),
    ] = False,
    pinned: Pinned = False,
    facts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append trainings, done, todo and blocked, as NAME=NUMBER.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a run would train, what is shared, what is done and what cannot run, how long it takes and what it costs.

    Times come from the ledger's units of the same track and kind of device, with an interval of 95 %.

    Examples: karyobench plan tf-efficientnet-lite0
              karyobench plan all --track paper --engine ray --gpus 100
              karyobench plan tf-efficientnet-lite0 --target my-g --source cir-g --source bioimlab-q+cir-g
    """
    from benchmark.asked import prepare
    from benchmark.cost import known, overhead, predict

    campaign, made = prepare(
        submissions, track, workspace, protocol, target, fold, repeat,
        fetch=False, elsewhere=elsewhere, pinned=pinned, source=source,
    )  # fmt: skip
    where = _machines(engine, gpus, gpus_per_unit, jobs, threads)
    todo = campaign.todo(made)
    done = {key for key in campaign.ledger.by_key() if key in made.by_key}
    if measure:
        measure_speeds(campaign, todo, track)
    cost = predict(todo, known(campaign, where.device), where, overhead(campaign.workspace, engine))
    if facts is not None:
        _append(facts, made, len(done), len(todo))
    if json:
        emit(_plain(made, todo, done, cost))
        return
    _show(made, todo, done)
    if todo:
        for text in described(cost):
            say(text)


def _machines(engine: str, gpus: int | None, share: float, jobs: int | None, threads: int) -> Machines:
    from benchmark.campaign import default_jobs
    from benchmark.cost import machines
    from benchmark.engine import ENGINES

    if engine not in ENGINES:
        raise InputError("no such engine", field="engine", found=engine, allowed=tuple(ENGINES))
    return machines(engine, gpus, share, jobs, threads, default_jobs("cpu", threads))


def _plain(made: Plan, todo: Sequence[Unit], done: set[str], cost: Cost) -> dict[str, Any]:
    return {
        "track": made.track.name,
        "classifiers": len(made.classifiers),
        "trainings": len(made.units),
        "trainings_without_sharing": made.unshared,
        "done": len(done),
        "todo": len(todo),
        "blocked": made.blocked(),
        "seconds": cost.forecast.wall.value if cost.known else None,
        "speed_not_measured": list(cost.forecast.unknown),
        "cost": cost.plain(),
        "units": [asdict(unit) | {"done": unit.key in done} for unit in made.units],
    }


def _append(path: Path, made: Plan, done: int, todo: int) -> None:
    """Lines that a workflow's next job can decide by."""
    from benchmark.files import disk_errors

    blocked = sum(unit.blocked is not None for unit in made.units)
    numbers = {"trainings": len(made.units), "done": done, "todo": todo, "blocked": blocked}
    with disk_errors(path), path.open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={number}\n" for name, number in numbers.items())


def _show(made: Plan, todo: Sequence[Unit], done: set[str]) -> None:
    marks = {unit.key: "to do" for unit in todo} | dict.fromkeys(done, "done")
    rows = [
        (u.key[:12], u.submission, u.arm, " → ".join(u.chain), u.fold, u.repeat, u.epochs, f"{u.cost:,}",
         marks.get(u.key, "blocked"))
        for u in made.units
    ]  # fmt: skip
    say(table(rows, ("key", "submission", "protocol", "chain", "fold", "repeat", "epochs", "images", "state")))
    say(
        f"\n{len(made.classifiers)} classifiers from {len(made.units)} trainings "
        f"({made.unshared} if no stage were shared); {len(done)} done, {len(todo)} to do"
    )
    for reason, what in made.blocked().items():
        more = f" and {len(what) - 3} more" if len(what) > 3 else ""
        say(f"not run: {', '.join(what[:3])}{more}: {reason}")


def described(cost: Cost) -> list[str]:
    """What a plan costs, a line a fact."""
    found, where = cost.forecast, cost.machines
    place = f"{where.engine}, {where.slots} at once" + (" on GPUs" if where.device == "cuda" else "")
    if not cost.known:
        hint = " (karyobench plan ... --measure)" if where.device == "cpu" else ""
        return [f"time: not known: nothing was timed on such a device yet{hint}"]
    lines = [
        f"time: {_range(found.wall, duration)} ({place})",
        f"cost: {_range(cost.hours, _hours)} {cost.unit}",
        f"from: {sum(found.timed.values()):,} timed units ({', '.join(f'{count:,} on {name}' for name, count in cost.devices.items())})"
        + (
            f"; start and handling as in run {cost.overhead.run}"
            if cost.overhead.run
            else "; without start and handling"
        ),
    ]
    if found.unknown:
        lines.append(f"not counted, never timed on such a device: {', '.join(found.unknown)}")
    return lines


def _range(one: Range, say_it: Any) -> str:
    if one.low is None or one.high is None:
        return f"about {say_it(one.value)} (no interval: too few units were timed)"
    return f"about {say_it(one.value)}, {say_it(one.low)} to {say_it(one.high)}"


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def measure_speeds(campaign: Campaign, todo: Sequence[Unit], track: str) -> None:
    """Time the submissions of some units that were never timed on this machine."""
    from benchmark.cost import known
    from benchmark.speed import Speeds

    speeds = Speeds(campaign.workspace, campaign.track)
    timed = {one.submission for one in known(campaign, "cpu").timed}
    wanted = {unit.submission for unit in todo} - timed
    chosen = [submission for submission in campaign.submissions if submission.name in wanted]
    with bar("timing", "submissions") as progress:
        for number, submission in enumerate(chosen, start=1):
            speeds.measure(submission, track)
            progress(number, len(chosen))
