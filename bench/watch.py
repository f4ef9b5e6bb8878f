"""Running a command while watching the memory that it and its children really take."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

STEP = 0.5


class Run(NamedTuple):
    """How a command went.

    Attributes:
        seconds: wall time from start to end of the process.
        peak_bytes: largest sum over its processes of proportional set sizes (shared pages count once).
        output: what it printed.
    """

    seconds: float
    peak_bytes: int
    output: str


def tree(root: int) -> set[int]:
    """A process and all that descend from it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
    found, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


def memory(root: int) -> int:
    """Bytes of proportional set size of a process and its descendants."""
    total = 0
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def run(command: list[str], environment: dict[str, str], cwd: Path | None = None) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: when it fails; with the last of what it printed.
    """
    started = time.perf_counter()
    peak = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=cwd, text=True
    ) as child:
        done = threading.Event()

        def look() -> None:
            nonlocal peak
            while not done.wait(STEP):
                peak = max(peak, memory(child.pid))

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        output = child.communicate()[0]
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} failed ({child.returncode}):\n{output[-3000:]}")
    return Run(seconds, peak, output)
