"""Packs of the Ray engine: actors that each hold a GPU, in which several units run at once as threads of one process.

A unit joins where there is room and leaves when it has ended, so that no unit waits for another's end; what it left is
in the store before the head hears of it. When an actor or its node goes, each unit that it had is tried again alone:
nobody knows which of them it was, and one that takes its process with it again is then the only one to blame.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.engine.base import Execute
from benchmark.engine.packs import Pack, choose, fair
from benchmark.engine.schedule import Fault, Schedule
from benchmark.errors import InfrastructureError
from benchmark.plan import Unit

HOPE = 20.0
"""Seconds for which units are kept for an actor that has not started yet."""

IDLE = 30.0
"""Seconds without a unit after which an actor gives its GPU back."""

STARTS = 5
"""Actors in a row that may fail to start."""


class Worker:
    """What an actor is: runs on a node, where Ray has set which GPU this process sees.

    Args:
        execute: the run's.
    """

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def ready(self) -> str:
        """Name of its machine."""
        return socket.gethostname()

    def run(self, unit: Unit) -> dict[str, Any]:
        """Run one unit; called by several threads at once."""
        return self._execute(unit)


@dataclass(eq=False)
class Held(Pack):
    """An actor and what runs in it.

    Args:
        actor: Ray's handle.
        asked: when it was asked for.
        used: when its last unit began or ended.
        place: its machine; empty until it has started.
        company: units that it had when it went; None while it is there.
    """

    actor: Any = None
    asked: float = 0.0
    used: float = 0.0
    place: str = ""
    company: int | None = None


class Packs:
    """Hands units to actors.

    Args:
        ray: the module.
        start: makes an actor, which may have to wait for its resources.
        most: units of one actor.
        alone: whether a unit shares no process.
        fit: actors that the cluster can hold.
        fault: what an exception of a call means.
        clock: seconds that do not run backwards.
    """

    def __init__(
        self,
        ray: Any,
        start: Callable[[], Any],
        most: int,
        alone: Callable[[Unit], bool],
        fit: Callable[[], int],
        fault: Callable[[Any, Exception], Fault],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ray, self._start, self._most, self._alone, self._fit = ray, start, most, alone, fit
        self._fault, self._clock = fault, clock
        self.held: list[Held] = []
        self._starting: dict[Any, Held] = {}
        self._calls: dict[Any, tuple[Held, Unit]] = {}
        self._next: Unit | None = None
        self._singles: deque[Unit] = deque()
        self._failed = 0

    def under_way(self) -> Mapping[str, str]:
        """Keys of the units that actors have → the machine; for any thread."""
        return {unit.key: held.place for held, unit in list(self._calls.values())}

    def asked(self, schedule: Schedule) -> int:
        """Actors that would hold all units that can run now."""
        return -(-self._open(schedule) // self._most)

    def _open(self, schedule: Schedule) -> int:
        return len(self._calls) + len(self._singles) + (self._next is not None) + schedule.ready

    def fill(self, schedule: Schedule) -> None:
        """Ask for actors, and give units to those that are there."""
        wanted = min(max(1, self._fit()), self._open(schedule))
        while len(self.held) + len(self._starting) < wanted:
            made = Held(actor=self._start(), asked=self._clock())
            self._starting[made.actor.ready.remote()] = made
        while (unit := self._next or schedule.take(self._clock())) is not None:
            self._next = None
            if not self._give(unit, schedule):
                break
        self._give_singles()
        self._let_go()

    def _give(self, unit: Unit, schedule: Schedule) -> bool:
        """Give a unit to an actor, now or when one is empty; whether there was one."""
        if self._alone(unit):
            if len(self._singles) < len(self.held):
                self._singles.append(unit)
                return True
        else:
            draining = self._draining()
            there = [held for held in self.held if not held.closed and held not in draining]
            hoped = sum(self._clock() - held.asked < HOPE for held in self._starting.values())
            quota = fair(self._open(schedule) + 1 - len(self._singles), len(there) + hoped, self._most)
            found = choose(there, unit, quota)
            if found is not None:
                self._call(found, unit)
                return True
        self._next = unit
        return False

    def _draining(self) -> list[Held]:
        """Actors that take nothing more until they are empty, for units that share with nobody."""
        busy = [held for held in self.held if not held.closed]
        return sorted(busy, key=lambda held: len(held.units))[: len(self._singles)]

    def _give_singles(self) -> None:
        for held in self.held:
            if self._singles and not held.units:
                held.closed = True
                self._call(held, self._singles.popleft())

    def _call(self, held: Held, unit: Unit) -> None:
        held.units[unit.key] = unit
        held.used = self._clock()
        call = held.actor.run.options(name=f"unit {unit.key[:12]}").remote(unit)
        self._calls[call] = (held, unit)

    def _let_go(self) -> None:
        for held in list(self.held):
            if not held.units and self._clock() - held.used > IDLE:
                self.held.remove(held)
                self._kill(held)

    def ended(self, seconds: float) -> list[tuple[Unit, dict[str, Any] | Fault]]:
        """Units that have ended, and how, once something has happened or some seconds are over.

        Raises:
            InfrastructureError: when no actor starts.
        """
        references = [*self._starting, *self._calls]
        if not references:
            time.sleep(seconds)
            return []
        first, rest = self._ray.wait(references, num_returns=1, timeout=seconds)
        more = self._ray.wait(rest, num_returns=len(rest), timeout=0)[0] if first and rest else []
        found: list[tuple[Unit, dict[str, Any] | Fault]] = []
        faults: list[tuple[Held, Unit, Exception]] = []
        for reference in [*first, *more]:
            if reference in self._starting:
                self._started(reference)
                continue
            held, unit = self._calls.pop(reference)
            try:
                found.append((unit, self._ray.get(reference)))
            except Exception as error:  # every fault ends here, and none ends the others
                faults.append((held, unit, error))
                continue
            self._leave(held, unit)
        # those that ended well are out of the company first
        return found + [(unit, self._meaning(held, unit, error)) for held, unit, error in faults]

    def _started(self, reference: Any) -> None:
        held = self._starting.pop(reference)
        try:
            held.place, held.used, self._failed = str(self._ray.get(reference)), self._clock(), 0
            self.held.append(held)
        except Exception as error:
            meant = self._fault(self._ray, error)
            self._failed += 1
            self._kill(held)
            if meant.kind == "lasting" or self._failed >= STARTS:
                raise InfrastructureError(f"no worker starts on the Ray cluster: {meant.reason}") from error

    def _leave(self, held: Held, unit: Unit) -> None:
        held.units.pop(unit.key, None)
        held.closed, held.used = False, self._clock()

    def _meaning(self, held: Held, unit: Unit, error: Exception) -> Fault:
        meant = self._fault(self._ray, error)
        if meant.kind == "lost":
            if held.company is None:
                held.company = len(held.units)
                self.held.remove(held)
                self._kill(held)
            if held.company > 1:
                meant = Fault("beside", f"{meant.reason}, with {held.company - 1} other units in it")
        self._leave(held, unit)
        return meant

    def _kill(self, held: Held) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(held.actor, no_restart=True)

    def end(self) -> None:
        """End all actors, and what runs in them."""
        for held in [*self.held, *self._starting.values()]:
            self._kill(held)
