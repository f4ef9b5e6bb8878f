"""Where the code of a submission under check runs: in the container where there is one, else in a closed process."""

from __future__ import annotations

from typing import NamedTuple

from benchmark.errors import InputError, KaryoError
from benchmark.sandbox import SANDBOXES, ProcessSandbox, Sandbox

ALONE = (
    "its code runs as a process of yours, without a network where the kernel allows that: fine for your own code. "
    "CI runs it in the container"
)


class Place(NamedTuple):
    """A sandbox that is ready, and what must be said of it."""

    sandbox: Sandbox
    warning: str | None = None


def choose(wanted: str = "auto") -> Place:
    """A sandbox for a check.

    Args:
        wanted: name of a backend; `auto` takes `docker` where a daemon has the harness image, else `process`.

    Raises:
        InputError: for an unknown name, or no image for a backend that was asked for.
        InfrastructureError: when a backend that was asked for does not answer.
    """
    if wanted == "process":
        return Place(ProcessSandbox(closed=True), ALONE)
    if wanted != "auto" and wanted not in SANDBOXES:
        raise InputError("no such sandbox", field="sandbox", found=wanted, allowed=("auto", *SANDBOXES))
    sandbox = SANDBOXES["docker" if wanted == "auto" else wanted]()
    try:
        sandbox.prepare()
    except KaryoError as error:
        if wanted != "auto":
            raise
        return Place(ProcessSandbox(closed=True), f"no container ({str(error).rstrip('.')}): {ALONE}")
    return Place(sandbox)
