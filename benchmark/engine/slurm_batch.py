"""One array of the Slurm engine: what its tasks do, and the files by which they answer.

A task has a pack of units, often of one, and answers for each when that has ended: a task that is lost loses no unit
that had.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.engine.base import Execute
from benchmark.engine.schedule import Fault, Kind, fault_of
from benchmark.files import write_json
from benchmark.plan import Unit

BATCH = "batch.json"

LOOK = 0.2
"""Seconds between two looks at whether the units of a pack have ended."""


class Call:
    """What a task does: runs the units of its pack at once, and writes down how each ended.

    Args:
        execute: the run's.
        folder: of the batch.
    """

    def __init__(self, execute: Execute, folder: Path) -> None:
        self.execute, self.folder = execute, folder

    def __call__(self, units: Sequence[Unit]) -> None:
        """Run a pack. Of a task that Slurm starts again, units that had answered are left out."""
        left = [unit for unit in units if not answer(self.folder, unit.key).is_file()]
        if len(left) == 1:
            self._run(left[0])
            return
        threads = {unit.key: threading.Thread(target=self._run, args=(unit,), daemon=True) for unit in left}
        try:
            for thread in threads.values():
                thread.start()
            while any(thread.is_alive() for thread in threads.values()):
                for thread in threads.values():
                    thread.join(LOOK)  # a signal of Slurm is heard by this thread alone
        except Exception as error:
            alive = [key for key in threads if not answer(self.folder, key).is_file()]
            fault = _fault(error)
            kind: Kind = "beside" if len(alive) > 1 and fault.kind != "lasting" else fault.kind
            for key in alive:
                self._write(key, Fault(kind, fault.reason))

    def _run(self, unit: Unit) -> None:
        try:
            found: dict[str, Any] | Fault = self.execute(unit)
        except Exception as error:
            found = _fault(error)
        self._write(unit.key, found)

    def _write(self, key: str, found: dict[str, Any] | Fault) -> None:
        if isinstance(found, Fault):
            write_json(answer(self.folder, key), {"fault": {"kind": found.kind, "reason": found.reason}})
        else:
            write_json(answer(self.folder, key), {"document": found})

    def checkpoint(self, units: Sequence[Unit]) -> Any:
        """Called by submitit when the task is preempted: it begins again, wherever Slurm puts it."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, units)


def _fault(error: Exception) -> Fault:
    if type(error).__name__ == "UncompletedJobError":  # submitit's, when the task's time is over
        return Fault("passing", str(error))
    return fault_of(error)


def answer(folder: Path, key: str) -> Path:
    """File in which a task says how a unit ended."""
    return folder / f"answer-{key}.json"


@dataclass
class Batch:
    """One array: `<folder>/<name>/`, with a file of its packs, one answer a unit, and submitit's own files.

    Args:
        folder: the array's.
        packs: keys of the units of each task.
    """

    folder: Path
    packs: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        """Of its jobs, too."""
        return self.folder.name

    def read(self, key: str) -> dict[str, Any] | None:
        """What a task said of a unit; None when it has not, or not yet the whole of it."""
        try:
            found = json.loads(answer(self.folder, key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def log(self, job: str) -> str:
        """The last line that a task wrote to its standard error."""
        try:
            lines = (
                (self.folder / f"{job}_0_log.err").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            )
        except OSError:
            return ""
        return lines[-1][-300:] if lines else ""


def batch_of(folder: Path) -> Batch | None:
    """The batch of a folder; None where none was written down."""
    try:
        packs = json.loads((folder / BATCH).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(packs, list) or not all(isinstance(pack, list) for pack in packs):
        return None
    return Batch(folder, tuple(tuple(map(str, pack)) for pack in packs))
