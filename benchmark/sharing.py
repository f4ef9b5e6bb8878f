"""Which units of a run may share a process, and how many of them do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmark.engine import Engine, Options
from benchmark.errors import InputError
from benchmark.plan import Unit
from benchmark.sandbox import Sandbox
from benchmark.submission import Submission


def settled(
    kind: type[Engine],
    options: Options,
    units: Sequence[Unit],
    submissions: Sequence[Submission],
    sandbox: Sandbox,
    device: str,
) -> Options:
    """The same options, with the submissions whose units get a process each, and the size of a pack of the others.

    Args:
        kind: of the engine.
        options: what was asked for.
        units: of the run.
        submissions: of these units, and perhaps others.
        sandbox: where units run.
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputError: see `pack`.
    """
    wanted = {unit.submission for unit in units}
    apart = {one.name for one in submissions if one.name in wanted and not sandbox.shares(device, bool(one.code))}
    return replace(options, apart=frozenset(apart), pack=pack(kind, options, wanted != apart))


def pack(kind: type[Engine], options: Options, able: bool) -> int:
    """Units of one process: as many as were asked for, else as the engine says; one where a GPU is shared by parts.

    Args:
        kind: of the engine.
        options: what was asked for.
        able: whether any unit can share a process.

    Raises:
        InputError: when several were asked for and none can, or the engine has no packs.
    """
    if options.pack is None:
        return kind.pack if able and options.gpus in (0.0, 1.0) else 1
    if kind.pack == 1:
        hint = "Units take turns by themselves on a GPU; --jobs says how many"
        raise InputError(f"the engine {kind.name} makes no packs", field="--pack", found=options.pack, hint=hint)
    if options.pack > 1 and not able:
        raise InputError(
            "none of these units can share a process", field="--pack", found=options.pack, allowed="1",
            hint="Plain timm networks can, on a GPU, in the process sandbox",
        )  # fmt: skip
    return options.pack
