"""The `slurm` engine: arrays of ready units through submitit, followed by their answers in a shared folder.

Deliberate:

- A unit is submitted when its parent has ended, and not with a dependency: a task that fails cancels nothing else,
  and what is retried is decided by the one schedule that all engines share.
- A task says how it ended in a small JSON file of its batch. A task that has left the queue without one was lost: killed, its
  node gone, its time over. Nothing is concluded from an exit code, and no accounting database is asked.
- What was submitted is written down before it is submitted, under the name that the jobs carry. So a head that was
  killed and started again finds its running tasks, and waits for them instead of training twice.
- A preempted task is put back into the queue by Slurm, or by submitit where Slurm only signals; it begins again,
  and finds its unit's document if that was already there.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmark.engine.base import Engine, Execute
from benchmark.engine.packs import room
from benchmark.engine.schedule import Fault, Policy, Schedule, losses_for
from benchmark.engine.slurm_batch import BATCH, Batch, Call, batch_of
from benchmark.engine.slurm_options import KNOWN, Asked, asked
from benchmark.engine.slurm_queue import LOST, Queue, Task, check
from benchmark.errors import InfrastructureError, InputError
from benchmark.files import disk_errors, write_json
from benchmark.plan import Unit

PREFIX = "kb-"
"""Of the names of all jobs of this engine."""

TEMPORARY = re.compile("timed out|temporar|contact|limit|again|busy|socket", re.IGNORECASE)
"""What sbatch says when another attempt may help."""


@dataclass
class _Place:
    """Where a unit that is under way is to answer, and what the queue last said of its task."""

    batch: Batch
    index: int
    job: str
    task: Task | None = None
    gone: float | None = None
    company: int | None = None
    """Units that the task had when it was found to have gone."""


class SlurmEngine(Engine):
    """Job arrays of ready units, longest path first."""

    name: ClassVar[str] = "slurm"
    remote: ClassVar[bool] = True
    known: ClassVar[Mapping[str, str]] = KNOWN
    pack: ClassVar[int] = 4
    """Fewer than a GPU may hold: nobody joins a task later, and how many GPUs are free is not known."""

    nodes: Mapping[str, str] = {}
    """Keys of the units that run now → the node; made anew at every look."""

    tasks: int | None = None
    """Tasks that run now, where they have several units."""

    def under_way(self) -> Mapping[str, str]:
        """See `Engine.under_way`."""
        return self.nodes

    def processes(self) -> int | None:
        """See `Engine.processes`."""
        return self.tasks

    def run(self, units: Sequence[Unit], execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        """See `Engine.run`."""
        check()
        wanted = asked(self.options)
        asked(self.options, self.most)
        with _folder(self.options.folder) as (folder, alone):
            work = _Work(self, units, execute, folder, wanted)
            if alone:
                work.adopt()
            yield from work.run()


class _Work:
    """One run: what waits, what is in Slurm's hands, what came back."""

    def __init__(
        self, engine: SlurmEngine, units: Sequence[Unit], execute: Execute, folder: Path, wanted: Asked
    ) -> None:
        self.engine, self.execute, self.folder, self.asked = engine, execute, folder, wanted
        self.schedule: Schedule = engine.scheduled(units, Policy(taken=wanted.poll * 4, losses=losses_for(len(units))))
        self.units = {unit.key: unit for unit in units}
        self.queue = Queue()
        self.places: dict[str, _Place] = {}
        self.adopted: dict[str, _Place] = {}
        self.submitted = False
        self.next: Unit | None = None

    def run(self) -> Iterator[tuple[Unit, dict[str, Any]]]:
        try:
            while not self.schedule.over:
                self._submit()
                self._look()
                for key in list(self.places):
                    document = self._settle(key)
                    if document is not None:
                        yield self.units[key], document
                if not self.schedule.over:
                    time.sleep(self.asked.poll)
        except KeyboardInterrupt:  # a head that is killed, or fails, leaves its tasks to the next one
            Queue.cancel(place.job for place in self.places.values())
            raise
        error = self.schedule.error()
        if error is not None:
            raise error

    def adopt(self) -> None:
        """Find the tasks of a head that died; what is left of batches that nobody works on is removed."""
        tasks = self.queue.tasks(PREFIX)
        if tasks is None:
            raise InfrastructureError("Slurm's controller does not answer", transient=True)
        for folder in sorted(self.folder.glob(f"{PREFIX}*")):
            batch = batch_of(folder)
            living = {task.number: task for task in tasks if task.name == folder.name and not task.over}
            if batch is None or not living:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            for index, task in living.items():
                for key in batch.packs[index] if index < len(batch.packs) else ():
                    if key in self.units:
                        self.adopted[key] = _Place(batch, index, task.job, task)

    def _submit(self) -> None:
        """Hand over what can start, in packs and these in arrays, as long as the queue is not to hold more."""
        packs: list[list[Unit]] = []
        tasks = len({place.job for place in self.places.values()})
        while (unit := self.next or self.schedule.take(time.monotonic())) is not None:
            self.next = None
            place = self.adopted.pop(unit.key, None)
            pack = room(packs, unit, self.engine.most, self.engine.alone)
            if place is not None:
                self.places[unit.key] = place
            elif pack is not None:
                pack.append(unit)
            elif tasks + len(packs) < self.asked.pending:
                packs.append([unit])
            else:
                self.next = unit
                break
        for several in (False, True):
            chosen = [pack for pack in packs if (len(pack) > 1) == several]
            for start in range(0, len(chosen), self.asked.array):
                self._array(chosen[start : start + self.asked.array])

    def _array(self, packs: Sequence[Sequence[Unit]]) -> None:
        import submitit

        keys = tuple(tuple(unit.key for unit in pack) for pack in packs)
        batch = Batch(self.folder / f"{PREFIX}{uuid.uuid4().hex[:10]}", keys)
        write_json(batch.folder / BATCH, list(batch.packs))
        wanted = asked(self.engine.options, max(map(len, packs)))
        executor = submitit.SlurmExecutor(batch.folder, max_num_timeout=0, python=self.asked.python)
        executor.update_parameters(job_name=batch.name, **wanted.parameters(len(packs)))
        try:
            with executor.batch():
                jobs = [executor.submit(Call(self.execute, batch.folder), list(pack)) for pack in packs]
        except Exception as error:  # submitit raises what sbatch said as errors of several kinds
            shutil.rmtree(batch.folder, ignore_errors=True)
            self._refused(
                [unit for pack in packs for unit in pack],
                (str(error).strip().splitlines() or [type(error).__name__])[-1],
            )
            return
        self.submitted = True
        for index, (pack, job) in enumerate(zip(packs, jobs, strict=True)):
            self.places |= {unit.key: _Place(batch, index, job.job_id) for unit in pack}

    def _refused(self, units: Sequence[Unit], said: str) -> None:
        passing = TEMPORARY.search(said) is not None
        if not passing and not self.submitted:
            raise InputError("sbatch refuses these tasks", field="engine", found=said, hint="See --engine-setting")
        fault = Fault("passing" if passing else "lasting", f"sbatch refused it: {said}")
        for unit in units:
            self.schedule.fail(unit.key, fault, time.monotonic())

    def _look(self) -> None:
        """Ask the queue once for all; what it does not say anything of has left it."""
        if not self.places:
            return
        tasks = self.queue.tasks(PREFIX)
        if tasks is None:
            return
        found = {(task.name, task.number): task for task in tasks}
        now = time.monotonic()
        for place in self.places.values():
            task = found.get((place.batch.name, place.index))
            place.task = task or place.task
            if task is not None and not task.over:
                place.gone = None
            elif place.gone is None:
                place.gone = now
        running = {
            key: place.task
            for key, place in self.places.items()
            if place.task and place.gone is None and not place.task.waits
        }
        self.engine.nodes = {key: task.node for key, task in running.items()}
        self.engine.tasks = len({task.job for task in running.values()}) or None if self.engine.most > 1 else None

    def _settle(self, key: str) -> dict[str, Any] | None:
        """The document of a unit that has ended well; a fault goes to the schedule."""
        place, now = self.places[key], time.monotonic()
        answer = place.batch.read(key)
        if answer is None and (place.gone is None or now - place.gone < self.asked.settles):
            return None
        if answer is None and place.company is None:
            self._count(place)
        del self.places[key]
        if not any(other.batch is place.batch for other in self.places.values()) and answer and "document" in answer:
            shutil.rmtree(place.batch.folder, ignore_errors=True)
        if answer and "document" in answer:
            self.schedule.end(key)
            return dict(answer["document"])
        fault = Fault(**answer["fault"]) if answer else self._lost(place)
        self.schedule.fail(key, fault, now)
        return None

    def _count(self, gone: _Place) -> None:
        """Note of a task that has gone how many units it had, before the first of them is tried again."""
        same = {
            key: place for key, place in self.places.items() if (place.batch, place.index) == (gone.batch, gone.index)
        }
        left = [place for key, place in same.items() if place.batch.read(key) is None]
        for place in left:
            place.company = len(left)

    @staticmethod
    def _lost(place: _Place) -> Fault:
        task = place.task
        state = task.state if task and task.over else "gone"
        said = place.batch.log(place.job)
        reason = f"Slurm's task {place.job} left no answer: {state}" + (
            f" on {task.node}" if task and task.node else ""
        )
        reason += f" ({task.reason})" if task and task.reason not in ("", "None") else ""
        reason += f"; its last line: {said}" if said else ""
        if (place.company or 1) > 1:
            return Fault("beside", reason)
        return Fault("lost" if state in LOST else "passing", reason)


@contextmanager
def _folder(workspace: Path) -> Iterator[tuple[Path, bool]]:
    """The engine's folder, and whether this head is alone; another one works beside it in a folder of its own."""
    own = workspace.resolve() / "slurm"
    with disk_errors(own):
        own.mkdir(parents=True, exist_ok=True)
        handle = os.open(own / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        beside = Path(tempfile.mkdtemp(prefix="slurm-", dir=own.parent))
        yield beside, False
        shutil.rmtree(beside, ignore_errors=True)
    else:
        yield own, True
    finally:
        os.close(handle)
