"""Writes the state of a run again and again while it goes on, so that others see how it is getting on."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from benchmark.errors import KaryoError
from benchmark.files import atomic
from benchmark.forecast import Timed
from benchmark.plan import Unit
from benchmark.status.course import Course, Watched, look
from benchmark.status.model import Head, Phase, RunState

EVERY = 1.0
"""Seconds between two beats."""

PUBLISHED = 10.0
"""Seconds between two beats in the store."""

PATIENCE = 30.0
"""Seconds that the last state may take to get into the store, before the head ends without it."""

KEPT = 20
"""States of earlier runs that a workspace keeps."""

Publish = Callable[[str, bytes], None]


class About(NamedTuple):
    """What a run is, for its state."""

    engine: str
    sandbox: str
    track: str
    device: str
    command: str = ""


def head() -> Head:
    """This process."""
    stat = Path(f"/proc/{os.getpid()}/stat").read_text().rsplit(")", 1)[1].split()
    boot = Path("/proc/sys/kernel/random/boot_id")
    return Head(
        host=socket.gethostname(),
        pid=os.getpid(),
        started=float(stat[19]),
        boot=boot.read_text().strip() if boot.is_file() else "",
    )


def now() -> str:
    """The time, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Tracker:
    """The state of one run; a context in which the run takes place.

    A disk or store that refuses the state does not end a run: the next beat tries again.

    Args:
        folder: where the state is written: `runs` of the workspace.
        about: what runs.
        units: those that this run is to train.
        timed: units that were timed before, for the time that remains.
        slots: units that run at once; None where only the cluster knows.
        publish: takes the file's name and bytes to the store.
        show: called with every state.
        every: seconds between two beats.
    """

    def __init__(
        self,
        folder: Path,
        about: About,
        units: Sequence[Unit],
        *,
        timed: Sequence[Timed] = (),
        slots: int | None = None,
        publish: Publish | None = None,
        show: Callable[[RunState], None] = lambda state: None,
        every: float = EVERY,
    ) -> None:
        self.about, self.publish, self.show, self.every = about, publish, show, every
        self.course = Course(units, timed, slots)
        self.name = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        self.path = folder / f"{self.name}.json"
        self.engine: Watched | None = None
        self._started, self._head = now(), head()
        self._beat, self._message = 0, ""
        self._phase: Phase = "preparing"
        self._data = b""
        self._stop, self._ended = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._beats, name="karyobench-status", daemon=True)]
        if publish:
            self._threads.append(threading.Thread(target=self._publishes, name="karyobench-publish", daemon=True))

    def __enter__(self) -> Tracker:
        for path in sorted(self.path.parent.glob("*.json"))[: -(KEPT - 1)]:
            with contextlib.suppress(OSError):
                path.unlink()
        self.write()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._threads[0].join()
        if error is None:
            self._phase = "finished"
        elif isinstance(error, Exception):
            self._phase = "failed"
            self._message = str(error) if isinstance(error, KaryoError) else f"{type(error).__name__}: {error}"
        else:
            self._phase = "stopped"
        self.write(durable=True)
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def watch(self, engine: Watched) -> None:
        """From now on units run."""
        self.engine, self._phase = engine, "running"

    def begun(self, unit: Unit) -> None:
        """A unit begins; of engines that do not say so, it is seen at the next beat."""
        self.course.begun(unit.key)

    def line(self, unit: Unit, entry: Mapping[str, Any]) -> None:
        """A line of a unit's log."""
        self.course.line(unit.key, entry)

    def ended(self, unit: Unit, record: Mapping[str, Any]) -> None:
        """A unit has its record."""
        self.course.ended(unit.key, record)

    def state(self) -> RunState:
        """The state now."""
        units = self.course.state(look(self.engine), self._phase not in ("preparing", "failed", "stopped"))
        if self._phase in ("failed", "stopped"):
            units["remaining"] = None
        return RunState(
            run=self.name, **self.about._asdict(), phase=self._phase, message=self._message, head=self._head,
            started=self._started, beat=self._beat, beaten=now(), every=self.every, **units,
        )  # fmt: skip

    def write(self, durable: bool = False) -> None:
        """Write the state once."""
        self._beat += 1
        state = self.state()
        self._data = (state.model_dump_json(indent=1) + "\n").encode()
        with contextlib.suppress(OSError, KaryoError), atomic(self.path, durable) as file:
            file.write(self._data)
        self.show(state)

    def _beats(self) -> None:
        while not self._stop.wait(self.every):
            self.write()

    def _publishes(self) -> None:
        self._publish()
        while not self._ended.wait(PUBLISHED):
            self._publish()
        self._publish()

    def _publish(self) -> None:
        assert self.publish is not None
        with contextlib.suppress(Exception):  # whatever a store's library raises
            self.publish(self.path.name, self._data)
