"""The `process` sandbox: a process of this user, for one's own code on one's own machine.

It keeps apart what is measured (time, memory, exit) from what runs, ends everything the unit
started, and hands over only the agreed folders. It does not keep hostile code from reading files
of the same user: that is what the container is for.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import IO, Any

from benchmark.sandbox.base import STOPPED, EpochReport, Limits, Outcome, Sandbox
from benchmark.sandbox.energy import joules_between, read_microjoules
from benchmark.sandbox.hosts import Host, HostDiedError, Servers
from benchmark.sandbox.judge import judge, with_log
from benchmark.sandbox.trainers import Trainer
from benchmark.start_worker import CLOSED, PARENT

POLL = 0.1
KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)


class ProcessSandbox(Sandbox):
    """Runs every worker as a process of its own, in its own session, forked from a host that has imported all.

    On a GPU, units of networks that need no code of the submission take turns in one process, which fills the device.

    Args:
        share: whether they do so; default: on a GPU only.
        closed: whether units have no network, where the kernel allows that. Files of this user they can still read.
    """

    name = "process"

    def __init__(self, share: bool | None = None, closed: bool = False) -> None:
        super().__init__()
        self._hosts = Servers(Host, "benchmark.start_worker")
        self._trainers = Servers(Trainer, "benchmark.start_trainer")
        self._share, self._closed = share, closed

    def close(self) -> None:
        """See `Sandbox.close`."""
        self._hosts.close()
        self._trainers.close()

    def shares(self, device: str, code: bool) -> bool:
        """See `Sandbox.shares`."""
        return not code and (device.startswith("cuda") if self._share is None else self._share)

    def lease(self, gpu: str) -> str:
        """The only GPU that the process sees: its engine set CUDA_VISIBLE_DEVICES, which the worker gets too."""
        return "cuda"

    def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        """See `Sandbox.run`."""
        inputs, output = inputs.resolve(), output.resolve()
        code = inputs / "code"
        if self.shares(limits.device, code=not code.is_dir() or any(code.iterdir())):
            return self._take_turns(inputs, output, limits, report)
        return self._run_alone(inputs, output, limits, report)

    def _take_turns(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        """A unit among others; its time limit is for all that share the device."""
        trainer: Trainer | None = None
        try:
            trainer, number = self._trainers.start(environment(limits), inputs, output)
            tail, deadline = Tail(output / "log.jsonl", report), time.monotonic() + limits.seconds * self.jobs
            while (answer := trainer.poll(number, POLL)) is None:
                tail.read()
                if self.stopping.is_set():
                    trainer.end()
                    return STOPPED
                if time.monotonic() > deadline:
                    trainer.cancel(number)
                    return Outcome(*_judge(0, True, output, limits))
            tail.read()
            trainer.forget(number)
        except HostDiedError as error:
            if self.stopping.is_set():
                return STOPPED
            message, beside = f"the process that trains was ended: {error}".rstrip(": "), trainer.left if trainer else 0
            return Outcome("infrastructure", "killed", message, details={"beside": beside})
        return Outcome(
            *_judge(int(answer["status"]), False, output, limits),
            seconds=float(answer["seconds"]),
            peak_bytes=int(answer["peak_bytes"]),
            details={"beside": int(answer["beside"])},
        )

    def _run_alone(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        surroundings = environment(limits) | ({CLOSED: "1"} if self._closed else {})
        try:
            host, unit = self._hosts.start(surroundings, inputs, output)
        except HostDiedError as error:
            return Outcome("infrastructure", "start", f"cannot start the worker: {error}")
        before, started = read_microjoules(), time.monotonic()
        worker = host.workers[unit]
        try:
            answer, timed_out = _wait(host, unit, output / "log.jsonl", started + limits.seconds, report, self.stopping)
        except HostDiedError as error:
            return Outcome(
                "infrastructure", "killed", f"the worker's host was ended from outside: {error}".rstrip(": ")
            )
        finally:
            _kill(worker)
            host.forget(unit)
        if self.stopping.is_set():
            return STOPPED
        seconds = time.monotonic() - started
        code = os.waitstatus_to_exitcode(int(answer["status"]))
        return Outcome(
            *_judge(code, timed_out, output, limits),
            seconds=round(seconds, 3),
            peak_bytes=int(answer["peak_bytes"]),
            cpu_seconds=float(answer["cpu_seconds"]),
            energy_joules=joules_between(before, read_microjoules()),
        )


def environment(limits: Limits) -> dict[str, str]:
    """The few variables a worker gets; threads fixed before any library starts."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [kept.pop("PYTHONPATH", "")])])
    return kept | variables(limits) | {"PYTHONPATH": path, PARENT: str(os.getpid())}


def variables(limits: Limits) -> dict[str, str]:
    """What every backend sets: decides the last bits of a result, and that memory comes in huge pages where the system has them."""
    threads = str(limits.threads)
    return {
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "HF_HUB_OFFLINE": "1",
    }


def _wait(
    host: Host, unit: int, log: Path, deadline: float, report: EpochReport, stopping: threading.Event
) -> tuple[dict[str, Any], bool]:
    """Wait for a worker; returns what its host says of its end, and whether it was too slow."""
    tail, worker = Tail(log, report), host.workers[unit]
    timed_out = False
    while True:
        answer = host.poll(unit, POLL)
        tail.read()
        if answer:
            return answer, timed_out
        if stopping.is_set():
            _kill(worker)
        elif time.monotonic() > deadline:
            timed_out = True
            _kill(worker)


class Tail:
    """Follows the unit's log and passes on whole, well-formed lines."""

    def __init__(self, path: Path, report: EpochReport) -> None:
        self.path, self.report, self.position = path, report, 0
        self.file: IO[bytes] | None = None

    def read(self) -> None:
        """Pass on what is new and whole."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.position)
                data = file.read(1 << 20)
        except OSError:
            return
        whole = data.rfind(b"\n") + 1
        self.position += whole
        for line in data[:whole].splitlines():
            with contextlib.suppress(ValueError):
                entry: Any = json.loads(line)
                if isinstance(entry, dict):
                    self.report(entry)


def _kill(session: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)


def _judge(code: int, timed_out: bool, output: Path, limits: Limits) -> tuple[Any, str, str]:
    """Status, kind and message of an ended worker."""
    if timed_out:
        return "model-failure", "time-out", with_log(f"not done after {limits.seconds:.0f} s", output)
    if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT):
        name = signal.Signals(-code).name
        return (
            "infrastructure",
            "killed",
            f"the worker was ended from outside by {name} (out of memory on this machine?)",
        )
    return judge(code, output)
