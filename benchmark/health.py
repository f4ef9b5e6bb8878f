"""What `karyobench doctor` finds: one line a thing, with what to do about it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from benchmark import __version__, resources
from benchmark.data.store import Store
from benchmark.errors import KaryoError
from benchmark.ledger import Ledger
from benchmark.pretrained import WeightsUnavailable, locate
from benchmark.submission import load

MEMORY_NEEDED = 4 * 1024**3
DISK_NEEDED = 5 * 1024**3


class Finding(NamedTuple):
    """One thing: `ok`, `optional` (not here, some uses need it) or `missing` (every run needs it)."""

    state: Literal["ok", "optional", "missing"]
    what: str
    found: str
    advice: str = ""


def check(workspace: Path) -> list[Finding]:
    """Everything, in the order in which it matters."""
    return [
        *_versions(),
        *_device(),
        _memory(),
        _disk(workspace),
        *_docker(),
        *_weights(),
        *_data(workspace),
        _ledger(workspace),
    ]


def _versions() -> Iterator[Finding]:
    yield Finding(
        "ok",
        "karyobench",
        f"{__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )
    for name in ("torch", "timm", "numpy", "scipy", "huggingface-hub"):
        try:
            yield Finding("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("missing", name, "not installed", f"{Path(sys.executable).name} -m pip install {name}")


def _device() -> Iterator[Finding]:
    try:
        import torch
    except ImportError:
        return
    from benchmark.crew import processors
    from benchmark.machine import cpu_name

    yield Finding("ok", "processor", f"{processors()} × {cpu_name()}")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            yield Finding("ok", f"GPU {number}", torch.cuda.get_device_name(number))
    else:
        yield Finding("optional", "GPU", "none that this torch can use", "smoke and pocket need none; paper wants one")


def _memory() -> Finding:
    from benchmark.campaign import free_memory

    free = free_memory()
    state: Literal["ok", "optional"] = "ok" if free >= MEMORY_NEEDED else "optional"
    return Finding(
        state, "memory", f"{free / 1024**3:.1f} GiB free", "" if state == "ok" else "close something: 4 GiB are enough"
    )


def _disk(workspace: Path) -> Finding:
    there = next(path for path in (workspace.resolve(), *workspace.resolve().parents) if path.exists())
    free = shutil.disk_usage(there).free
    state: Literal["ok", "optional"] = "ok" if free >= DISK_NEEDED else "optional"
    return Finding(
        state,
        "disk",
        f"{free / 1024**3:.0f} GiB free for {workspace}",
        "" if state == "ok" else "a full pocket run wants about 5 GiB",
    )


def _docker() -> Iterator[Finding]:
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        yield Finding("optional", "docker", "the SDK is not installed", "pip install docker")
        return
    try:
        client = docker.from_env(timeout=5)
        version = client.version()["Version"]
        client.close()
    except (DockerException, OSError) as error:
        yield Finding(
            "optional",
            "docker",
            f"no daemon answers ({type(error).__name__})",
            "only other people's code needs it: start docker",
        )
        return
    yield Finding("ok", "docker", f"daemon {version}")
    from benchmark.sandbox.image import find

    try:
        built = find()
        yield Finding("ok", "docker image", f"{built.tag}, {built.id[:19]}…, on {built.base}")
    except KaryoError as error:
        yield Finding("optional", "docker image", str(error), "only other people's code needs it")


def _weights() -> Iterator[Finding]:
    for name in resources.names("submissions", "submission.yaml"):
        weights = load(name).spec.weights
        if weights is None:
            yield Finding("ok", f"weights of {name}", "names none: scratch only")
            continue
        try:
            located = locate(weights, offline=True)
            yield Finding("ok", f"weights of {name}", f"{located.reference}, sha256 {located.sha256[:12]}…")
        except WeightsUnavailable as error:
            yield Finding("optional", f"weights of {name}", "not on this machine", str(error))


def _data(workspace: Path) -> Iterator[Finding]:
    store = Store(workspace)
    for name in store.names():
        if store.has(name):
            yield Finding("ok", f"dataset {name}", f"{len(store.open(name).manifest)} images")
        else:
            command = f"karyobench data {'import' if store.card(name).simulated else 'fetch'} {name}"
            yield Finding("optional", f"dataset {name}", "not imported", command)


def _ledger(workspace: Path) -> Finding:
    ledger = Ledger(workspace / "ledger")
    findings = ledger.verify(rescore=False)
    if findings:
        return Finding(
            "optional", "ledger", f"line {findings[0].line}: {findings[0].problem}", "karyobench ledger verify"
        )
    return Finding("ok", "ledger", f"{len(ledger.records())} records")
