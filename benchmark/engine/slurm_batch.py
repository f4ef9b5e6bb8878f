"""One array of the Slurm engine: what its tasks do, and the files by which they answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.engine.base import Execute
from benchmark.engine.schedule import Fault, fault_of
from benchmark.files import write_json
from benchmark.plan import Unit

BATCH = "batch.json"


class Call:
    """What a task does: runs a unit and writes down how that ended.

    Args:
        execute: the run's.
        answer: file for the answer.
    """

    def __init__(self, execute: Execute, answer: Path) -> None:
        self.execute, self.answer = execute, answer

    def __call__(self, unit: Unit) -> None:
        """Run a unit. A task that Slurm starts again after it had answered does nothing."""
        if self.answer.is_file():
            return
        try:
            found: dict[str, Any] = {"document": self.execute(unit)}
        except Exception as error:
            fault = fault_of(error)
            if type(error).__name__ == "UncompletedJobError":  # submitit's, when the task's time is over
                fault = Fault("passing", str(error))
            found = {"fault": {"kind": fault.kind, "reason": fault.reason}}
        write_json(self.answer, found)

    def checkpoint(self, unit: Unit) -> Any:
        """Called by submitit when the task is preempted: it begins again, wherever Slurm puts it."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, unit)


@dataclass
class Batch:
    """One array: `<folder>/<name>/`, with a file of its keys, one answer a unit, and submitit's own files."""

    folder: Path
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its jobs, too."""
        return self.folder.name

    def answer(self, index: int) -> Path:
        """File in which a task says how it ended."""
        return self.folder / f"answer-{index}.json"

    def read(self, index: int) -> dict[str, Any] | None:
        """A task's answer; None when there is none, or not yet the whole of it."""
        try:
            found = json.loads(self.answer(index).read_text(encoding="utf-8"))
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
        keys = json.loads((folder / BATCH).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Batch(folder, tuple(map(str, keys)))
