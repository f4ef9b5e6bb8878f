"""Whose a container is: it belongs to the harness process that started it, and goes when that is gone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

OWNER = "org.karyobench.owner"
"""Label of containers and volumes."""


def owner() -> str:
    """This process, so that it can be told from a later one of the same number: boot, number, start."""
    return f"{_boot()} {os.getpid()} {_started(os.getpid())}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _started(pid: int) -> str:
    """Start time of a process in clock ticks; empty when there is none, or one that has ended (a zombie, proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


def alive(label: str) -> bool:
    """Whether the process that a label names still runs. One of another machine is left alone."""
    boot, _, rest = label.partition(" ")
    pid, _, start = rest.partition(" ")
    if not pid.isdigit():
        return False
    return boot != _boot() or _started(int(pid)) == start


def reap(client: Any) -> int:
    """Remove containers and volumes whose harness is gone; returns how many containers."""
    from docker.errors import APIError

    found = [
        one
        for one in client.containers.list(all=True, ignore_removed=True, filters={"label": OWNER})
        if not alive(one.labels[OWNER])
    ]
    for container in found:
        with contextlib.suppress(APIError):
            container.remove(force=True, v=True)
    for volume in client.volumes.list(filters={"label": OWNER}):
        if not alive((volume.attrs.get("Labels") or {}).get(OWNER, "")):
            with contextlib.suppress(APIError):
                volume.remove(force=True)
    return len(found)
