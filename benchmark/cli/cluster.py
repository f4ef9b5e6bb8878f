"""Options of a run on other machines, for the commands that start or follow one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.artefacts import Artefacts
    from benchmark.engine import Options

STORE = "artefacts"
"""Name of the store's folder in a workspace, where none is named."""

Engine = Annotated[str, typer.Option(help="Who hands out units: local, ray, slurm.")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="KARYOBENCH_STORE",
        help="Where nodes leave checkpoints and logits: a folder that all of them see, or s3://bucket/prefix. "
        "Default: the folder `artefacts` of the workspace.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster: host:port, or auto. Default: a Ray of its own on this machine's loopback."),
]
GpusPerUnit = Annotated[
    float | None,
    typer.Option(min=0.0, help="GPUs a unit or pack on a cluster, also a part of one. Default: 1 on cuda, else 0."),
]
Pack = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Units that take turns on a GPU in one process on a cluster: plain timm networks in the process sandbox, as many "
        "as its memory holds. Default: 16 with ray, 4 with slurm.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--engine-setting", metavar="NAME=VALUE", help="Repeatable. What only one engine knows."),
]


def artefacts(engine: str, store: str | None, workspace: Path) -> Artefacts | None:
    """The store of a run; None for an engine that needs none.

    Raises:
        InputError: for an unknown engine, or a store that is named for an engine without use for one.
    """
    from benchmark import engine as engines

    if not engines.load(engine).remote:
        return None
    from benchmark.artefacts import Artefacts

    return Artefacts(store or str((workspace / STORE).absolute()))


def device_of(engine: str, device: str, gpus: float | None) -> str:
    """The device of units: on a cluster `auto` is not what this machine has."""
    from benchmark import engine as engines
    from benchmark.campaign import default_device

    if device != "auto":
        return device
    if engines.load(engine).remote:
        return "cuda" if gpus else "cpu"
    return default_device()


def options(
    address: str | None,
    gpus: float | None,
    device: str,
    settings: Sequence[str] | None,
    folder: Path,
    pack: int | None = None,
) -> Options:
    """What an engine is told.

    Raises:
        InputError: for a setting without `=`, or GPUs for units that use none.
    """
    from benchmark.engine import Options

    given = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals:
            raise InputError("must be NAME=VALUE", field="--engine-setting", found=setting)
        given[name] = value
    if gpus is None:
        gpus = 0.0 if device == "cpu" else 1.0
    if device != "cpu" and not gpus:
        raise InputError("units on cuda need a GPU or a part of one", field="--gpus-per-unit", found=gpus)
    return Options(gpus=gpus, pack=pack, address=address, folder=folder, settings=given)
