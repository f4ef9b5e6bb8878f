"""The interface of a sandbox, and what comes back from it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

EpochReport = Callable[[dict[str, Any]], None]

GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What a unit may use.

    Only what the backend can enforce is enforced: `process` keeps to `seconds` and `threads`.

    Args:
        seconds: wall-clock time.
        threads: processor threads.
        device: `cpu`, `cuda` or `cuda:N`.
        memory: bytes, swap included, with what the unit writes; 0: its share of four fifths of what the machine has.
        output: bytes that it may leave behind.
        scratch: bytes of temporary files.
        shared: bytes of shared memory.
        processes: processes and threads at once.
    """

    seconds: float
    threads: int
    device: str = "cpu"
    memory: int = 0
    output: int = 4 * GIB
    scratch: int = GIB // 4
    shared: int = GIB // 4
    processes: int = 256


@dataclass(frozen=True)
class Outcome:
    """How a unit ended, as seen from outside.

    Args:
        status: `finished`: it says it is done; `model-failure`: a result of the submission;
            `infrastructure`: the machine's fault, to be retried and never scored.
        kind: a short name of the failure, empty when finished.
        message: for people.
        seconds: wall-clock time.
        peak_bytes: largest resident memory; None where it cannot be read.
        cpu_seconds: processor time of all threads; None where it cannot be read. Unlike `seconds` it does not tell what
            else the machine was doing.
        energy_joules: of the whole processor package over that time; None where it cannot be read.
        details: what else the backend knows (image digest, limits), for the record.
    """

    status: Literal["finished", "model-failure", "infrastructure"]
    kind: str = ""
    message: str = ""
    seconds: float = 0.0
    peak_bytes: int | None = None
    cpu_seconds: float | None = None
    energy_joules: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


STOPPED = Outcome("infrastructure", "stopped", "stopped")
"""Of a unit that was under way when its run was interrupted."""


class Sandbox(ABC):
    """Runs one unit's worker over an inputs folder and an empty output folder."""

    name: ClassVar[str]
    installs: ClassVar[bool] = False
    """Whether a submission may bring a requirements.txt."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.jobs = 1
        """How many units run at once, for what they share."""

    def stop(self) -> None:
        """End every unit under way, and start none: their outcome is the machine's, of kind `stopped`."""
        self.stopping.set()

    def prepare(self) -> None:  # noqa: B027 (most backends need nothing)
        """Called once before the first unit: says at once what is missing, ends what killed runs left.

        Raises:
            InputError: for what the user can mend.
            InfrastructureError: when the backend does not answer.
        """

    def close(self) -> None:  # noqa: B027 (most backends hold nothing)
        """Called once after the last unit: lets go of what units share."""

    def inside(self, device: str) -> str:
        """Name of a device as the unit sees it."""
        return device

    def shares(self, device: str, code: bool) -> bool:
        """Whether units on a device take turns in one process.

        Args:
            device: as `Limits.device`.
            code: whether their submission brings code of its own.
        """
        return False

    def lease(self, gpu: str) -> str:
        """Name of a GPU that an engine has leased to this process, for `Limits.device`.

        Args:
            gpu: its number or UUID on this machine.
        """
        return f"cuda:{gpu}"

    @abstractmethod
    def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        """Run a unit to its end.

        Args:
            inputs: as `benchmark.job` says; not changed.
            output: an empty folder.
            limits: what it may use.
            report: called with every line of the unit's log as it appears.

        Returns:
            How it ended. Never raises for what the unit does.
        """
