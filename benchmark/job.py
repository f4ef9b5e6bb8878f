"""What a unit's code is given and what it must leave behind: the border of the sandbox.

Both sides read this module; it knows no torch, no labels of the test part, and no path outside
the two folders.

Inputs folder (read-only for the unit)::

    job.json                the `Job`
    train.npy, train_labels.npy, validation.npy, validation_labels.npy
    test.npy                no labels, in a permuted order
    code/                   the submission's Python files, if any
    start.safetensors | start.pth     the weights it starts from, unless random

Output folder::

    logits.npy              float32 (test images, classes), in the order of test.npy
    model.safetensors       the trained weights
    log.jsonl               a line an epoch
    environment.json        versions and device
    failure.json            instead of the above, when the model failed

A *rehearsal* trains nothing: it builds the model and sends one batch through it. Its inputs are `rehearsal.json`
in place of `job.json`, code and weights; its output is `findings.json` or `failure.json`.

A *probe* times a few steps in each memory format. Its inputs are `probe.json` and code; its output is `formats.json` or
`failure.json`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from benchmark.files import Strict
from benchmark.track import Recipe

MODEL_FAILED = 10
"""Exit code of a worker whose model failed and said why in failure.json."""

REHEARSAL, FINDINGS = "rehearsal.json", "findings.json"

PROBE, FORMATS = "probe.json", "formats.json"

MemoryFormat = Literal["channels-last", "contiguous"]
"""How images and weights of convolutions lie in memory: PyTorch's `torch.channels_last` and `torch.contiguous_format`."""

USUAL: MemoryFormat = "channels-last"

ROUNDS, MARGIN = 3, 0.9
"""Contiguous is chosen where so many rounds took at most this share of the time, and none of them longer."""

MACHINE_FAILED = 11
"""Exit code of a worker that the machine let down: no such GPU, a full disk."""


class Start(Strict):
    """Where the weights come from."""

    kind: Literal["random", "imagenet", "checkpoint"]
    file: str | None = Field(None, description="name inside the inputs folder")
    layout: str | None = Field(None, description="imagenet: how the file names its tensors")
    classifier: str | None = Field(None, description="imagenet: the layer that is not taken from the file")


class Job(Strict):
    """`job.json`."""

    key: str
    seed: int
    model: dict[str, Any] = Field(description="the `model` part of submission.yaml")
    classes: int
    image_size: int
    epochs: int
    recipe: Recipe
    start: Start
    device: str
    threads: int
    memory_format: MemoryFormat = USUAL


class Probe(Strict):
    """`probe.json`."""

    model: dict[str, Any] = Field(description="the `model` part of submission.yaml")
    classes: int
    image_size: int
    recipe: Recipe
    device: str
    threads: int


class Pace(Strict):
    """Seconds of a step in each memory format, one after the other."""

    channels_last: float = Field(gt=0, allow_inf_nan=False)
    contiguous: float = Field(gt=0, allow_inf_nan=False)

    @property
    def open(self) -> bool:
        """Whether contiguous was faster, so that it may be worth it."""
        return self.contiguous < self.channels_last


class Formats(Strict):
    """`formats.json`: what a probe saw; it ends with the first round in which contiguous is not faster."""

    rounds: tuple[Pace, ...] = Field(min_length=1, max_length=ROUNDS)

    @property
    def choice(self) -> MemoryFormat:
        """The memory format to train in."""
        contiguous, usual = (sum(getattr(one, name) for one in self.rounds) for name in ("contiguous", "channels_last"))
        whole = len(self.rounds) == ROUNDS and all(one.open for one in self.rounds)
        return "contiguous" if whole and contiguous <= MARGIN * usual else USUAL


class Rehearsal(Strict):
    """`rehearsal.json`."""

    model: dict[str, Any] = Field(description="the `model` part of submission.yaml")
    classes: int
    image_size: int
    batch: int = 4
    seed: int
    start: Start
    pace: Recipe | None = Field(None, description="two steps of it are timed at its batch")
    threads: int
    memory: int = Field(description="bytes that the process may take for itself")


class Findings(Strict):
    """`findings.json`: what a rehearsal saw. Written beside submitted code, so never more than a hint to its author."""

    parameters: int = Field(ge=0, description="numbers that are trained")
    multiply_adds: int | None = Field(ge=0, description="of one image forward; None where they cannot be counted")
    held: int = Field(ge=0, description="bytes kept for the backward pass, for each image")
    seconds: float = Field(ge=0, allow_inf_nan=False, description="of one pass forward and backward")
    digest: str = Field(max_length=64, description="hash of logits and gradients")
    seeded: bool = Field(description="whether another seed gave other weights")
    repeats: bool = Field(description="whether a second build in the same process gave the same digest")
    untouched: tuple[str, ...] = Field(max_length=10_000, description="parameters without a gradient")
    matched: int | None = Field(None, ge=0, description="tensors taken from the file of weights")
    dropped: tuple[str, ...] = Field((), max_length=10_000, description="tensors of that file that were left out")
    seconds_an_image: float | None = Field(None, ge=0, allow_inf_nan=False, description="in training, by `pace`")
    printed: str = Field("", max_length=200, description="what it printed first")
    network: bool = Field(False, description="whether there is a network interface besides loopback")


class Failure(Strict):
    """`failure.json`: why a model failed."""

    kind: Literal["nan", "out-of-memory", "error", "bad-model"]
    message: str
    epoch: int | None = None
