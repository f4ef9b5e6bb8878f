"""A head: hands units to a remote engine and collects what becomes of them.

All state is in the store and the ledger, so that a head may die at any moment, and several may run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.engine import Engine
from benchmark.errors import InfrastructureError
from benchmark.plan import Unit
from benchmark.records import Record
from benchmark.remote.collect import Collector
from benchmark.remote.node import execute
from benchmark.remote.watch import Watch
from benchmark.trainer import Progress, Trainer

ROUNDS = 3
"""How often units are handed out again because a checkpoint was lost meanwhile."""


@dataclass
class Head:
    """Runs units through an engine.

    Args:
        engine: a remote one.
        collector: makes records.
        trainer: of this machine's workspace, for what was trained here before.
        planned: all units of the plan, by key.
        kit: packs a kit for some units, and returns its hash.
        progress: told of lines of units' logs, as their claims show them, and when a unit has ended.
    """

    engine: Engine
    collector: Collector
    trainer: Trainer
    planned: Mapping[str, Unit]
    kit: Callable[[Sequence[Unit]], str]
    progress: Progress

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, Record]]:
        """Run units to their records.

        Raises:
            InfrastructureError: names the units that could not be run; all others are recorded.
        """
        left = list(units)
        for number in range(ROUNDS):
            try:
                for unit, record in self._round(left):
                    self.progress(unit, {"epoch": unit.epochs, "epochs": unit.epochs})
                    yield unit, record
                return
            except InfrastructureError:
                left = self._again(units)
                known = {unit.key for unit in units}
                if number + 1 == ROUNDS or all(unit.key in known for unit in left):
                    raise

    def _round(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, Record]]:
        ended = self.collector.ended(units)
        yield from ended
        done = {unit.key for unit, _ in ended}
        left = [unit for unit in units if unit.key not in done]
        if not left:
            return
        keys = {unit.key for unit in left}
        parents = {unit.parent for unit in left if unit.parent} - keys
        self.collector.offer([self.planned[key] for key in parents if key in self.planned], self.trainer)
        call = functools.partial(execute, self.collector.artefacts.address, self.kit(left))
        with Watch(self.collector.artefacts, self.engine, {unit.key: unit for unit in left}, self.progress):
            for unit, document in self.engine.run(left, call):
                yield unit, self.collector.collect(unit, document)

    def _again(self, units: Sequence[Unit]) -> list[Unit]:
        """Units that have not ended, after those whose checkpoints they need and that are gone."""
        finished = self.collector.artefacts.finished()
        wanted = [unit for unit in units if unit.key not in finished]
        chosen = {unit.key for unit in wanted}
        for unit in wanted:
            parent = self.planned.get(unit.parent or "")
            while parent is not None and parent.key not in finished and parent.key not in chosen:
                chosen.add(parent.key)
                parent = self.planned.get(parent.parent or "")
        return [unit for unit in self.planned.values() if unit.key in chosen]
