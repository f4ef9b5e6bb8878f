"""Where a unit's code may run: named backends behind one small interface.

`inputs` writes what the code is given, `outputs` reads what it left, `process` runs it as a child
of this process, `docker` in a container of an `image`. Backends know folders and limits; no labels
of the test part, no scores.
"""

from benchmark.sandbox.base import Limits, Outcome, Sandbox
from benchmark.sandbox.docker import DockerSandbox
from benchmark.sandbox.process import ProcessSandbox

SANDBOXES: dict[str, type[Sandbox]] = {"process": ProcessSandbox, "docker": DockerSandbox}
"""Every backend by name."""

__all__ = ["SANDBOXES", "DockerSandbox", "Limits", "Outcome", "ProcessSandbox", "Sandbox"]
