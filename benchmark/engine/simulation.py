"""What a cluster would do with a plan: the engines' own schedule, with made-up workers and a made-up clock.

Used to predict how long a run takes, and to see how a schedule stands a thousand GPUs and nodes that come
and go. Nothing waits: an hour of 1,000 GPUs takes a fraction of a second.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from benchmark.engine.schedule import Fault, Policy, Schedule, path_costs
from benchmark.plan import Unit

HOUR = 3600.0
UNDER_WAY = 1e15
"""Seconds that no chain takes: puts a unit before all others."""


@dataclass(frozen=True)
class Cluster:
    """Workers, and how they fail.

    Args:
        nodes: machines.
        slots: units that one runs at once: its GPUs, or its processors.
        loss: nodes lost an hour, part of all; each loses every unit that it runs.
        away: seconds until a lost node is back.
        dispatch: seconds of the head for one start; it starts units one after the other.
        startup: seconds before the first start.
        seed: of the losses.
    """

    nodes: int
    slots: int
    loss: float = 0.0
    away: float = 1800.0
    dispatch: float = 0.0
    startup: float = 0.0
    seed: int = 0

    @property
    def size(self) -> int:
        """Units that run at once on the whole cluster."""
        return self.nodes * self.slots


@dataclass
class Simulated:
    """What happened.

    Args:
        seconds: from the first to the last moment.
        useful: slot-seconds of attempts that ended with a result.
        lost: slot-seconds of attempts that a lost node took.
        losses: nodes lost while units were left to run.
        losses_of_units: attempts that went with them.
        attempts: starts of units.
        ended: units with a result.
        given_up: key → why.
    """

    seconds: float = 0.0
    useful: float = 0.0
    lost: float = 0.0
    losses: int = 0
    losses_of_units: int = 0
    attempts: int = 0
    ended: int = 0
    given_up: dict[str, str] = field(default_factory=dict)

    def utilisation(self, slots: int) -> float:
        """Part of all slot-seconds that were of use."""
        return self.useful / (self.seconds * slots) if self.seconds else 1.0


class _Event(NamedTuple):
    when: float
    number: int
    kind: Literal["end", "loss", "back", "due"]
    node: int
    attempt: int


class _Attempt(NamedTuple):
    key: str
    node: int
    started: float


class _Simulation:
    """Events in order of time; of two at once the one that was foreseen first."""

    def __init__(self, schedule: Schedule, seconds: Mapping[str, float], cluster: Cluster) -> None:
        self.schedule, self.seconds, self.cluster = schedule, seconds, cluster
        self.random = np.random.default_rng(cluster.seed)
        self.found = Simulated()
        self.events: list[_Event] = []
        self.attempts: dict[int, _Attempt] = {}
        self.free = [node for node in reversed(range(cluster.nodes)) for _ in range(cluster.slots)]
        self.on: list[set[int]] = [set() for _ in range(cluster.nodes)]
        self.head = cluster.startup
        self.woken: float | None = None
        self.count = 0

    def later(
        self, when: float, kind: Literal["end", "loss", "back", "due"], node: int = -1, attempt: int = -1
    ) -> None:
        self.count += 1
        heapq.heappush(self.events, _Event(when, self.count, kind, node, attempt))

    def run(self) -> Simulated:
        for node in range(self.cluster.nodes):
            self._foresee_loss(node, 0.0)
        now = self.cluster.startup
        self._start(now)
        while not self.schedule.over:
            event = heapq.heappop(self.events)
            now = event.when
            getattr(self, f"_{event.kind}")(event)
            self._start(now)
        self.found.seconds = now
        self.found.ended = len(self.schedule.ended)
        self.found.given_up = self.schedule.given_up
        return self.found

    def _start(self, now: float) -> None:
        while self.free:
            unit = self.schedule.take(now)
            if unit is None:
                break
            node = self.free.pop()
            self.head = max(now, self.head) + self.cluster.dispatch
            self.found.attempts += 1
            number = self.found.attempts
            self.attempts[number] = _Attempt(unit.key, node, self.head)
            self.on[node].add(number)
            self.later(self.head + self.seconds[unit.key], "end", node, number)
        due = self.schedule.due()
        if due is not None and self.free and due != self.woken:
            self.woken = due
            self.later(max(due, now), "due")

    def _end(self, event: _Event) -> None:
        attempt = self.attempts.pop(event.attempt, None)
        if attempt is None:
            return  # its node went before
        self.on[event.node].remove(event.attempt)
        self.free.append(event.node)
        self.found.useful += event.when - attempt.started
        self.schedule.end(attempt.key)

    def _loss(self, event: _Event) -> None:
        node = event.node
        self.found.losses += 1
        self.free = [one for one in self.free if one != node]
        for number in sorted(self.on[node]):
            attempt = self.attempts.pop(number)
            self.found.losses_of_units += 1
            self.found.lost += max(0.0, event.when - attempt.started)
            self.schedule.fail(attempt.key, Fault("lost", "its node went"), event.when)
        self.on[node].clear()
        self.later(event.when + self.cluster.away, "back", node)

    def _back(self, event: _Event) -> None:
        self.free += [event.node] * self.cluster.slots
        self._foresee_loss(event.node, event.when)

    def _due(self, event: _Event) -> None:
        self.woken = None

    def _foresee_loss(self, node: int, now: float) -> None:
        if self.cluster.loss > 0:
            self.later(now + float(self.random.exponential(HOUR / self.cluster.loss)), "loss", node)


def simulate(
    units: Sequence[Unit],
    seconds: Mapping[str, float],
    cluster: Cluster,
    policy: Policy | None = None,
    first: Collection[str] = (),
) -> Simulated:
    """Run units on a made-up cluster.

    Args:
        units: in any order.
        seconds: that each takes, by key; longest chains, in these seconds, go first.
        cluster: where.
        policy: of the schedule, for units whose node went.
        first: keys of units that are under way already and go before all others.
    """
    schedule = Schedule(units, policy, lambda unit: seconds[unit.key] + (UNDER_WAY if unit.key in first else 0.0))
    return _Simulation(schedule, seconds, cluster).run()


def bound(units: Sequence[Unit], seconds: Mapping[str, float], slots: int) -> float:
    """Seconds that no schedule can beat: all work spread evenly, or the longest chain."""
    longest = max(path_costs(units, lambda unit: seconds[unit.key]).values(), default=0.0)
    return max(math.fsum(seconds[unit.key] for unit in units) / slots, longest)
