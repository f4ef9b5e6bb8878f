"""What a run asks of Slurm: settings that people give, checked, and as submitit takes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchmark.engine.base import Options
from benchmark.errors import InputError

T = TypeVar("T")

KNOWN: dict[str, str] = {
    "partition": "partition",
    "account": "account",
    "qos": "quality of service",
    "constraint": "features that a node must have",
    "nodelist": "nodes to use",
    "exclude": "nodes not to use",
    "gres": "generic resources of a task; default: gpu:N by the GPUs of a unit",
    "time": "minutes that a task may take; default: what the track allows its units, and 10 for what is around them",
    "memory": "of a task, as sbatch takes it: 4G",
    "array": "tasks of one array at most (default 500; no more than the cluster's MaxArraySize)",
    "pending": "tasks in the queue at most (default 2000)",
    "parallel": "tasks of one array that run at once (default: as many as fit)",
    "poll": "seconds between two looks at the queue (default 10)",
    "settles": "seconds after a task has gone in which its answer may yet appear in the shared folder (default 30)",
    "python": "command that starts Python on the nodes (default: this one)",
    "setup": "shell command before each task, such as: module load cuda",
    "sbatch": "further options of sbatch: key=value,key=value or a key alone",
}
"""Settings by name, each with what it is."""

PLAIN = ("partition", "account", "qos", "constraint", "nodelist", "exclude")
AROUND = 600.0
"""Seconds that a task may take besides what the track allows its unit."""


@dataclass(frozen=True)
class Asked:
    """Checked settings.

    Args:
        minutes: that a task may take.
        threads: processors of a task.
        gres: generic resources; None: none.
        memory: as sbatch takes it; None: the cluster's default.
        array: tasks of one array at most.
        pending: tasks in the queue at most.
        parallel: of one array at once.
        poll: seconds between two looks.
        settles: seconds that an answer may be late.
        python: command on the nodes.
        setup: shell command before a task.
        plain: what goes to sbatch as it is.
        further: likewise, of any name.
    """

    minutes: int
    threads: int
    gres: str | None
    memory: str | None
    array: int
    pending: int
    parallel: int | None
    poll: float
    settles: float
    python: str | None
    setup: str | None
    plain: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, str | bool] = field(default_factory=dict)

    def parameters(self, count: int) -> dict[str, Any]:
        """Of an array of so many tasks, for `submitit.SlurmExecutor`."""
        found: dict[str, Any] = {
            "time": self.minutes, "cpus_per_task": self.threads, "nodes": 1, "ntasks_per_node": 1,
            "array_parallelism": self.parallel or count, "signal_delay_s": 90,
            "additional_parameters": {"requeue": True, **self.further}, **self.plain,
        }  # fmt: skip
        optional = {"gres": self.gres, "mem": self.memory, "setup": [self.setup] if self.setup else None}
        return found | {name: value for name, value in optional.items() if value is not None}


def asked(options: Options, pack: int = 1) -> Asked:
    """Check what a run asks for.

    Args:
        options: of the run.
        pack: units of a task, which take turns and so take as many times as long.

    Raises:
        InputError: for a value that cannot be, GPUs that Slurm cannot share, or no time limit.
    """
    given = options.settings
    if options.gpus != int(options.gpus) and "gres" not in given:
        raise InputError(
            "Slurm gives whole GPUs", field="gpus-per-unit", found=options.gpus, allowed="1, 2, …",
            hint="Or give --engine-setting gres=shard:N where the cluster has shards",
        )  # fmt: skip
    minutes = _number(given, "time", int, 1, 0)
    if not minutes:
        if options.seconds is None:
            raise InputError("how long may a task take?", field="--engine-setting", allowed="time=MINUTES")
        minutes = math.ceil((options.seconds * pack + AROUND) / 60)
    memory = given.get("memory") or (f"{math.ceil(options.memory * pack / 2**20)}M" if options.memory else None)
    gres = given.get("gres") or (f"gpu:{int(options.gpus)}" if options.gpus else None)
    return Asked(
        minutes=minutes, threads=options.threads, gres=gres, memory=memory,
        array=_number(given, "array", int, 1, 500), pending=_number(given, "pending", int, 1, 2000),
        parallel=_number(given, "parallel", int, 1, 0) or None, poll=_number(given, "poll", float, 0.1, 10.0),
        settles=_number(given, "settles", float, 0.0, 30.0), python=given.get("python"), setup=given.get("setup"),
        plain={name: given[name] for name in PLAIN if name in given}, further=_further(given.get("sbatch", "")),
    )  # fmt: skip


def _number(given: Mapping[str, str], name: str, kind: Callable[[str], T], least: float, default: T) -> T:
    if name not in given:
        return default
    allowed = f"a {'whole ' if kind is int else ''}number, {least:g} or more"
    try:
        found = kind(given[name])
    except ValueError:
        raise InputError("not a number", field=f"--engine-setting {name}", found=given[name], allowed=allowed) from None
    if not float(found) >= least:  # type: ignore[arg-type]
        raise InputError("too small", field=f"--engine-setting {name}", found=given[name], allowed=allowed)
    return found


def _further(text: str) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        key, equals, value = part.removeprefix("--").partition("=")
        if not key.replace("-", "").isalnum() or (equals and not value):
            allowed = "key=value,key=value or a key alone"
            raise InputError("not options of sbatch", field="--engine-setting sbatch", found=part, allowed=allowed)
        found[key] = value if equals else True
    return found
