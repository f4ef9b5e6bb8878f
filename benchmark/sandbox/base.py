"""The interface of a sandbox, and what comes back from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

EpochReport = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Limits:
    """What a unit may use.

    Args:
        seconds: wall-clock time.
        threads: processor threads.
    """

    seconds: float
    threads: int


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
        energy_joules: of the whole processor package over that time; None where it cannot be read.
        details: what else the backend knows (image digest, limits), for the record.
    """

    status: Literal["finished", "model-failure", "infrastructure"]
    kind: str = ""
    message: str = ""
    seconds: float = 0.0
    peak_bytes: int | None = None
    energy_joules: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Sandbox(ABC):
    """Runs one unit's worker over an inputs folder and an empty output folder."""

    name: ClassVar[str]

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
