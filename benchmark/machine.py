"""The names of this machine's processor and GPUs, as the system gives them; without torch."""

from __future__ import annotations

import platform
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's driver on Linux describes every GPU."""


def cpu_name() -> str:
    """The processor's name."""
    return _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()


def gpu_names(driver: Path = DRIVER) -> list[str]:
    """Names of the GPUs, sorted, each as often as it is there; empty where the driver does not tell."""
    return sorted(filter(None, (_field(path, "Model") for path in driver.glob("*/information"))))


def _field(path: Path, name: str) -> str:
    """The first value of that name in a file of lines `name: value`; empty where there is none."""
    try:
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return ""
