"""The interface of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from benchmark.plan import Unit

Execute = Callable[[Unit], dict[str, Any]]
"""Runs one unit to its record. Raises `InfrastructureError` when the machine failed."""


class Engine(ABC):
    """Runs units, each after its parent.

    Args:
        jobs: how many units may run at once.
        stop: called when a run is interrupted: ends the units under way.
    """

    name: ClassVar[str]

    def __init__(self, jobs: int, stop: Callable[[], None] = lambda: None) -> None:
        self.jobs, self.stop = jobs, stop

    @abstractmethod
    def run(self, units: Sequence[Unit], execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        """Run all units; those whose parent is not among them can start at once.

        Args:
            units: in any order.
            execute: called once a unit, from any thread.

        Yields:
            Each unit with its record, as they end.

        Raises:
            InfrastructureError: after the units under way have ended; what is done stays done.
        """
