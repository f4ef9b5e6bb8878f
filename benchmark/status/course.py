"""What is known of the units of a run while it goes on, and its state made of that: `Course`, without files or threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from benchmark.engine.simulation import Cluster
from benchmark.forecast import Rates, Timed, forecast
from benchmark.plan import Unit
from benchmark.status.model import SHOWN, Count, Failure, Remaining, UnderWay

LIVE_BUDGET = 4_000
"""Starts of units that a forecast of a running head may simulate."""

LEAST_LEFT = 0.05
"""Part of a unit under way that counts as still to do, however long it has run."""

SHARE = 30
"""A forecast is made again after so many times the seconds that the last one took."""


class Watched(Protocol):
    """What is asked of an engine that is at work, from another thread."""

    def under_way(self) -> Mapping[str, str]:
        """Keys of the units that are being trained, each with the node, or an empty text where it is not known."""

    def queued(self) -> int:
        """Units that were handed to a cluster and have not started."""

    def given_up(self) -> Mapping[str, str]:
        """Key → why, of units that will not be tried again."""

    def retries(self) -> int:
        """Attempts that the machines failed."""

    def processes(self) -> int | None:
        """Processes in which units take turns; None where each has its own."""


class Looked(NamedTuple):
    """What an engine said at one moment."""

    under_way: Mapping[str, str] = {}
    queued: int = 0
    given_up: Mapping[str, str] = {}
    retries: int = 0
    processes: int | None = None


def look(engine: Watched | None) -> Looked:
    """Ask an engine."""
    if engine is None:
        return Looked()
    return Looked(engine.under_way(), engine.queued(), engine.given_up(), engine.retries(), engine.processes())


@dataclass(frozen=True)
class Seen:
    """What is known of one unit: when it began, which part of its epochs is done, when it ended and with what record."""

    began: float
    part: float | None = None
    ended: float | None = None
    record: Mapping[str, Any] | None = None


@dataclass
class Course:
    """The units of a run, and what became of them so far. Any thread may call anything; other units are left alone.

    Args:
        units: those that this run is to train.
        timed: units that were timed before.
        slots: units that run at once; None where only the cluster knows.
        clock: seconds that do not run backwards.
        processes: in which units take turns; None where each has its own, or the engine says it.
    """

    units: Sequence[Unit]
    timed: Sequence[Timed] = ()
    slots: int | None = None
    clock: Callable[[], float] = time.monotonic
    seen: dict[str, Seen] = field(default_factory=dict)
    processes: int | None = None

    def __post_init__(self) -> None:
        self.by_key = {unit.key: unit for unit in self.units}
        self.images = sum(unit.cost for unit in self.units)
        self.start = self.clock()
        self.remaining: Remaining | None = None
        self._due = 0.0
        self._lock = threading.Lock()

    def begun(self, key: str) -> None:
        """A unit begins, perhaps again."""
        if key in self.by_key:
            with self._lock:
                self.seen[key] = Seen(self.clock())

    def line(self, key: str, entry: Mapping[str, Any]) -> None:
        """A line of a unit's log; what is no line of an epoch is left alone."""
        epoch, epochs = entry.get("epoch"), entry.get("epochs")
        own = self.by_key[key].epochs if key in self.by_key else None
        if isinstance(epoch, int) and isinstance(epochs, int) and 0 < epoch <= epochs == own:
            with self._lock:
                if key in self.seen and self.seen[key].record is not None:
                    return  # a line of a node may come late
                self.seen[key] = Seen(self._began(key), epoch / epochs)

    def ended(self, key: str, record: Mapping[str, Any]) -> None:
        """A unit has its record."""
        if key in self.by_key:
            with self._lock:
                self.seen[key] = Seen(self._began(key), 1.0, self.clock(), record)

    def _began(self, key: str) -> float:
        return self.seen[key].began if key in self.seen else self.clock()

    def state(self, looked: Looked, forecast_too: bool = True) -> dict[str, Any]:
        """All of a state that is about units.

        Args:
            looked: what the engine says.
            forecast_too: whether the time that remains is reckoned again, if it is due.
        """
        seen = self._meet(looked.under_way)
        ended = {key: one for key, one in seen.items() if one.record is not None}
        places = {key: place for key, place in looked.under_way.items() if key in seen and key not in ended}
        failed = {key for key, one in ended.items() if one.record and one.record["status"] == "failed"}
        startup, each = overhead(seen, self.start, self.slots)
        if forecast_too and self.clock() >= self._due:
            began = self.clock()
            self.remaining = self._remaining(seen, places, looked, each or 0.0)
            self._due = self.clock() + SHARE * (self.clock() - began)
        return {
            "seconds": round(self.clock() - self.start, 3),
            "slots": self.slots,
            "total": len(self.units),
            "done": len(ended) - len(failed),
            "failed": len(failed),
            "given_up": len(looked.given_up),
            "running": len(places),
            "queued": looked.queued,
            "retries": looked.retries,
            "images": self.images,
            "images_done": sum(self.by_key[key].cost * (seen[key].part or 0.0) for key in (*ended, *places)),
            "remaining": self.remaining,
            "startup": startup,
            "each": each,
            "under_way": tuple(self._under_way(seen, places)),
            "failures": tuple(self._failures(ended, looked.given_up)),
            "submissions": tuple(self._counts(ended, failed, places)),
        }

    def _meet(self, under_way: Mapping[str, str]) -> dict[str, Seen]:
        """Units that the engine runs have begun; those that it has lost have not."""
        with self._lock:
            now = self.clock()
            for key in under_way.keys() & self.by_key.keys():
                self.seen.setdefault(key, Seen(now))
            return {k: one for k, one in self.seen.items() if one.record is not None or k in under_way}

    def _remaining(
        self, seen: Mapping[str, Seen], places: Mapping[str, str], looked: Looked, each: float
    ) -> Remaining | None:
        """Where units take turns, a second of theirs is a share: of several in one process, one after the other takes as long."""
        over = {key for key, one in seen.items() if one.record is not None} | looked.given_up.keys()
        units = [unit for unit in self.units if unit.key not in over]
        turns = looked.processes if looked.processes is not None else self.processes
        part = min(1.0, turns / max(1, len(places))) if turns else 1.0
        timed = self._timed(seen, part)
        means = Rates(timed).means
        left = {key: self._left(self.by_key[key], seen[key], means, each, part) for key in places}
        cluster = Cluster(1, turns or self.slots or max(len(places), 1))
        found = forecast(
            units, timed, cluster, left=left, each=each, guess=True, budget=LIVE_BUDGET
        )  # fmt: skip
        if units and (not found.timed or (found.unknown and not found.guessed)):
            return None
        return Remaining(seconds=found.wall.value, low=found.wall.low, high=found.wall.high, guessed=found.unknown)

    def _left(self, unit: Unit, seen: Seen, means: Mapping[str, float], each: float, part: float) -> float:
        """Part of a unit that is still to do: by its epochs, else by the time that it has had."""
        if seen.part is not None:
            return 1.0 - seen.part
        expected = unit.cost * means.get(unit.submission, 0.0) + each
        return max(LEAST_LEFT, 1.0 - (self.clock() - seen.began) * part / expected) if expected else 1.0

    def _timed(self, seen: Mapping[str, Seen], part: float) -> list[Timed]:
        """Units that were timed: before, in this run, and those under way by the epochs that they have done."""
        found = list(self.timed)
        for key, one in seen.items():
            unit = self.by_key[key]
            if one.record is None and one.part:
                found.append(Timed(unit.submission, unit.cost * one.part, (self.clock() - one.began) * part))
            elif one.record is not None and one.record["status"] == "scored":
                found.append(Timed(unit.submission, unit.cost, one.record["seconds"]))
        return found

    def _named(self, key: str) -> dict[str, Any]:
        unit = self.by_key[key]
        return {
            "key": key, "submission": unit.submission, "chain": unit.chain, "fold": unit.fold, "repeat": unit.repeat,
        }  # fmt: skip

    def _under_way(self, seen: Mapping[str, Seen], places: Mapping[str, str]) -> list[UnderWay]:
        return [
            UnderWay(
                **self._named(key), seconds=round(self.clock() - seen[key].began, 1), part=seen[key].part, place=place
            )
            for key, place in list(places.items())[:SHOWN]
        ]

    def _failures(self, ended: Mapping[str, Seen], given_up: Mapping[str, str]) -> list[Failure]:
        found = [
            (key, str(one.record["failure"]["kind"]), str(one.record["failure"]["message"]))
            for key, one in ended.items()
            if one.record and one.record["status"] == "failed"
        ]
        found += [(key, "given-up", why) for key, why in given_up.items()]
        return [Failure(**self._named(key), kind=kind, message=why[:300]) for key, kind, why in found[:SHOWN]]

    def _counts(self, ended: Mapping[str, Seen], failed: set[str], places: Mapping[str, str]) -> list[Count]:
        found: dict[str, list[int]] = {}
        for unit in self.units:
            row = found.setdefault(unit.submission, [0, 0, 0, 0])
            bad = unit.key in failed
            for place, one in enumerate((True, unit.key in ended and not bad, bad, unit.key in places)):
                row[place] += one
        return [
            Count(submission=name, total=row[0], done=row[1], failed=row[2], running=row[3])
            for name, row in found.items()
        ]


def overhead(seen: Mapping[str, Seen], start: float, slots: int | None) -> tuple[float | None, float | None]:
    """Seconds until the first units train, and those that each takes besides its own (mean over units with a score).

    The first unit of a slot waits for imports, which no later one does: what it takes more belongs to the start. Of units that
    took turns with others nothing is known: most of their time was the others'.
    """
    scored = sorted(
        (one.began, max(0.0, one.ended - one.began - one.record["seconds"]))
        for one in seen.values()
        if one.ended is not None and one.record and one.record["status"] == "scored" and not _took_turns(one.record)
    )
    first, rest = [extra for _, extra in scored[: slots or 0]], [extra for _, extra in scored[slots or 0 :]]
    each = _mean(rest) if rest else _mean(first)
    warm = max(0.0, _mean(first) - each) if first and rest else 0.0
    begun = min((one.began for one in seen.values()), default=None)
    return (
        None if begun is None else round(begun - start + warm, 3),
        round(each, 3) if scored else None,
    )


def _took_turns(record: Mapping[str, Any]) -> bool:
    return int((record.get("sandbox_details") or {}).get("beside", 1)) > 1


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
