"""What Slurm's commands tell of jobs, as plain data. No accounting database is asked: many clusters have none."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from benchmark.errors import InfrastructureError, InputError

TIMEOUT = 60.0
"""Seconds that a command may take."""

PATIENCE = 1800.0
"""Seconds that a controller may be away; jobs go on meanwhile."""

WAITING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
)
AT_WORK = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})

LOST = frozenset({"NODE_FAIL", "OUT_OF_MEMORY"})
"""States of a task that may have taken its node with it, or would again."""


class Task(NamedTuple):
    """A task of an array, or a job of its own.

    Attributes:
        job: as Slurm names it: `12_3`, or `12`.
        name: of the job.
        number: within the array; 0 of a job of its own.
        state: Slurm's word.
        node: where it runs; else empty.
        reason: why it waits, or why it ended.
    """

    job: str
    name: str
    number: int
    state: str
    node: str
    reason: str

    @property
    def waits(self) -> bool:
        """Whether it has not started, or will again."""
        return self.state in WAITING

    @property
    def over(self) -> bool:
        """Whether it has ended for good."""
        return self.state not in WAITING and self.state not in AT_WORK


def parse(text: str) -> list[Task]:
    """Tasks from what `squeue` wrote, a line each."""
    found = []
    for line in text.splitlines():
        job, name, state, node, reason = line.split("|", 4)
        index = job.partition("_")[2]
        found.append(Task(job, name, int(index) if index.isdigit() else 0, state, node, reason))
    return found


class Queue:
    """The queue of this user, looked at now and then.

    Args:
        patience: seconds that the controller may be away.
        clock: seconds that do not run backwards.
    """

    def __init__(self, patience: float = PATIENCE, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience, self._clock = patience, clock
        self._answered = clock()

    def tasks(self, prefix: str) -> list[Task] | None:
        """Tasks of all jobs whose name begins so, also those that ended a short while ago.

        Returns:
            None when the controller does not answer now.

        Raises:
            InfrastructureError: when it has not answered for so long that patience is at its end.
        """
        command = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%j|%T|%N|%r"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
            problem = (done.stderr.strip() or f"squeue ended with {done.returncode}") if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = f"no answer within {TIMEOUT:.0f} s"
        if not problem:
            self._answered = self._clock()
            return [task for task in parse(done.stdout) if task.name.startswith(prefix)]
        if self._clock() - self._answered > self.patience:
            raise InfrastructureError(
                f"Slurm's controller does not answer: {problem}. Tasks go on; the same command finds them again",
                transient=True,
            )
        return None

    @staticmethod
    def cancel(jobs: Iterable[str]) -> None:
        """End jobs or tasks; those that are gone are left alone."""
        given = sorted(set(jobs))
        for start in range(0, len(given), 500):
            command = ["scancel", *given[start : start + 500]]
            subprocess.run(command, capture_output=True, timeout=TIMEOUT)


def check(programs: Sequence[str] = ("sbatch", "squeue", "scancel", "srun")) -> None:
    """Say at once when this is no machine that jobs are submitted from.

    Raises:
        InputError: names what is missing.
    """
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise InputError(
            f"Slurm's commands are not here: {', '.join(missing)}", field="engine", found="slurm",
            hint="Run it on a machine from which jobs are submitted",
        )  # fmt: skip
