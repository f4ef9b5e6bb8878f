"""What a unit was trained with: versions, device, determinism."""

from __future__ import annotations

import os
import platform
import random
from typing import Any

import numpy as np
import timm
import torch
from torch import nn

from benchmark.errors import InputError
from benchmark.machine import cpu_name


def pick_device(wanted: str) -> torch.device:
    """The device to train on.

    Args:
        wanted: `cpu`, `cuda`, `cuda:N`.

    Raises:
        InputError: when a GPU is asked for and none is there: never a silent fallback.
    """
    device = torch.device(wanted)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise InputError(
                "no such GPU",
                field="device",
                found=wanted,
                allowed="cpu" if count == 0 else f"cuda:0 to cuda:{count - 1}, cpu",
            )
    return device


def make_deterministic(seed: int, threads: int) -> None:
    """Fix every source of chance; operations that cannot be fixed warn and are recorded."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # else every new tensor is filled first, which costs a sixth of the speed and fixes nothing here
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def describe(device: torch.device, nondeterministic: list[str], model: nn.Module) -> dict[str, Any]:
    """The environment, and how many parameters the network has, as plain data for `environment.json`."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "numpy": np.__version__,
        "cuda": torch.version.cuda if gpu else None,
        "device": gpu or cpu_name(),
        "device_type": device.type,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "platform": f"{platform.system()} {platform.machine()}",
        "peak_gpu_bytes": torch.cuda.max_memory_allocated(device) if gpu else None,
        "nondeterministic": nondeterministic,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
