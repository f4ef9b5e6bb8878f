"""The `process` sandbox: a child process of this user, for one's own code on one's own machine.

It keeps apart what is measured (time, memory, exit) from what runs, ends everything the unit
started, and hands over only the agreed folders. It does not keep hostile code from reading files
of the same user: that is what the container is for.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from benchmark.sandbox.base import STOPPED, EpochReport, Limits, Outcome, Sandbox
from benchmark.sandbox.energy import joules_between, read_microjoules
from benchmark.sandbox.judge import judge, with_log
from benchmark.start_worker import PARENT

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
    """Runs the worker as a child process in its own session."""

    name = "process"

    def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        """See `Sandbox.run`."""
        inputs, output = inputs.resolve(), output.resolve()
        before, started = read_microjoules(), time.monotonic()
        with (output / "worker.log").open("wb") as log:
            try:
                child = subprocess.Popen(
                    [sys.executable, "-P", "-m", "benchmark.start_worker", str(inputs), str(output)],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    env=environment(limits),
                    cwd=output,
                    start_new_session=True,
                )
            except OSError as error:
                return Outcome("infrastructure", "start", f"cannot start the worker: {error}")
        try:
            status, peak, timed_out = _wait(
                child, output / "log.jsonl", started + limits.seconds, report, self.stopping
            )
        finally:
            _end_session(child)
        if self.stopping.is_set():
            return STOPPED
        seconds = time.monotonic() - started
        status_kind = _judge(status, timed_out, output, limits)
        return Outcome(
            *status_kind,
            seconds=round(seconds, 3),
            peak_bytes=peak,
            energy_joules=joules_between(before, read_microjoules()),
        )


def environment(limits: Limits) -> dict[str, str]:
    """The few variables a worker gets; threads fixed before any library starts."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [kept.pop("PYTHONPATH", "")])])
    return kept | variables(limits) | {"PYTHONPATH": path, PARENT: str(os.getpid())}


def variables(limits: Limits) -> dict[str, str]:
    """What every backend sets: decides the last bits of a result."""
    threads = str(limits.threads)
    return {
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "HF_HUB_OFFLINE": "1",
    }


def _wait(
    child: subprocess.Popen[bytes], log: Path, deadline: float, report: EpochReport, stopping: threading.Event
) -> tuple[int, int | None, bool]:
    """Wait for the child; returns its wait status, peak resident bytes, and whether it was too slow."""
    tail = _Tail(log, report)
    timed_out = False
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            tail.read()
            return child.returncode, usage.ru_maxrss * 1024, timed_out
        tail.read()
        if stopping.is_set():
            _kill(child.pid)
        elif time.monotonic() > deadline and not timed_out:
            timed_out = True
            _kill(child.pid)
        time.sleep(POLL)


class _Tail:
    """Follows the unit's log and passes on whole, well-formed lines."""

    def __init__(self, path: Path, report: EpochReport) -> None:
        self.path, self.report, self.position = path, report, 0
        self.file: IO[bytes] | None = None

    def read(self) -> None:
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


def _end_session(child: subprocess.Popen[bytes]) -> None:
    """End the child and everything it started in its session."""
    _kill(child.pid)
    if child.returncode is None:
        child.wait()


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
