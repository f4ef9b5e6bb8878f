"""Shows a head how far units on nodes are: reads the newest line of a unit's log from its claim, now and then."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from itertools import islice
from types import TracebackType

from benchmark.artefacts import Artefacts, Leases
from benchmark.artefacts.patience import Patience
from benchmark.engine import Engine
from benchmark.plan import Unit
from benchmark.trainer import Progress

EVERY = 10.0
"""Seconds between two looks, as between two beats of a claim."""

MOST = 64
"""Units of one look: two requests each. Of more that run, all have their turn."""

PATIENCE = 5.0
"""Seconds that one look waits for a store that does not answer; the next one tries again."""


class Watch:
    """A context in which claims are looked at.

    Args:
        artefacts: the store.
        engine: says which units run.
        units: by key.
        progress: told of every line that is new.
        every: seconds between two looks.
    """

    def __init__(
        self,
        artefacts: Artefacts,
        engine: Engine,
        units: Mapping[str, Unit],
        progress: Progress,
        every: float | None = None,
    ) -> None:
        patient = Artefacts(artefacts.address, Patience(PATIENCE), artefacts.place)
        self._leases, self._engine, self._units, self._progress = Leases(patient), engine, units, progress
        self._every = EVERY if every is None else every
        self._seen: dict[str, dict[str, object]] = {}
        self._asked: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._looks, name="karyobench-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(PATIENCE)

    def look(self) -> None:
        """Look once, first at those that were not looked at for longest."""
        running = {key for key in self._engine.under_way() if key in self._units}
        waiting = [key for key in self._asked if key in running]
        chosen = list(islice([*sorted(running.difference(waiting)), *waiting], MOST))
        self._asked = [*(key for key in waiting if key not in chosen), *chosen]
        for key in chosen:
            if self._over.is_set():
                return
            _, claim = self._leases.newest(key)
            line = claim.progress if claim is not None and not claim.released else None
            if line and line != self._seen.get(key):
                self._seen[key] = line
                self._progress(self._units[key], line)

    def _looks(self) -> None:
        while not self._over.wait(self._every):
            with contextlib.suppress(Exception):  # it is only shown; a store that is away is others' to report
                self.look()
