"""A campaign of 100,000 units on 1,000 GPUs that come and go: the real planner and the real schedule, made-up seconds.

Usage: python -m bench.scale -o docs/scaling

Every row of the table is one simulated campaign. What is lost is lost whole: a unit whose node goes is trained
again from its start. Its utilisation is the GPU-seconds of trainings that ended over those of all GPUs until the last
one ended, and is compared with that of the list schedule on GPUs that never fail and a head that takes no time.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from benchmark import protocol as protocols
from benchmark import track as tracks
from benchmark.board.pictures.figure import save, settings
from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.engine.schedule import Policy, losses_for
from benchmark.engine.simulation import HOUR, Cluster, Simulated, bound, simulate
from benchmark.plan import Plan, Planner, Unit, Weights
from benchmark.submission import Spec, Submission

TRACK = "pocket"
SPREAD, NOISE = 0.8, 0.1
"""Standard deviations of the logarithm of a unit's seconds: between submissions, and within one."""

NODE = 8
"""GPUs of a node, which are lost together."""


@dataclass(frozen=True)
class Case:
    """One simulated campaign.

    Args:
        label: for the table.
        loss: nodes lost an hour, part of all.
        dispatch: seconds of the head for one start.
        losses: lost nodes after which a unit is quarantined; None: as the engines do.
    """

    label: str
    loss: float = 0.0
    dispatch: float = 0.0
    losses: int | None = None


DISPATCH = 0.05
"""Seconds: what the head may take for one unit at most."""

CASES = (
    Case("nothing fails, the head takes no time"),
    Case("the head takes 50 ms a unit", 0.0, DISPATCH),
    Case("1 % of the nodes lost an hour", 0.01, DISPATCH),
    Case("the same, quarantine after two losses", 0.01, DISPATCH, 2),
    Case("5 % of the nodes lost an hour", 0.05, DISPATCH),
)


class Planned(NamedTuple):
    """A plan, its made-up seconds, and what planning took.

    Attributes:
        units: of the plan.
        seconds: by key, an hour in the mean.
        took: seconds of the planner.
    """

    units: Sequence[Unit]
    seconds: dict[str, float]
    took: float


class Row(NamedTuple):
    """What became of a case.

    Attributes:
        case: which.
        found: the simulation's answer; units that were quarantined are run after the others, as the same command does.
        hours: until the last unit ended, those of the second round included.
        utilisation: part of all GPU-seconds that were of use.
        of_ideal: the ideal schedule's hours over these.
        took: seconds that the simulation took.
    """

    case: Case
    found: Simulated
    hours: float
    utilisation: float
    of_ideal: float
    took: float


def submission(name: str) -> Submission:
    """A made-up submission with ImageNet weights."""
    spec = {
        "name": name, "title": name, "paper": "https://example.org", "license": "MIT",
        "model": {"timm": "resnet18"}, "weights": {"hub": "timm/resnet18.a1_in1k"},
    }  # fmt: skip
    return Submission(Spec.model_validate(spec), Path(name), ())


def plan(submissions: int, repeats: int) -> Plan:
    """The plan of all five protocols on both targets of the pocket track: 60 units a submission and repeat."""
    track = tracks.load(TRACK)
    known = {name: manifests.shipped(name, cards.load(name).group) for name in track.targets}
    planner = Planner(track, known, lambda _: Weights("w" * 64), {})
    return planner.plan(
        [submission(f"net-{n:04d}") for n in range(submissions)], tuple(protocols.PROTOCOLS), repeats=range(repeats)
    )


def planned(submissions: int, repeats: int, seed: int = 0) -> Planned:
    """A plan with seconds: submissions differ much, their units by what they train on and a little by chance."""
    started = time.perf_counter()
    units = plan(submissions, repeats).units
    took = time.perf_counter() - started
    random = np.random.default_rng(seed)
    rates = {f"net-{n:04d}": float(np.exp(random.normal(0, SPREAD))) for n in range(submissions)}
    noise = np.exp(random.normal(0, NOISE, len(units)))
    raw = np.array([unit.cost * rates[unit.submission] for unit in units]) * noise
    seconds = raw * HOUR / raw.mean()
    return Planned(units, {unit.key: float(one) for unit, one in zip(units, seconds, strict=True)}, took)


