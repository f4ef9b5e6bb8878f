"""`karyobench demo`: the main job on simulated chromosomes, in minutes."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Workspace, bar, duration, note, say


def demo(
    workspace: Workspace = DEFAULT_WORKSPACE,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Train one small network by three protocols on simulated Q- and G-band chromosomes.

    Real ImageNet weights from a Python package, no download. Ends with a table and a page.
    Run it again and nothing is trained twice.

    Example: karyobench demo
    """
    from benchmark import submission as subs
    from benchmark import track as tracks
    from benchmark.campaign import Campaign
    from benchmark.cli.compare import render
    from benchmark.cli.leaderboard import build_board
    from benchmark.cli.run import execute
    from benchmark.data import card as cards
    from benchmark.data import imports
    from benchmark.data.store import Store
    from benchmark.errors import InputError
    from benchmark.findings import summary
    from benchmark.protocol import BASELINE
    from benchmark.results import Results

    started = time.monotonic()
    track, store = tracks.load("smoke"), Store(workspace)
    for name in track.targets:
        if not store.has(name):
            with bar(f"rendering {name}") as progress:
                imports.render_simulated(store, cards.load(name), progress)
    campaign = Campaign(workspace, track, [subs.load("tf-efficientnet-lite0")], fetch=False)
    plan = campaign.plan()
    for reason, what in plan.blocked().items():
        raise InputError(f"the demo cannot run {what[0]}: {reason}", hint="Run: pip install 'karyobench[demo]'")
    note(f"{len(plan.classifiers)} classifiers from {len(plan.units)} trainings")
    execute(campaign, campaign.todo(plan), device, None, 1, "process", "local")
    rows = summary(Results(campaign.ledger, track.name), BASELINE)
    say(render(rows, BASELINE))
    page = build_board(campaign.ledger, workspace / "board")
    say("\nThe images are simulated: these figures show that the suite runs, nothing about people.")
    say(f"Page: {page}\nDone in {duration(time.monotonic() - started)}.")
