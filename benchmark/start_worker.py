"""Starts workers that end with their harness, also when that is killed while torch is still being imported.

Hence a module of its own that imports nothing heavy before it has asked the kernel. With two
folders as arguments it runs one unit and exits. Without, it is a *host*: it imports what a unit needs
once, and forks a child for every unit that it is given, so that no unit waits for imports, none sees
what another left in memory, and those that run at once share the memory of the imports. One line in, two
lines out a unit, which the requests number::

    {"unit": 1, "inputs": ..., "output": ...}
    {"unit": 1, "pid": 4711}
    {"unit": 1, "status": 0, "peak_bytes": 1234567, "cpu_seconds": 1.5}         status as of wait(2)
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

PARENT = "KARYOBENCH_HARNESS"
"""Variable that names the harness's process; a worker that finds another parent has lost it already."""

CLOSED = "KARYOBENCH_CLOSED"
"""Variable that asks for workers without a network."""

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Of Linux' prctl(2)."""

PATIENCE = 5.0
"""Seconds for ending what workers left behind."""

MACHINE_FAILED = 11
"""As `benchmark.job` has it, which imports more than this module may."""

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""Of Linux' unshare(2)."""


def die_with_parent(parent: str | None = None) -> None:
    """Ask the kernel to end this process with its parent; exit when that has ended before.

    Does nothing where the system has no prctl, or where no parent is named.

    Args:
        parent: its process number; default: the harness's.
    """
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    wanted = parent or os.environ.get(PARENT)
    if wanted and str(os.getppid()) != wanted:
        os._exit(1)


def leave_network() -> bool:
    """Move this process where there is no network but an idle loopback; says whether the kernel allowed that."""
    try:
        unshare = ctypes.CDLL(None).unshare
    except (OSError, AttributeError):
        return False
    return any(unshare(spaces) == 0 for spaces in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET))


def adopt_orphans() -> None:
    """Become the parent of whatever the children of this process leave behind, where the kernel knows how."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_children() -> None:
    """End every child of this process, and those that it inherits from them; gives up on what multiplies faster than that."""
    deadline = time.monotonic() + PATIENCE
    while (children := _children()) and time.monotonic() < deadline:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    """Of every thread of this process; none where the kernel does not list them."""
    found = ""
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += f" {listed.read_text()}"
    return [int(text) for text in found.split()]


def host(requests: int, answers: BinaryIO) -> None:
    """Run every unit that is asked for at once, each in a fork of this process, until there are no more requests.

    Args:
        requests: descriptor that is read; a line a unit.
        answers: two lines a unit.
    """
    from benchmark.training import worker

    def tell(answer: dict[str, float]) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    def run(inputs: str, output: str) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become_worker(own, Path(output))
            code = worker.main([inputs, output])
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:  # the child must never come back into the host's loop
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code & 0xFF)

    own, ended, running, rest = str(os.getpid()), _ended_children(), dict[int, int](), b""
    adopt_orphans()
    while True:
        ready, _, _ = select.select([requests, ended], [], [])
        if ended in ready:
            os.read(ended, 1 << 12)
            reaped = [(running.pop(child), *how) for child, *how in _reaped(running)]
            if not running:  # while units run, nobody can say whose an orphan is
                end_children()
            for unit, status, usage in reaped:
                spent = round(usage.ru_utime + usage.ru_stime, 3)
                tell({"unit": unit, "status": status, "peak_bytes": usage.ru_maxrss * 1024, "cpu_seconds": spent})
        if requests in ready:
            read = os.read(requests, 1 << 16)
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                request = json.loads(line)
                _compile_for(Path(request["inputs"]))
                child = os.fork() or run(request["inputs"], request["output"])
                running[child] = request["unit"]
                tell({"unit": request["unit"], "pid": child})


def _compile_for(inputs: Path) -> None:
    """What a unit on a processor compiles, here once instead of in every fork; what goes wrong is for the unit to say."""
    from benchmark.training.kernels import loops

    with contextlib.suppress(Exception):
        asked = next(path for name in ("job.json", "probe.json") if (path := inputs / name).is_file())
        if json.loads(asked.read_text())["device"] == "cpu":
            loops()


def _ended_children() -> int:
    """A descriptor that can be read when a child has ended."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return ended


def _reaped(running: dict[int, int]) -> list[tuple[int, int, Any]]:
    """Children that have ended: number, status as of wait(2), what they used as of getrusage(2)."""
    found = []
    for child in running:
        number, status, usage = os.wait4(child, os.WNOHANG)
        if number:
            found.append((number, status, usage))
    return found


def _become_worker(parent: str, output: Path) -> None:
    """A session of its own, in the unit's output folder, with nothing of the host's pipes."""
    die_with_parent(parent)
    os.setsid()
    log = os.open(output / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, 256)
    os.chdir(output)
    if os.environ.get(CLOSED):
        leave_network()


if __name__ == "__main__":
    die_with_parent()
    if len(sys.argv) == 1:
        channel = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # whatever is printed while importing must not be taken for an answer
        host(0, channel)
        sys.exit(0)
    try:
        from benchmark.training.worker import main
    except Exception:  # an image without what every unit needs: no unit's fault
        traceback.print_exc()
        sys.exit(MACHINE_FAILED)
    sys.exit(main(sys.argv[1:]))
