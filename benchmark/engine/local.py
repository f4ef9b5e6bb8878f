"""The `local` engine: a few threads of this process, each waiting for one sandbox."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, ClassVar

from benchmark.engine.base import Engine, Execute
from benchmark.errors import InfrastructureError
from benchmark.plan import Unit

RETRIES = 2
PAUSE = 2.0


def path_costs(units: Sequence[Unit]) -> dict[str, int]:
    """Cost of the longest chain that starts with each unit, by key."""
    children: dict[str, list[Unit]] = {}
    for unit in units:
        if unit.parent:
            children.setdefault(unit.parent, []).append(unit)
    costs: dict[str, int] = {}

    def cost(unit: Unit) -> int:
        if unit.key not in costs:
            costs[unit.key] = unit.cost + max((cost(child) for child in children.get(unit.key, ())), default=0)
        return costs[unit.key]

    for unit in units:
        cost(unit)
    return costs


class LocalEngine(Engine):
    """Longest path first; a unit that the machine failed is tried again twice."""

    name: ClassVar[str] = "local"

    def run(self, units: Sequence[Unit], execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        """See `Engine.run`."""
        costs = path_costs(units)
        keys = {unit.key for unit in units}
        order = {unit.key: number for number, unit in enumerate(units)}
        waiting = sorted(units, key=lambda unit: (-costs[unit.key], order[unit.key]))
        ended: set[str] = set()
        running: dict[Future[dict[str, Any]], Unit] = {}
        failure: Exception | None = None
        with ThreadPoolExecutor(max_workers=self.jobs) as pool:
            try:
                while running or (waiting and failure is None):
                    ready = [u for u in waiting if u.parent not in keys or u.parent in ended]
                    for unit in ready[: self.jobs - len(running)] if failure is None else ():
                        waiting.remove(unit)
                        running[pool.submit(self._attempt, unit, execute)] = unit
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        unit = running.pop(future)
                        try:
                            record = future.result()
                        except Exception as error:  # raised again below, when the others have ended
                            failure = failure or error
                            continue
                        ended.add(unit.key)
                        yield unit, record
            except BaseException:
                self.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if failure is not None:
            raise failure

    @staticmethod
    def _attempt(unit: Unit, execute: Execute) -> dict[str, Any]:
        for attempt in range(RETRIES + 1):
            try:
                return execute(unit)
            except InfrastructureError as error:
                if attempt == RETRIES or not error.transient:
                    raise
                time.sleep(PAUSE * 2**attempt)
        raise AssertionError("unreachable")
