"""Random generators of one unit where several take turns in a process: each goes on as if it were alone.

A network draws its dropout from the process's generators. They are exchanged around every piece of a unit's work. On
a GPU the state is an object that recorded steps refer to, so the object itself is exchanged, not a copy of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class Chance:
    """The generators of Python, numpy and torch as one unit left them; at first as they are.

    Args:
        device: the unit's.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._host = _host()
        self._gpu = torch.Generator(device).graphsafe_get_state() if device.type == "cuda" else None

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Within it the process's generators are this unit's; afterwards again those from before."""
        before = _host()
        _set_host(self._host)
        shared = _default_of(self._device) if self._gpu is not None else None
        if shared is not None:
            others = shared.graphsafe_get_state()
            shared.graphsafe_set_state(self._gpu)
        try:
            yield
        finally:
            self._host = _host()
            _set_host(before)
            if shared is not None:
                shared.graphsafe_set_state(others)


def _default_of(device: torch.device) -> Any:
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[index]


def _host() -> tuple[Any, ...]:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()


def _set_host(state: tuple[Any, ...]) -> None:
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])
    random.setstate(state[2])
