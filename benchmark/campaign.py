"""Putting a run together: submissions, weights, manifests, plan, engine and runner.

What the commands `plan`, `run` and `demo` share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import engine as engines
from benchmark import protocol as protocols
from benchmark import sharing
from benchmark.crew import processors
from benchmark.data.store import Store
from benchmark.engine import Engine, Execute, Options
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.plan import Plan, Planner, Unit, Weights, waiting
from benchmark.pretrained import Located, WeightsUnavailable, locate
from benchmark.records import Record
from benchmark.runner import Runner
from benchmark.sandbox import SANDBOXES, Sandbox
from benchmark.submission import Submission
from benchmark.track import Track
from benchmark.trainer import Progress

if TYPE_CHECKING:
    from benchmark.artefacts import Artefacts
    from benchmark.remote.head import Head
    from benchmark.status.tracker import Tracker

GPU_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")))
"""One of these is there where torch could find a GPU on Linux: NVIDIA's driver, that of WSL, AMD's."""

UNITS_OF_A_GPU = 16
"""Offered to a GPU at once; it takes as many as its memory holds."""

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
        artefacts: the store of a run on other machines.
        pinned: whether weights without a fixed hash are left out: records that rest on them cannot be published.
        elsewhere: whether it is only planned here, for a machine that has the images and may fetch pinned weights.
    """

    workspace: Path
    track: Track
    submissions: Sequence[Submission]
    fetch: bool = True
    artefacts: Artefacts | None = None
    pinned: bool = False
    elsewhere: bool = False
    located: dict[str, Located] = field(default_factory=dict)
    planned: dict[str, Unit] = field(default_factory=dict)
    """All units of the plans that were made, by key."""

    def __post_init__(self) -> None:
        names = [submission.name for submission in self.submissions]
        if len(set(names)) != len(names):
            raise InputError("the same submission twice", field="SUBMISSION", found=names)
        self.store = Store(self.workspace)
        self.ledger = Ledger(self.workspace / "ledger")

    def _weights(self, submission: Submission) -> Weights:
        if submission.spec.weights is None:
            return Weights(None, f"{submission.name} names no ImageNet weights")
        if self.pinned and not submission.pinned:
            return Weights(None, f"the weights have no fixed hash: karyobench submission pin {submission.name}")
        if self.elsewhere and submission.spec.weights.sha256 is not None:
            return Weights(submission.spec.weights.sha256)
        try:
            located = locate(submission.spec.weights, offline=not self.fetch)
        except WeightsUnavailable as error:
            return Weights(None, str(error))
        self.located[submission.name] = located
        return Weights(located.sha256)

    def plan(
        self,
        names: Sequence[str] = protocols.MAIN,
        targets: Sequence[str] | None = None,
        folds: Sequence[int] | None = None,
        repeats: Sequence[int] | None = None,
    ) -> Plan:
        """Plan; see `Planner.plan`."""
        datasets = self._datasets(names, targets or self.track.targets)
        overlaps = {name: self.store.card(name).overlaps for name in datasets}
        missing = {
            name: None
            if self.elsewhere or self.store.has(name)
            else f"dataset {name} is not imported (karyobench data fetch {name})"
            for name in datasets
        }
        known = {name: self.store.manifest(name) for name in datasets}
        planner = Planner(self.track, known, self._weights, missing, overlaps)
        made = planner.plan(self.submissions, names, targets, folds, repeats)
        self.planned |= made.by_key
        return made

    def _datasets(self, names: Sequence[str], targets: Sequence[str]) -> set[str]:
        """All that some protocols towards some targets train on."""
        found = set(targets)
        for pair in self.track.pairs:
            found |= set(pair.sources) if pair.target in found else set()
        return found.union(*(protocols.get(name).sources for name in names))

    def todo(self, plan: Plan, retry_failed: bool = False) -> list[Unit]:
        """Units of a plan that must run: not done, or needed by one that is not and gone from disk."""
        done: dict[str, Record] = {
            key: record
            for key, record in self.ledger.by_key().items()
            if not (retry_failed and record["status"] == "failed")
        }
        chosen = {unit.key for unit in waiting(plan.units, done)}
        stored = self.artefacts.finished() if self.artefacts else set()
        for unit in reversed(plan.units):
            if unit.key in chosen and unit.parent and unit.parent not in chosen:
                parent = done.get(unit.parent)
                if (
                    parent
                    and parent["status"] == "scored"
                    and not (unit.parent in stored or self._has_checkpoint(unit.parent))
                ):
                    chosen.add(unit.parent)
        return [unit for unit in plan.units if unit.key in chosen]

    def _has_checkpoint(self, key: str) -> bool:
        return (self.workspace / "units" / key / "result.json").is_file()

    def run(
        self,
        units: Sequence[Unit],
        progress: Progress,
        *,
        sandbox: str | Sandbox = "process",
        engine: str = "local",
        device: str = "cpu",
        jobs: int | None = None,
        threads: int = 1,
        options: Options | None = None,
        tracker: Tracker | None = None,
    ) -> list[tuple[Unit, Record]]:
        """Run units to their records.

        Args:
            units: from `todo`.
            progress: called with every line of every unit's log; of a remote engine, with some, and when a unit has ended.
            sandbox: name of the backend, or one that the caller closes.
            engine: name of the engine.
            device: `cpu`, `cuda` or `cuda:N`.
            jobs: units at once on one machine; default: what `default_jobs` says, or what fits on a node.
            threads: processor threads a unit; part of what decides the last bits of a result.
            options: what else the engine is told.
            tracker: is told what happens to which unit.

        Raises:
            InputError: for an unknown sandbox or engine, or a remote engine without a store.
            InfrastructureError: when the machine failed; what is finished is kept.
        """
        if isinstance(sandbox, str) and sandbox not in SANDBOXES:
            raise InputError("no such sandbox", field="sandbox", found=sandbox, allowed=tuple(SANDBOXES))
        kind = engines.load(engine)
        backend = sandbox if isinstance(sandbox, Sandbox) else SANDBOXES[sandbox]()
        self._check_packages(units, backend)
        known = self.ledger.by_key()
        runner = Runner(
            workspace=self.workspace,
            track=self.track,
            submissions={submission.name: submission for submission in self.submissions},
            weights=self.located,
            sandbox=backend,
            device=device,
            threads=threads,
            progress=progress,
            retry=frozenset(unit.key for unit in units if known.get(unit.key, {}).get("status") == "failed"),
        )
        runner.sweep()
        for name in sorted({unit.dataset for unit in units}):
            runner.prepared(name)
        given = sharing.settled(kind, options or Options(), units, self.submissions, backend, device)
        if kind.remote:
            made = kind(jobs or 1, options=replace(given, threads=threads, seconds=self.track.timeout))
            return _told(tracker, made, self._head(made, runner, jobs).run(units))
        backend.jobs = jobs = jobs or default_jobs(device, threads, shared=not given.apart)
        if units:
            backend.prepare()
        try:
            local = kind(jobs, backend.stop, given)
            if tracker:
                tracker.course.slots, tracker.course.processes = jobs, None if given.apart else 1
            return _told(tracker, local, local.run(units, _announced(tracker, runner.execute)))
        finally:
            if backend is not sandbox:
                backend.close()

    def _check_packages(self, units: Sequence[Unit], backend: Sandbox) -> None:
        wanted = {unit.submission for unit in units}
        for submission in self.submissions:
            if submission.name in wanted and not backend.installs:
                for path in submission.code:
                    if path.name == "requirements.txt":
                        raise InputError(
                            "its packages are not installed by this sandbox", file=path, field="sandbox",
                            found=backend.name, allowed=[name for name, kind in SANDBOXES.items() if kind.installs],
                        )  # fmt: skip

    def _head(self, engine: Engine, runner: Runner, jobs: int | None) -> Head:
        from benchmark.remote import Collector, pack
        from benchmark.remote.head import Head

        if self.artefacts is None:
            raise InputError("this engine needs a store that every node can reach", field="store", found=None)
        self.artefacts.check()
        collector = Collector(self.artefacts, runner.recorder)
        collector.forget_failed(runner.retry)

        def kit(units: Sequence[Unit]) -> str:
            assert self.artefacts is not None
            return pack(
                self.artefacts, units, track=self.track, submissions=runner.submissions, weights=self.located,
                store=self.store, sandbox=runner.sandbox.name, device=runner.device, threads=runner.threads,
                share=engine.options.gpus or 1.0, jobs=jobs, pack=engine.most,
            )  # fmt: skip

        return Head(engine, collector, runner.trainer, self.planned, kit, runner.progress)


def _announced(tracker: Tracker | None, execute: Execute) -> Execute:
    """The same, but it tells of every unit that begins."""

    def announced(unit: Unit) -> Record:
        if tracker:
            tracker.begun(unit)
        return execute(unit)

    return announced


def _told(tracker: Tracker | None, engine: Engine, ended: Iterator[tuple[Unit, Record]]) -> list[tuple[Unit, Record]]:
    """Units as they end, each told of."""
    found = []
    if tracker:
        tracker.watch(engine)
    for unit, record in ended:
        found.append((unit, record))
        if tracker:
            tracker.ended(unit, record)
    return found


def default_jobs(device: str, threads: int, shared: bool = False) -> int:
    """How many units run at once: on a processor as many as fit into cores and free memory.

    Several units of one thread each use a processor better than one unit of several threads, and
    do not wait for each other when the machine has something else to do: see docs/tracks.md.
    On a GPU it is one, or, where units take turns in one process, as many as that process lets in by its memory.

    Args:
        device: `cpu`, `cuda` or `cuda:N`.
        threads: processor threads a unit.
        shared: whether all units take turns in one process.
    """
    if device != "cpu":
        return UNITS_OF_A_GPU if shared else 1
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
