"""What somebody asks for, turned into a plan and carried out: the one way of the commands and of a notebook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from benchmark import protocol as protocols
from benchmark import resources
from benchmark import submission as subs
from benchmark import track as tracks
from benchmark.campaign import Campaign, default_device
from benchmark.cost import evidence, kind_of
from benchmark.data.store import Progress
from benchmark.engine import Options
from benchmark.errors import InputError
from benchmark.plan import Plan, Unit
from benchmark.records import Record
from benchmark.status.model import RUNS, RunState
from benchmark.status.stores import publisher
from benchmark.status.tracker import About, Tracker
from benchmark.submission import MARKER

Show = Callable[[RunState], None]


def prepare(
    submissions: Sequence[str] | None,
    track: str,
    workspace: Path,
    protocol: Sequence[str] | None,
    target: Sequence[str] | None,
    fold: Sequence[int] | None,
    repeat: Sequence[int] | None,
    fetch: bool,
    elsewhere: bool = False,
    pinned: bool = False,
    source: Sequence[str] | None = None,
) -> tuple[Campaign, Plan]:
    """Campaign and plan that were asked for.

    Args:
        submissions: names or paths; `all` alone for every shipped one.
        track: name or path.
        workspace: its folder.
        protocol: default: scratch, imagenet, two-step.
        target: default: all of the track.
        fold: default: the track's.
        repeat: default: the track's.
        fetch: whether weights that are not on this machine may be fetched.
        elsewhere: see `Campaign`.
        pinned: see `Campaign`.
        source: chains of sources as `a+b`; default: those of the track.

    Raises:
        InputError: for anything unknown, or no submission.
    """
    if not submissions:
        known = resources.names("submissions", MARKER)
        raise InputError("which submission?", field="SUBMISSION", allowed=[*known, "all"])
    names = resources.names("submissions", MARKER) if list(submissions) == ["all"] else submissions
    campaign = Campaign(
        workspace, tracks.load(track), [subs.load(name) for name in names], fetch, pinned=pinned, elsewhere=elsewhere
    )
    return campaign, campaign.plan(protocols.expand(protocol or protocols.MAIN, source), target, fold, repeat)


def execute(
    campaign: Campaign,
    todo: Sequence[Unit],
    *,
    device: str = "auto",
    jobs: int | None = None,
    threads: int = 1,
    sandbox: str = "process",
    engine: str = "local",
    options: Options | None = None,
    command: str = "",
    preparing: Callable[[str], AbstractContextManager[Progress | None]] = lambda name: nullcontext(),
    showing: Callable[[], AbstractContextManager[Show]] = lambda: nullcontext(lambda state: None),
) -> list[tuple[Unit, Record]]:
    """Run units to their records, and keep an account of the run that `karyobench status` reads.

    Args:
        campaign: whose units they are.
        todo: from `Campaign.todo`.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        jobs: units at once; default: see `Campaign.run`.
        threads: processor threads a unit.
        sandbox: name of the backend.
        engine: name of the engine.
        options: what else the engine is told.
        command: what the account says was asked for.
        preparing: gives what is told of images rendered while a dataset, whose name it gets, is prepared.
        showing: gives what is called with every state of the run.

    Raises:
        InputError: see `Campaign.run`.
        InfrastructureError: when the machine failed; what is finished is kept.
    """
    if not todo:
        return []
    chosen = default_device() if device == "auto" else device
    how = campaign.track.preprocess
    for name in sorted({unit.dataset for unit in todo}):
        if campaign.store.is_prepared(name, how):
            continue
        with preparing(name) as ready:
            campaign.store.prepared(name, how, ready)
    about = About(engine, sandbox, campaign.track.name, chosen, command)
    timed = evidence(campaign.ledger.records(), campaign.track.digest, kind_of(chosen), ()).timed
    publish = publisher(campaign.artefacts) if campaign.artefacts else None
    with (
        showing() as show,
        Tracker(campaign.workspace / RUNS, about, todo, timed=timed, publish=publish, show=show) as tracker,
    ):
        return campaign.run(
            todo, tracker.line, sandbox=sandbox, engine=engine, device=chosen, jobs=jobs, threads=threads,
            options=options, tracker=tracker,
        )  # fmt: skip
