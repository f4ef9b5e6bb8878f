"""The interface of an engine, and what it is told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from benchmark.engine.schedule import Policy, Schedule
from benchmark.errors import InputError
from benchmark.plan import Unit

Execute = Callable[[Unit], dict[str, Any]]
"""Runs one unit: to its record, or, where the engine is `remote`, to its document in the artefact store.

Raises `InfrastructureError` when the machine failed.
"""


@dataclass(frozen=True)
class Options:
    """What a run asks of an engine; an engine leaves alone what it has no use for.

    Args:
        threads: processor threads a unit.
        gpus: GPUs a pack, also a part of one; 0 on processors.
        pack: units that may share one process, and with it a GPU, at once; None: what `Engine.pack` says, where units can.
        apart: submissions whose units share no process with any other.
        memory: bytes a unit; None where nothing is asked.
        seconds: that no unit may take, its start included; None: no limit.
        address: of a cluster; None: the engine's own choice.
        folder: where the engine may keep files of its own.
        settings: what only one engine knows, by name; see `Engine.known`.
    """

    threads: int = 1
    gpus: float = 0.0
    pack: int | None = None
    apart: frozenset[str] = frozenset()
    memory: int | None = None
    seconds: float | None = None
    address: str | None = None
    folder: Path = Path()
    settings: Mapping[str, str] = field(default_factory=dict)


class Engine(ABC):
    """Runs units, each after its parent.

    Args:
        jobs: how many units may run at once on this machine; a remote engine asks its cluster.
        stop: called when a run is interrupted: ends the units under way.
        options: what the run asks for.

    Raises:
        InputError: for a setting that this engine does not know.
    """

    name: ClassVar[str]
    remote: ClassVar[bool] = False
    """Whether units run in other processes or machines: then `execute` can be pickled and needs the store only."""

    pack: ClassVar[int] = 1
    """Units of one process, where they can share one and nobody said how many."""

    known: ClassVar[Mapping[str, str]] = {}
    """Settings that only this engine knows: name → what it is."""

    def __init__(self, jobs: int, stop: Callable[[], None] = lambda: None, options: Options | None = None) -> None:
        self.jobs, self.stop, self.options = jobs, stop, options or Options()
        for setting in self.options.settings:
            if setting not in self.known:
                raise InputError(
                    f"the engine {self.name} has no such setting", field="--engine-setting", found=setting,
                    allowed=tuple(self.known) or "(none)",
                )  # fmt: skip
        self.schedule: Schedule | None = None

    def scheduled(self, units: Sequence[Unit], policy: Policy) -> Schedule:
        """The schedule of a run, where others can see it."""
        self.schedule = Schedule(units, policy)
        return self.schedule

    @property
    def most(self) -> int:
        """Units of a pack at most."""
        return self.options.pack or 1

    def alone(self, unit: Unit) -> bool:
        """Whether a unit shares no process: its submission may not, or a process went with it and others in it."""
        suspected = self.schedule is not None and unit.key in self.schedule.alone
        return self.most == 1 or suspected or unit.submission in self.options.apart

    def under_way(self) -> Mapping[str, str]:
        """Keys of the units that run now → the node, or an empty text; for any thread."""
        return dict.fromkeys(self.schedule.running.copy(), "") if self.schedule else {}

    def queued(self) -> int:
        """Units that were handed to a cluster and have not started; for any thread."""
        return max(0, len(self.schedule.running) - len(self.under_way())) if self.schedule else 0

    def given_up(self) -> Mapping[str, str]:
        """Key → why, of units that will not be tried again; for any thread."""
        return self.schedule.given_up.copy() if self.schedule else {}

    def retries(self) -> int:
        """Attempts that the machines failed; for any thread."""
        return self.schedule.retries if self.schedule else 0

    def processes(self) -> int | None:
        """Processes in which units take turns; None where each has its own; for any thread."""
        return None

    @abstractmethod
    def run(self, units: Sequence[Unit], execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        """Run all units; those whose parent is not among them can start at once.

        Args:
            units: in any order.
            execute: called once an attempt, from any thread, process or machine.

        Yields:
            Each unit with what `execute` returned, as they end.

        Raises:
            InfrastructureError: after the units under way have ended; what is done stays done.
        """
