"""Starts a worker that ends with its harness, also when that is killed while torch is still being imported.

Hence a module of its own that imports nothing heavy before it has asked the kernel.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT = "KARYOBENCH_HARNESS"
"""Variable that names the harness's process; a worker that finds another parent has lost it already."""

PR_SET_PDEATHSIG = 1
"""Of Linux' prctl(2)."""


def die_with_parent() -> None:
    """Ask the kernel to end this process with the harness; exit when that has ended before.

    Does nothing where the system has no prctl, or where no harness is named.
    """
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    wanted = os.environ.get(PARENT)
    if wanted and str(os.getppid()) != wanted:
        sys.exit(1)


if __name__ == "__main__":
    die_with_parent()
    from benchmark.training.worker import main

    sys.exit(main(sys.argv[1:]))
