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
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from benchmark.files import Strict
from benchmark.track import Recipe

MODEL_FAILED = 10
"""Exit code of a worker whose model failed and said why in failure.json."""

MACHINE_FAILED = 11
"""Exit code of a worker that the machine let down: no such GPU, a full disk."""


class Start(Strict):
    """Where the weights come from."""

    kind: Literal["random", "imagenet", "checkpoint"]
    file: str | None = Field(None, description="name inside the inputs folder")
    layout: str | None = Field(None, description="imagenet: how the file names its tensors")


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


class Failure(Strict):
    """`failure.json`: why a model failed."""

    kind: Literal["nan", "out-of-memory", "error", "bad-model"]
    message: str
    epoch: int | None = None
