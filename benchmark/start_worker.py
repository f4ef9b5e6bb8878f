"""Starts workers that end with their harness, also when that is killed while torch is still being imported.

Hence a module of its own that imports nothing heavy before it has asked the kernel. With two
folders as arguments it runs one unit and exits. Without, it is a *host*: it imports what a unit needs
once, and forks a child for every unit that it is given, so that no unit waits for imports and none sees
what another left in memory. One line in, two lines out a unit::

    {"inputs": ..., "output": ...}
    {"pid": 4711}
    {"status": 0, "peak_bytes": 1234567}         status as of wait(2)
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import BinaryIO

PARENT = "KARYOBENCH_HARNESS"
"""Variable that names the harness's process; a worker that finds another parent has lost it already."""

PR_SET_PDEATHSIG = 1
"""Of Linux' prctl(2)."""


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


def host(requests: BinaryIO, answers: BinaryIO) -> None:
    """Run one unit after the other, each in a fork of this process, until there are no more requests.

    Args:
        requests: a line a unit.
        answers: two lines a unit.
    """
    from benchmark.training import worker

    def tell(answer: dict[str, int]) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    own = str(os.getpid())
    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _become_worker(own, Path(request["output"]))
                code = worker.main([request["inputs"], request["output"]])
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else int(error.code is not None)
            except BaseException:  # the child must never come back into the host's loop
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code & 0xFF)
        tell({"pid": child})
        _, status, usage = os.wait4(child, 0)
        tell({"status": status, "peak_bytes": usage.ru_maxrss * 1024})


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


if __name__ == "__main__":
    die_with_parent()
    if len(sys.argv) == 1:
        channel = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # whatever is printed while importing must not be taken for an answer
        host(sys.stdin.buffer, channel)
        sys.exit(0)
    from benchmark.training.worker import main

    sys.exit(main(sys.argv[1:]))
