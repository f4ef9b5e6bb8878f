"""Scheduling overhead of the `ray` engine: units that do nothing, on a Ray of this machine's own.

Run: python bench/ray_overhead.py [UNITS] [STORE] [PACK]

Prints seconds a unit from the second on, in ten blocks: through the engine alone, and as a whole run meets it,
with a document read from a store for each (a unit that has ended). With PACK, so many units at once in each of two
processes. The start of Ray is not counted.
"""

from __future__ import annotations

import functools
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from benchmark.artefacts import Artefacts, Document
from benchmark.engine import Options, load
from benchmark.engine.base import Execute
from benchmark.plan import Unit

BLOCKS = 10


def unit(number: int) -> Unit:
    """A unit that is nothing but a key; every second one has a parent."""
    parent = f"unit-{number - 1:06d}" if number % 2 else None
    return Unit(
        f"unit-{number:06d}", "net", "scratch", "d", 0, 0, 0, 1, 1, False, "random", parent, (), None, None
    )  # fmt: skip


def nothing(one: Unit) -> dict[str, Any]:
    """No training, no store."""
    return {"key": one.key}


def looked_up(address: str, one: Unit) -> dict[str, Any]:
    """What a node does of a unit that has ended: asks the store."""
    found = Artefacts(address).document(one.key)
    assert found is not None
    return found.model_dump(mode="json")


def blocks(units: list[Unit], execute: Execute, pack: int = 1) -> Iterator[float]:
    """Seconds a unit, block by block; the first unit, for which workers start, is left out."""
    ended = iter(load("ray")(2, options=Options(pack=pack)).run(units, execute))
    next(ended)
    size = (len(units) - 1) // BLOCKS
    for _ in range(BLOCKS):
        started = time.perf_counter()
        for _ in range(size):
            next(ended)
        yield (time.perf_counter() - started) / size
    for _ in ended:
        continue


def main(count: int, address: str, pack: int = 1) -> None:
    """Measure both and print them."""
    units, store = [unit(number) for number in range(count)], Artefacts(address)
    for one in units:
        store.publish(Document(key=one.key, status="failed", result="0" * 64))
    for name, execute in (("engine alone", nothing), ("with the store", functools.partial(looked_up, address))):
        found = [1000 * seconds for seconds in blocks(units, execute, pack)]
        middle, low, high = statistics.median(found), min(found), max(found)
        print(f"{name}: {middle:.1f} ms a unit (blocks of {count // BLOCKS}: {low:.1f} to {high:.1f})")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        given = sys.argv[1:]
        main(
            int(given[0]) if given else 2000, given[1] if len(given) > 1 else folder, int(given[2]) if given[2:] else 1
        )
