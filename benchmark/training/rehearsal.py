"""A rehearsal: the model is built, sent through one batch forward and backward, and looked at. Nothing is trained.

Runs where a unit runs, inside the sandbox. What it forbids (processes, connections) it forbids to tell an author
early and in plain words; against hostile code stands the sandbox, not this.
"""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import sys
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from benchmark.errors import InputError
from benchmark.job import FINDINGS, Findings, Rehearsal, Start
from benchmark.submission import ModelSpec
from benchmark.training.environment import make_deterministic
from benchmark.training.loop import train
from benchmark.training.model import build, check_answer, guarded
from benchmark.training.predict import Normaliser
from benchmark.training.step import Images
from benchmark.training.weights import Loaded, load_imagenet

FORBIDDEN = {
    "os.fork": "start processes", "os.forkpty": "start processes", "os.posix_spawn": "start processes",
    "os.system": "start processes", "os.exec": "start processes", "subprocess.Popen": "start processes",
    "socket.connect": "use a network", "socket.getaddrinfo": "use a network", "socket.bind": "use a network",
}  # fmt: skip
"""Events of Python's audit (PEP 578), and what a model may not do."""

STEPS = 2
MAX_PRINTED = 200


class Pass(NamedTuple):
    """What one build and one pass forward and backward showed.

    Attributes:
        network: the model, with its gradients.
        loaded: what was taken from a file of weights.
        seconds: of the pass, without building.
        digest: hash of logits and gradients; equal for equal seeds where all is deterministic.
        initial: hash of the weights as they were built.
        held: bytes that were kept for the backward pass, but for the weights.
        untouched: parameters that got no gradient.
    """

    network: nn.Module
    loaded: Loaded | None
    seconds: float
    digest: str
    initial: str
    held: int
    untouched: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.network.parameters() if parameter.requires_grad)


def rehearse(
    model: ModelSpec,
    folder: Path | None,
    *,
    img_size: int,
    classes: int = 24,
    batch: int = 4,
    seed: int = 0,
    weights: tuple[Path, Start] | None = None,
) -> Pass:
    """Build, and train on one batch of noise without a step of the optimiser, deterministically.

    Args:
        model: the `model` part of a submission.
        folder: its folder.
        img_size: side of the images, in pixels.
        classes: of the answer.
        batch: how many images.
        seed: of the initial weights and of the noise.
        weights: a file to load first, and how.

    Raises:
        InputError: when the model cannot be built or trained, has no deterministic form, or changes what it
            shares with the harness.
    """
    name = model.timm or str(model.factory)
    before = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            torch.use_deterministic_algorithms(True)
            found = shared_state()
            network = build(model, folder, num_classes=classes, img_size=img_size).train()
            loaded, initial = None, _hash(network.state_dict().values())
            if weights is not None:
                path, start = weights
                loaded = load_imagenet(network, path, start.layout, start.classifier)
            images, labels = torch.randn(batch, 3, img_size, img_size), torch.arange(batch) % classes
            held, started = _Held(network), time.perf_counter()
            with held:
                answer = guarded(f"the model {name} fails in training mode", lambda: network(images))
            check_answer(answer, name, (batch, classes))
            loss = nn.functional.cross_entropy(answer, labels)
            guarded(f"the model {name} fails in the backward pass", loss.backward)
            seconds = time.perf_counter() - started
            _compare(found, shared_state(), name)
        finally:
            torch.use_deterministic_algorithms(before)
    trained = [(key, parameter) for key, parameter in network.named_parameters() if parameter.requires_grad]
    untouched = tuple(key for key, parameter in trained if parameter.grad is None)
    gradients = [parameter.grad for _, parameter in trained if parameter.grad is not None]
    if any(not bool(torch.isfinite(gradient).all()) for gradient in gradients):
        raise InputError(f"the model {name} has gradients that are not finite", field="model")
    digest = _hash([answer.detach(), *gradients])
    return Pass(network, loaded, seconds, digest, initial, held.bytes, untouched)


def _hash(tensors: Iterable[torch.Tensor]) -> str:
    state = hashlib.sha256()
    for tensor in tensors:
        state.update(tensor.detach().contiguous().numpy().tobytes())
    return state.hexdigest()


