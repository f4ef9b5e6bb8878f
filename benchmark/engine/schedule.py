"""Which unit next, and what becomes of one that failed: the same for every engine, with no clock and no thread of its own.

Time comes in as a number of seconds from any clock that does not run backwards, so that a simulation
is the same code as a cluster. All operations take O(log n).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.errors import InfrastructureError, KaryoError, LostError, TakenError
from benchmark.plan import Unit

Kind = Literal["passing", "lost", "beside", "taken", "lasting"]


@dataclass(frozen=True)
class Fault:
    """Why an attempt at a unit ended without a result. Never the submission's fault: that is a result.

    Args:
        kind: `passing`: may be gone at the next attempt; `lost`: its worker or node went while it ran; `beside`: likewise,
            but other units ran in it too, so that this costs no attempt, and it is tried again alone; `taken`: another
            worker holds it, which costs no attempt either; `lasting`: it would fail again.
        reason: for people.
    """

    kind: Kind
    reason: str


@dataclass(frozen=True)
class Policy:
    """How often a unit is tried, and when again.

    Args:
        tries: attempts that may end in a passing fault.
        losses: after so many lost workers or nodes a unit is quarantined.
        pause: seconds before the second attempt.
        growth: by which each further pause is longer.
        longest: seconds that no pause exceeds.
        taken: seconds until a unit is looked at again that another worker holds.
    """

    tries: int = 5
    losses: int = 2
    pause: float = 2.0
    growth: float = 2.0
    longest: float = 120.0
    taken: float = 15.0


CHANCE = 0.01
"""Part of all attempts that may be lost without anybody's fault: 1 % of the nodes an hour, at an hour a unit."""


def losses_for(units: int) -> int:
    """After how many lost nodes a unit of a campaign is quarantined.

    Two; but more in a campaign so large that chance alone would lose half a unit or more so often: of 100,000 units ten are
    lost twice, and to leave those to a second run takes as long again as the longest chain.
    """
    losses = 2
    while units * CHANCE**losses >= 0.5:
        losses += 1
    return losses


def path_costs(units: Iterable[Unit], cost: Callable[[Unit], float] = lambda unit: unit.cost) -> dict[str, float]:
    """Cost of the longest chain that starts with each unit, by key."""
    found = {unit.key: unit for unit in units}
    below: dict[str, int] = dict.fromkeys(found, 0)
    for unit in found.values():
        if unit.parent in below:
            below[unit.parent] += 1
    costs = {key: cost(unit) for key, unit in found.items()}
    longest = dict.fromkeys(found, 0.0)
    leaves = [key for key, number in below.items() if not number]
    for key in leaves:  # grows while it is walked: a parent follows its last child
        costs[key] += longest[key]
        parent = found[key].parent
        if parent in below:
            longest[parent] = max(longest[parent], costs[key])
            below[parent] -= 1
            if not below[parent]:
                leaves.append(parent)
    return costs


