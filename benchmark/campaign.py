"""Putting a run together: submissions, weights, manifests, plan, engine and runner.

What the commands `plan`, `run` and `demo` share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark import engine as engines
from benchmark import protocol as protocols
from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data.manifest import Manifest
from benchmark.data.store import Store
from benchmark.engine.schedule import path_costs
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.plan import Plan, Planner, Unit, Weights, waiting
from benchmark.pretrained import Located, WeightsUnavailable, locate
from benchmark.records import Record
from benchmark.runner import Progress, Runner
from benchmark.sandbox import SANDBOXES
from benchmark.speed import Speeds
from benchmark.submission import Submission
from benchmark.track import Track

GPU_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")))
"""One of these is there where torch could find a GPU on Linux: NVIDIA's driver, that of WSL, AMD's."""

MEMORY_OF_A_UNIT = 2 * 1024**3
"""A worker of the pocket track takes about 1.1 GiB; larger models at 64 pixels up to 2."""


@dataclass
class Campaign:
    """One track on one workspace for some submissions.

    Args:
        workspace: its folder.
        track: the track.
        submissions: what is trained.
        fetch: whether weights that are not on this machine may be fetched; a plan fetches nothing.
    """

    workspace: Path
    track: Track
    submissions: Sequence[Submission]
    fetch: bool = True
    located: dict[str, Located] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [submission.name for submission in self.submissions]
        if len(set(names)) != len(names):
            raise InputError("the same submission twice", field="SUBMISSION", found=names)
        self.store = Store(self.workspace)
        self.ledger = Ledger(self.workspace / "ledger")

    def _weights(self, submission: Submission) -> Weights:
        if submission.spec.weights is None:
            return Weights(None, f"{submission.name} names no ImageNet weights")
        try:
            located = locate(submission.spec.weights, offline=not self.fetch)
        except WeightsUnavailable as error:
            return Weights(None, str(error))
        self.located[submission.name] = located
        return Weights(located.sha256)

    def _manifest(self, name: str) -> Manifest | None:
        if self.store.has(name):
            return self.store.open(name).manifest
        return manifests.shipped(name, cards.load(name).group)

    def plan(
        self,
        names: Sequence[str] = protocols.MAIN,
        targets: Sequence[str] | None = None,
        folds: Sequence[int] | None = None,
        repeats: Sequence[int] | None = None,
    ) -> Plan:
        """Plan; see `Planner.plan`."""
        datasets = {name for pair in self.track.pairs for name in (pair.target, pair.source)}
        missing = {
            name: None if self.store.has(name) else f"dataset {name} is not imported (karyobench data fetch {name})"
            for name in datasets
        }
        planner = Planner(self.track, {name: self._manifest(name) for name in datasets}, self._weights, missing)
        return planner.plan(self.submissions, names, targets, folds, repeats)

    def todo(self, plan: Plan, retry_failed: bool = False) -> list[Unit]:
        """Units of a plan that must run: not done, or needed by one that is not and gone from disk."""
        done: dict[str, Record] = {
            key: record
            for key, record in self.ledger.by_key().items()
            if not (retry_failed and record["status"] == "failed")
        }
        chosen = {unit.key for unit in waiting(plan.units, done)}
        for unit in reversed(plan.units):
            if unit.key in chosen and unit.parent and unit.parent not in chosen:
                parent = done.get(unit.parent)
                if parent and parent["status"] == "scored" and not self._has_checkpoint(unit.parent):
                    chosen.add(unit.parent)
        return [unit for unit in plan.units if unit.key in chosen]

    def _has_checkpoint(self, key: str) -> bool:
        return (self.workspace / "units" / key / "result.json").is_file()

    def seconds_per_image(self) -> dict[str, float]:
        """Measured seconds per training image, by submission: from this track's records, else from `speed.json`."""
        speeds = Speeds(self.workspace, self.track)
        measured = {s.name: seconds for s in self.submissions if (seconds := speeds.get(s)) is not None}
        sums: dict[str, list[float]] = {}
        for record in self.ledger.records():
            if record["track"]["digest"] == self.track.digest and record["status"] == "scored":
                total = sums.setdefault(record["submission"]["name"], [0.0, 0.0])
                total[0] += record["seconds"]
                total[1] += record["epochs"] * record["train_images"]
        return measured | {name: seconds / images for name, (seconds, images) in sums.items() if images}

    def run(
        self,
        units: Sequence[Unit],
        progress: Progress,
        *,
        sandbox: str = "process",
        engine: str = "local",
        device: str = "cpu",
        jobs: int | None = None,
        threads: int = 1,
    ) -> list[tuple[Unit, Record]]:
        """Run units to their records.

        Args:
            units: from `todo`.
            progress: called with every line of every unit's log.
            sandbox: name of the backend.
            engine: name of the engine.
            device: `cpu`, `cuda` or `cuda:N`.
            jobs: units at once; default: what `default_jobs` says.
            threads: processor threads a unit; part of what decides the last bits of a result.

        Raises:
            InputError: for an unknown sandbox or engine.
            InfrastructureError: when the machine failed; what is finished is kept.
        """
        if sandbox not in SANDBOXES:
            raise InputError("no such sandbox", field="sandbox", found=sandbox, allowed=tuple(SANDBOXES))
        kind = engines.load(engine)
        backend = SANDBOXES[sandbox]()
        wanted = {unit.submission for unit in units}
        for submission in self.submissions:
            if submission.name in wanted and not backend.installs:
                for path in submission.code:
                    if path.name == "requirements.txt":
                        raise InputError(
                            "its packages are not installed by this sandbox", file=path, field="sandbox", found=sandbox,
                            allowed=[name for name, kind in SANDBOXES.items() if kind.installs],
                        )  # fmt: skip
        jobs = jobs or default_jobs(device, threads)
        backend.jobs = jobs
        if units:
            backend.prepare()
        runner = Runner(
            workspace=self.workspace,
            track=self.track,
            submissions={submission.name: submission for submission in self.submissions},
            weights=self.located,
            sandbox=backend,
            device=device,
            threads=threads,
            progress=progress,
        )
        runner.sweep()
        for name in sorted({unit.dataset for unit in units}):
            runner.prepared(name)
        try:
            return list(kind(jobs, backend.stop).run(units, runner.execute))
        finally:
            backend.close()


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def default_jobs(device: str, threads: int) -> int:
    """How many units run at once: one on a GPU, else as many as fit into processors and free memory.

    Several units of one thread each use a processor better than one unit of several threads, and
    do not wait for each other when the machine has something else to do: see docs/tracks.md.
    """
    if device != "cpu":
        return 1
    return max(1, min(processors() // threads, free_memory() // MEMORY_OF_A_UNIT))


def free_memory() -> int:
    """Bytes of memory that can be had; a large number where the system does not say."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 1 << 62


def default_device() -> str:
    """`cuda` where there is a GPU that this torch can use, else `cpu`; recorded with every unit.

    Without a GPU's driver torch is not even imported, which takes seconds and memory beside the units.
    """
    if not any(path.exists() for path in GPU_DRIVERS):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def estimate(units: Sequence[Unit], speeds: dict[str, float], jobs: int) -> tuple[float | None, list[str]]:
    """Expected wall seconds for some units, and the submissions whose speed was never measured here.

    Not less than the longest chain of stages, however many units run at once.
    """
    unknown = sorted({unit.submission for unit in units if unit.submission not in speeds})
    known = [unit for unit in units if unit.submission in speeds]
    if units and not known:
        return None, unknown
    total = sum(unit.cost * speeds[unit.submission] for unit in known)
    chains = path_costs(known)
    longest = max((chains[unit.key] * speeds[unit.submission] for unit in known), default=0.0)
    return max(total / jobs, longest), unknown