class _Held(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that are kept for the backward pass, each memory once and without the model's own tensors."""

    def __init__(self, network: nn.Module) -> None:
        self.bytes = 0
        self.seen = {tensor.untyped_storage().data_ptr() for tensor in network.state_dict().values()}
        super().__init__(self._keep, lambda tensor: tensor)

    def _keep(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.seen:
            self.seen.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor


def shared_state() -> dict[str, Any]:
    """What a model shares with everything else in its process, by name."""
    return {
        "torch's default type": torch.get_default_dtype(),
        "torch's default device": torch.get_default_device(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "whether gradients are computed": torch.is_grad_enabled(),
        "the variables of the environment": dict(os.environ),
        "the working folder": os.getcwd(),
        "Python's search path": tuple(sys.path),
    }


def _compare(before: dict[str, Any], after: dict[str, Any], name: str) -> None:
    for what, value in before.items():
        if after[what] != value:
            found = None if isinstance(value, dict | tuple) else str(after[what])
            allowed = None if found is None else str(value)
            raise InputError(f"the model {name} changes {what}", field="model", found=found, allowed=allowed)


def multiply_adds(network: nn.Module, img_size: int) -> int | None:
    """Multiply-adds of one image forward: half the floating-point operations that torch's counter sees.

    It counts convolutions and matrix products; attention is done by these while it counts, for it does not know the
    fused kernels of a processor. None where it cannot count the network.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    modes = [(module, module.training) for module in network.modules()]
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            network.eval()(torch.zeros(1, 3, img_size, img_size))
    except Exception:  # the counter's own hooks do not fit every network, and the figure is only for people
        return None
    finally:
        for module, mode in modes:
            module.training = mode
    return int(counter.get_total_flops()) // 2


def pace(asked: Rehearsal, folder: Path) -> float:
    """Seconds a training image of one epoch of two steps, after an epoch of warming up."""
    assert asked.pace is not None
    spec = ModelSpec.model_validate(asked.model)
    model = build(spec, folder, num_classes=asked.classes, img_size=asked.image_size)
    count, side = STEPS * asked.pace.batch_size, asked.image_size
    pixels = torch.randint(0, 256, (count, side, side), dtype=torch.uint8)
    images = Images(pixels, torch.arange(count) % asked.classes)
    lines: list[dict[str, Any]] = []
    normalise = Normaliser(spec.mean, spec.std, torch.device("cpu"))
    few = Images(pixels[:2], images.labels[:2])
    train(model, images, few, asked.pace, 2, asked.seed, normalise, lines.append)
    return float(lines[-1]["seconds"]) / count


def rehearse_while(asked: Rehearsal, inputs: Path, output: Path) -> Generator[None, None, None]:
    """Do a rehearsal in this process, which is the worker's own, and write `findings.json`.

    Args:
        asked: what to do.
        inputs: the inputs folder.
        output: the output folder.

    Raises:
        InputError: when the model is not usable.
    """
    make_deterministic(asked.seed, asked.threads)
    code, spec = inputs / "code", ModelSpec.model_validate(asked.model)
    if spec.factory is not None:
        forbid()
    limit_memory(asked.memory)
    weights = None if asked.start.file is None else (inputs / asked.start.file, asked.start)
    options: dict[str, Any] = {
        "img_size": asked.image_size, "classes": asked.classes, "batch": asked.batch, "seed": asked.seed,
        "weights": weights,
    }  # fmt: skip
    first = rehearse(spec, code, **options)
    yield
    repeats = rehearse(spec, code, **options).digest == first.digest
    yield
    torch.manual_seed(asked.seed + 1)
    other = build(spec, code, num_classes=asked.classes, img_size=asked.image_size)
    seeded = _hash(other.state_dict().values()) != first.initial
    yield
    counted = multiply_adds(first.network, asked.image_size)
    rate = None if asked.pace is None else pace(asked, code)
    loaded = first.loaded
    findings = Findings(
        parameters=first.parameters, multiply_adds=counted, held=first.held // asked.batch, seconds=first.seconds,
        digest=first.digest, seeded=seeded, repeats=repeats, untouched=first.untouched,
        matched=loaded and loaded.matched, dropped=loaded.dropped if loaded else (), seconds_an_image=rate,
        printed=printed(output), network=any(name != "lo" for _, name in socket.if_nameindex()),
    )  # fmt: skip
    (output / FINDINGS).write_text(findings.model_dump_json())


def forbid() -> None:
    """Have this process refuse, from now on, to start others or to use a network. There is no way back."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in FORBIDDEN:
            raise PermissionError(f"a model may not {FORBIDDEN[event]} ({event})")

    sys.addaudithook(refuse)


def limit_memory(most: int) -> None:
    """Let this process take no more private memory than so many bytes, on top of what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    limit = pages * resource.getpagesize() + most
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def printed(output: Path) -> str:
    """The first line that this process printed, where its sandbox keeps that beside the output."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        with (output / "worker.log").open("rb") as file:
            return (file.read(4 * MAX_PRINTED).decode("utf-8", "replace").splitlines() or [""])[0][:MAX_PRINTED]
    except OSError:
        return ""
