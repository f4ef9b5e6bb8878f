"""Who hands units out: named engines behind one small interface.

An engine knows units and their parents, and a function that runs one; nothing of training,
sandboxes or the ledger. An engine is imported when it is chosen, and its package with it.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import NamedTuple

from benchmark.engine.base import Engine, Execute, Options
from benchmark.engine.local import LocalEngine
from benchmark.errors import InputError


class Entry(NamedTuple):
    """Where an engine is: its module and class, and the package and extra that it needs."""

    module: str
    kind: str
    package: str | None = None


ENGINES: dict[str, Entry] = {
    "local": Entry("benchmark.engine.local", "LocalEngine"),
    "ray": Entry("benchmark.engine.ray", "RayEngine", "ray"),
    "slurm": Entry("benchmark.engine.slurm", "SlurmEngine", "submitit"),
}
"""Every engine by name. The extra of an engine has the engine's name."""


def load(name: str) -> type[Engine]:
    """An engine's class.

    Raises:
        InputError: when there is no such engine, or what it needs is not installed.
    """
    if name not in ENGINES:
        raise InputError("no such engine", field="engine", found=name, allowed=tuple(ENGINES))
    entry = ENGINES[name]
    if entry.package is not None and find_spec(entry.package) is None:
        hint = f"Run: pip install 'karyobench[{name}]'"
        raise InputError(f"this engine needs the package {entry.package}", field="engine", found=name, hint=hint)
    found: type[Engine] = getattr(importlib.import_module(entry.module), entry.kind)
    return found


__all__ = ["ENGINES", "Engine", "Entry", "Execute", "LocalEngine", "Options", "load"]
