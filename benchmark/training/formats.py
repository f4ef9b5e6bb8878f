"""Which memory format trains a network faster on this device, by the time of a few steps in each.

Channels last is the usual one: the library's kernels and those of the harness are made for it. Networks of wide, plain
convolutions can be faster contiguous. A network that is built for the probe is thrown away with its process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path

import torch
from torch import nn

from benchmark.job import FORMATS, ROUNDS, Formats, MemoryFormat, Pace, Probe
from benchmark.submission import ModelSpec
from benchmark.training.environment import make_deterministic
from benchmark.training.model import build
from benchmark.training.predict import MEMORY_FORMATS, Normaliser
from benchmark.training.step import WARM, Images, steps_of

RECORDED = WARM + 5
"""Steps of an epoch on a GPU: those before the recording, and some that are replayed."""


def seconds_of(asked: Probe, model: nn.Module, device: torch.device, memory_format: MemoryFormat) -> float:
    """Seconds of one step of training, the mean of an epoch of few, after one of warming up.

    Args:
        asked: the recipe, the size of the images, and whose model.
        model: on the device; its weights and their memory format are changed.
        device: where it is.
        memory_format: to train in.
    """
    spec, recipe = ModelSpec.model_validate(asked.model), asked.recipe
    steps, plain = (RECORDED if device.type == "cuda" else 1), spec.timm is not None
    model.to(memory_format=MEMORY_FORMATS[memory_format]).train()
    count = steps * recipe.batch_size
    pixels = torch.randint(0, 256, (count, asked.image_size, asked.image_size), dtype=torch.uint8)
    images = Images(pixels.to(device), (torch.arange(count) % asked.classes).to(device))
    normalise = Normaliser(spec.mean, spec.std, device, memory_format)
    made = steps_of(model, images, recipe, normalise, 0, 2, plain and device.type == "cuda", plain)
    rows = torch.arange(count, device=device).view(steps, recipe.batch_size)
    for _ in range(2):
        _wait_for(device)
        started = time.perf_counter()
        for _ in made.epoch(rows, [recipe.lr] * steps):
            pass
        _wait_for(device)
        passed = time.perf_counter() - started
    return passed / steps


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_while(seconds: Callable[[MemoryFormat], float]) -> Generator[None, None, Formats]:
    """Time both formats in turn, until contiguous was not faster in a round, or all rounds are done.

    Args:
        seconds: of one step in a format.

    Yields:
        After every round.

    Returns:
        What was seen.
    """
    rounds: list[Pace] = []
    while len(rounds) < ROUNDS and all(one.open for one in rounds):
        rounds.append(Pace(channels_last=seconds("channels-last"), contiguous=seconds("contiguous")))
        yield
    return Formats(rounds=tuple(rounds))


def probe_while(asked: Probe, inputs: Path, output: Path, device: torch.device) -> Generator[None, None, None]:
    """Do a probe, and write `formats.json`.

    Args:
        asked: what to measure.
        inputs: the inputs folder.
        output: an empty folder.
        device: where to train.

    Raises:
        InputError: when the submission's model is not usable.
    """
    make_deterministic(0, asked.threads)
    model = build(asked.model, inputs / "code", num_classes=asked.classes, in_chans=3, img_size=asked.image_size)
    model.to(device)
    found = yield from measure_while(lambda form: seconds_of(asked, model, device, form))
    (output / FORMATS).write_text(found.model_dump_json())