def run(made: Planned, nodes: int, cases: Sequence[Case] = CASES) -> Iterator[Row]:
    """Simulate every case; the first one is the ideal that the others are compared with."""
    ideal: float | None = None
    for case in cases:
        started = time.perf_counter()
        cluster = Cluster(nodes, NODE, loss=case.loss, dispatch=case.dispatch)
        found = simulate(made.units, made.seconds, cluster, Policy(losses=case.losses or losses_for(len(made.units))))
        seconds, useful = found.seconds, found.useful
        left = [unit for unit in made.units if unit.key in found.given_up]
        if left:
            again = simulate(left, made.seconds, replace(cluster, seed=1), Policy(losses=99))
            seconds, useful = seconds + again.seconds, useful + again.useful
        ideal = ideal or seconds
        yield Row(
            case,
            found,
            seconds / HOUR,
            useful / (seconds * cluster.size),
            ideal / seconds,
            time.perf_counter() - started,
        )


HEADS = (
    "campaign",
    "hours",
    "GPU time of use",
    "of the ideal",
    "nodes lost",
    "trainings lost",
    "quarantined",
    "simulated in",
)


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """The table, a row a case."""
    return [
        [row.case.label, f"{row.hours:.1f}", f"{100 * row.utilisation:.1f} %", f"{100 * row.of_ideal:.1f} %",
         f"{row.found.losses}", f"{row.found.losses_of_units:,}", f"{len(row.found.given_up)}", f"{row.took:.1f} s"]
        for row in rows
    ]  # fmt: skip


def scaling(made: Planned, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Hours and utilisation of the same plan on clusters of several sizes, with 1 % of the nodes lost an hour."""
    found = []
    for nodes in sizes:
        *_, row = run(made, nodes, (CASES[0], CASES[2]))
        least = bound(made.units, made.seconds, nodes * NODE)
        found.append({"gpus": nodes * NODE, "hours": row.hours, "utilisation": row.utilisation, "bound": least / HOUR})
    return found


def picture(points: Sequence[dict[str, Any]]) -> bytes:
    """Two panels over the number of GPUs: hours of the campaign, and the part of GPU time that was of use."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    gpus = [one["gpus"] for one in points]
    with rc_context(settings(9)):
        drawing = Figure(figsize=(8.6, 2.9), layout="constrained")
        left, right = drawing.subplots(1, 2)
        left.loglog(
            gpus, [one["bound"] for one in points], color="#7d7d7d", linestyle="--", label="no schedule can be faster"
        )
        left.loglog(
            gpus, [one["hours"] for one in points], color="#d55e00", marker="o", label="1 % of the nodes lost an hour"
        )
        left.set_ylabel("hours of the campaign")
        left.yaxis.set_major_formatter("{x:,.0f}")
        left.legend(frameon=False)
        right.semilogx(gpus, [100 * one["utilisation"] for one in points], color="#d55e00", marker="o")
        right.axhline(95, color="#7d7d7d", linestyle="--", linewidth=1)
        right.set_ylim(80, 100.5)
        right.set_ylabel("GPU time of use, %")
        for axes in (left, right):
            axes.set_xlabel("GPUs, eight a node")
            axes.set_xticks(gpus, [f"{one:,}" for one in gpus])
            axes.minorticks_off()
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        return save(drawing, "svg")


def main() -> None:
    """Plan, simulate, and write table, figures and figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--submissions", type=int, default=167)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=125)
    options = parser.parse_args()
    made = planned(options.submissions, options.repeats)
    rows = list(run(made, options.nodes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    points = scaling(made, [1, 4, 16, options.nodes, 4 * options.nodes])
    text = tabulate(cells(rows), HEADS, tablefmt="github", disable_numparse=True)
    about = (
        f"{len(made.units):,} units of {options.submissions} submissions on {options.nodes * NODE:,} GPUs; "
        f"planned in {made.took:.1f} s; {peak:,.0f} MB at most"
    )
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "simulated.md").write_text(f"{about}\n\n{text}\n")
    (options.output / "simulated.json").write_text(json.dumps(points, indent=1) + "\n")
    (options.output / "simulated.svg").write_bytes(picture(points))
    sys.stdout.write(f"{about}\n{text}\n")


if __name__ == "__main__":
    main()
