"""What tasks of a test do; a task imports it by `PYTHONPATH`. Everything is told and counted by files of one folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import InputError
from benchmark.plan import Unit

PATIENCE = 120.0


def unit(key: str, parent: str | None = None, images: int = 1) -> Unit:
    """A unit of a made-up plan."""
    return Unit(key, "net", "scratch", "d", 0, 0, 0, 1, images, False, "random", parent, (), None, None)


@dataclass(frozen=True)
class Work:
    """Notes each start in a line of `<key>.starts`, then does what the unit's key says.

    `bad…` cannot be run by anybody. `wait…` waits for the file `go`. `once…` waits only at its first start: until it is
    killed, preempted or put back into the queue. `kills` waits at its first start for `once-held`, and kills its process.
    """

    folder: Path

    def __call__(self, one: Unit) -> dict[str, Any]:
        """Run a unit."""
        before = len(self.starts(one.key))
        given = os.environ.get
        job = given("SLURM_JOB_ID", "")  # of an array's last task this is the number of the whole array
        if "SLURM_ARRAY_JOB_ID" in os.environ:
            job = f"{given('SLURM_ARRAY_JOB_ID')}_{given('SLURM_ARRAY_TASK_ID')}"
        with (self.folder / f"{one.key}.starts").open("a") as file:
            file.write(f"{job} {os.getpid()} {given('CUDA_VISIBLE_DEVICES', '')}\n")
        if one.key.startswith("bad"):
            raise InputError("does not fit", found=one.key)
        if one.parent and not (self.folder / f"{one.parent}.done").is_file():
            raise AssertionError("its parent has not ended")
        if one.key.startswith("wait"):
            self._wait(self.folder / "go")
        if one.key.startswith("once") and not before:
            self._wait(self.folder / "never")
        if one.key == "kills":
            if not before:
                self._wait(self.folder / "once-held.starts")
            os.kill(os.getpid(), signal.SIGKILL)
        (self.folder / f"{one.key}.done").touch()
        return {"key": one.key}

    def starts(self, key: str) -> list[list[str]]:
        """Job, process and GPUs of every start of a unit."""
        path = self.folder / f"{key}.starts"
        return [line.split(" ") for line in path.read_text().splitlines()] if path.is_file() else []

    @staticmethod
    def _wait(path: Path) -> None:
        deadline = time.monotonic() + PATIENCE
        while not path.is_file():
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody made {path}")
            time.sleep(0.05)


def in_turns(address: str, kit: str, one: Unit) -> dict[str, Any]:
    """What a node does, with real trainings that take turns on a processor."""
    import benchmark.remote
    from benchmark.sandbox import SANDBOXES
    from tests.engine.faults import Book, Turns

    SANDBOXES["process"] = Turns
    Turns.book = Book.of(address)
    return benchmark.remote.execute(address, kit, one)


def head(workspace: Path, folder: Path, keys: list[str]) -> dict[str, Any]:
    """Run units by the Slurm engine to their documents."""
    from benchmark.engine.base import Options
    from benchmark.engine.slurm import SlurmEngine

    settings = {"poll": "0.2", "settles": "1", "time": "60"}
    engine = SlurmEngine(1, options=Options(folder=workspace, settings=settings))
    return {one.key: document for one, document in engine.run([unit(key) for key in keys], Work(folder))}


if __name__ == "__main__":
    head(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
