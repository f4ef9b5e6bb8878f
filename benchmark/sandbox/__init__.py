"""Where a unit's code may run: named backends behind one small interface.

`inputs` writes what the code is given, `outputs` reads what it left, `process` runs it as a child
of this process, `docker` in a container of an `image`, `apptainer` in one of an image file. Backends know folders and limits; no labels
of the test part, no scores.
"""

from benchmark.sandbox.apptainer import ApptainerSandbox
from benchmark.sandbox.base import Limits, Outcome, Sandbox
from benchmark.sandbox.docker import DockerSandbox
from benchmark.sandbox.process import ProcessSandbox

SANDBOXES: dict[str, type[Sandbox]] = {
    "process": ProcessSandbox,
    "docker": DockerSandbox,
    "apptainer": ApptainerSandbox,
}
"""Every backend by name."""

__all__ = ["SANDBOXES", "ApptainerSandbox", "DockerSandbox", "Limits", "Outcome", "ProcessSandbox", "Sandbox"]
