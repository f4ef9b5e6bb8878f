"""The `local` engine: a few threads of this process, each waiting for one sandbox."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, ClassVar

from benchmark.engine.base import Engine, Execute
from benchmark.engine.schedule import Policy, fault_of
from benchmark.plan import Unit

RETRIES = 2
PAUSE = 2.0


class LocalEngine(Engine):
    """Longest path first; a unit that the machine failed is tried again twice."""

    name: ClassVar[str] = "local"

    def run(self, units: Sequence[Unit], execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        """See `Engine.run`. A fault that lasts ends the run: on one machine the next unit would meet it too."""
        schedule = self.scheduled(units, Policy(tries=RETRIES + 1, pause=PAUSE))
        running: dict[Future[dict[str, Any]], Unit] = {}
        waiting: list[Unit] = []
        failure: Exception | None = None
        with ThreadPoolExecutor(max_workers=self.jobs) as pool:
            try:
                while running or (failure is None and not schedule.over):
                    while failure is None and self._room(running, waiting):
                        unit = waiting.pop() if waiting else schedule.take(time.monotonic())
                        if unit is None:
                            break
                        if running and unit.key in schedule.alone:
                            waiting.append(unit)
                        else:
                            running[pool.submit(execute, unit)] = unit
                    idle = failure is None and self._room(running, waiting)
                    for future in _ended(running, schedule.due() if idle else None):
                        unit = running.pop(future)
                        try:
                            record = future.result()
                        except Exception as error:  # raised again below, when the others have ended
                            fault = fault_of(error, everywhere=True)
                            if not schedule.fail(unit.key, fault, time.monotonic()):
                                failure = failure or error
                            continue
                        schedule.end(unit.key)
                        yield unit, record
            except BaseException:
                self.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if failure is not None:
            raise failure

    def _room(self, running: dict[Future[dict[str, Any]], Unit], waiting: list[Unit]) -> bool:
        """Whether one more may start: none beside a unit that is to be alone, none before one that waits for that."""
        assert self.schedule is not None
        alone = any(unit.key in self.schedule.alone for unit in running.values())
        return len(running) < self.jobs and not alone and not (running and waiting)


def _ended(running: dict[Future[dict[str, Any]], Unit], due: float | None) -> list[Future[dict[str, Any]]]:
    """Units that have ended, once one has or a pause is over."""
    left = None if due is None else max(0.0, due - time.monotonic())
    if not running:
        time.sleep(left or 0.0)
        return []
    return list(wait(running, left, return_when=FIRST_COMPLETED).done)
