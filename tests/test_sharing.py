"""Which units of a run may share a process."""

from pathlib import Path
from typing import Any

import pytest

from benchmark import sharing
from benchmark.engine import LocalEngine, Options
from benchmark.engine.ray import RayEngine
from benchmark.engine.slurm import SlurmEngine
from benchmark.errors import InputError
from benchmark.plan import Unit
from benchmark.remote.kit import Kit
from benchmark.remote.node import jobs
from benchmark.sandbox import DockerSandbox, ProcessSandbox, Sandbox
from benchmark.submission import Spec, Submission


def submission(name: str, code: int = 0) -> Submission:
    spec = {"name": name, "title": "T", "paper": "https://example.org", "license": "MIT", "model": {"timm": "resnet18"}}
    return Submission(Spec.model_validate(spec), Path(__file__).parent, tuple(Path(__file__) for _ in range(code)))


def unit(name: str) -> Unit:
    return Unit(name, name, "scratch", "d", 0, 0, 0, 1, 1, False, "random", None, (), None, None)


PLAIN, OWN, ABSENT = submission("plain"), submission("own", 1), submission("absent", 1)


def settled(kind: Any, sandbox: Sandbox, device: str, names: str = "plain own", **options: Any) -> Options:
    units = [unit(name) for name in names.split()]
    return sharing.settled(kind, Options(**options), units, [PLAIN, OWN, ABSENT], sandbox, device)


@pytest.mark.parametrize(("kind", "most"), [(RayEngine, 16), (SlurmEngine, 4), (LocalEngine, 1)])
def test_plain_networks_share_a_gpu_by_default_and_those_with_code_do_not(kind: Any, most: int) -> None:
    found = settled(kind, ProcessSandbox(), "cuda", gpus=1.0)
    assert (found.pack, found.apart) == (most, {"own"}) and found.gpus == 1.0


@pytest.mark.parametrize(
    ("sandbox", "device", "names", "gpus"),
    [
        (ProcessSandbox(), "cpu", "plain own", 0.0),
        (DockerSandbox(), "cuda", "plain", 1.0),
        (ProcessSandbox(), "cuda", "own", 1.0),
        (ProcessSandbox(), "cuda", "plain", 0.25),
        (ProcessSandbox(), "cuda", "plain", 2.0),
    ],
)
def test_elsewhere_each_unit_has_a_process(sandbox: Sandbox, device: str, names: str, gpus: float) -> None:
    assert settled(RayEngine, sandbox, device, names, gpus=gpus).pack == 1


def test_a_number_that_was_asked_for_counts_or_is_an_error() -> None:
    assert settled(RayEngine, ProcessSandbox(), "cuda", gpus=0.5, pack=3).pack == 3
    assert settled(SlurmEngine, ProcessSandbox(), "cuda", "own", pack=1).pack == 1
    with pytest.raises(InputError, match=r"--pack: none of these units can share a process; found 3; allowed: 1"):
        settled(RayEngine, ProcessSandbox(), "cpu", pack=3)
    with pytest.raises(InputError, match=r"--pack: the engine local makes no packs; found 3\. .*--jobs"):
        settled(LocalEngine, ProcessSandbox(), "cuda", pack=3)


@pytest.mark.parametrize(("pack", "share", "units"), [(4, 1.0, 4), (4, 0.5, 8), (4, 2.0, 4)])
def test_the_time_of_a_unit_is_for_all_that_share_its_device(pack: int, share: float, units: int) -> None:
    kit = Kit.model_construct(pack=pack, share=share, device="cuda", threads=1)
    assert jobs(kit) == units