class Schedule:
    """Units that wait, run, have ended or were given up; longest path first, then in the order given.

    Args:
        units: those whose parent is not among them can start at once.
        policy: for failed attempts.
        cost: of one unit, in any measure.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        policy: Policy | None = None,
        cost: Callable[[Unit], float] = lambda unit: unit.cost,
    ) -> None:
        self.policy = policy or Policy()
        self.running: set[str] = set()
        self.ended: set[str] = set()
        self.given_up: dict[str, str] = {}
        """Key → why."""
        self.retries = 0
        """Attempts that ended without a result, but for units that another worker held."""
        self.alone: set[str] = set()
        """Keys of units that are not to share a process with others: it went once while they did."""
        self._units = {unit.key: unit for unit in units}
        costs = path_costs(self._units.values(), cost)
        self._ranks = {key: (-costs[key], number) for number, key in enumerate(self._units)}
        self._children: dict[str, list[str]] = {}
        self._ready: list[tuple[float, int, str]] = []
        self._later: list[tuple[float, str]] = []
        self._faults: dict[tuple[str, Kind], int] = {}
        for unit in self._units.values():
            if unit.parent in self._units:
                self._children.setdefault(unit.parent, []).append(unit.key)
            else:
                self._ready.append((*self._ranks[unit.key], unit.key))
        heapq.heapify(self._ready)

    @property
    def over(self) -> bool:
        """Whether every unit has ended or was given up."""
        return len(self.ended) + len(self.given_up) == len(self._units)

    @property
    def ready(self) -> int:
        """How many units could start now, those that pause for another attempt aside."""
        return len(self._ready)

    def take(self, now: float = math.inf) -> Unit | None:
        """The next unit to start, which then counts as running; None when none can start.

        Args:
            now: units whose pause is not over are left out.
        """
        while self._later and self._later[0][0] <= now:
            _, key = heapq.heappop(self._later)
            heapq.heappush(self._ready, (*self._ranks[key], key))
        if not self._ready:
            return None
        key = heapq.heappop(self._ready)[2]
        self.running.add(key)
        return self._units[key]

    def due(self) -> float | None:
        """When the next pause is over; None when no unit pauses."""
        return self._later[0][0] if self._later else None

    def end(self, key: str) -> None:
        """A running unit has a result; its children can start."""
        self.running.remove(key)
        self.ended.add(key)
        for child in self._children.get(key, ()):
            heapq.heappush(self._ready, (*self._ranks[child], child))

    def fail(self, key: str, fault: Fault, now: float) -> bool:
        """An attempt at a running unit ended without a result.

        Returns:
            Whether it will be tried again. If not, it and all that come after it are given up.
        """
        self.running.remove(key)
        self.retries += fault.kind != "taken"
        count = self._faults[key, fault.kind] = self._faults.get((key, fault.kind), 0) + 1
        policy = self.policy
        if fault.kind == "taken":
            heapq.heappush(self._later, (now + policy.taken, key))
            return True
        if fault.kind == "beside":
            self.alone.add(key)
        most = {"passing": policy.tries, "lost": policy.losses, "beside": policy.tries}.get(fault.kind, 0)
        if count < most:
            pause = min(policy.longest, policy.pause * policy.growth ** (count - 1))
            heapq.heappush(self._later, (now + pause, key))
            return True
        often = f" ({count} times)" if count > 1 else ""
        self._give_up(key, f"quarantined: {fault.reason}{often}" if fault.kind == "lost" else f"{fault.reason}{often}")
        return False

    def _give_up(self, key: str, reason: str) -> None:
        self.given_up[key] = reason
        left = list(self._children.get(key, ()))
        while left:
            child = left.pop()
            self.given_up[child] = f"waits for {key[:12]}, which was given up"
            left += self._children.get(child, ())

    def error(self) -> InfrastructureError | None:
        """The one error of a run that gave units up; names each that failed itself."""
        own = [key for key in self.given_up if self._units[key].parent not in self.given_up]
        if not own:
            return None
        lines = [f"  {key[:12]} {described(self._units[key])}: {self.given_up[key]}" for key in own]
        after = len(self.given_up) - len(own)
        behind = f", and {after} that come after them" if after else ""
        head = f"{len(own)} of {len(self._units)} units could not be run{behind}; the others are done:"
        return InfrastructureError("\n".join([head, *lines, "The same command tries them again"]))


def described(unit: Unit) -> str:
    """A unit for people."""
    return f"{unit.submission} {' → '.join(unit.chain)} fold {unit.fold} repeat {unit.repeat}".strip()


def fault_of(error: BaseException, everywhere: bool = False) -> Fault:
    """What an exception of an attempt means.

    Args:
        error: what was raised.
        everywhere: whether another machine would fail too; a node's full disk is another node's free one.
    """
    if isinstance(error, TakenError):
        return Fault("taken", str(error))
    if isinstance(error, LostError):
        return Fault("lasting", str(error))
    if isinstance(error, InfrastructureError) and error.beside:
        return Fault("beside", str(error))
    if isinstance(error, InfrastructureError) and (error.transient or not everywhere):
        return Fault("passing", str(error))
    if isinstance(error, OSError) and not everywhere:
        return Fault("passing", f"{type(error).__name__}: {error}")
    return Fault("lasting", str(error) if isinstance(error, KaryoError) else f"{type(error).__name__}: {error}")
