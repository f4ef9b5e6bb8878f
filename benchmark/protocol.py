"""The protocols: how a model comes to the target. Each is an ordered chain of stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.errors import InputError


@dataclass(frozen=True)
class Stage:
    """One training of a chain.

    Args:
        data: on the target, or on the source (the other stain).
        shuffled: whether the labels of the training part are permuted.
        budget: `own`: the recipe's epochs over this dataset; `both`: as many images as two-step
            sees on source and target together.
    """

    data: Literal["source", "target"]
    shuffled: bool = False
    budget: Literal["own", "both"] = "own"


@dataclass(frozen=True)
class Protocol:
    """A named chain.

    Args:
        name: as used in commands and records.
        start: the weights it starts from.
        stages: in order; the last is on the target and is scored.
        control: whether it exists only to explain another protocol's gain.
        meaning: one sentence for people.
    """

    name: str
    start: Literal["random", "imagenet"]
    stages: tuple[Stage, ...]
    control: bool
    meaning: str


TARGET, SOURCE = Stage("target"), Stage("source")

PROTOCOLS: dict[str, Protocol] = {
    p.name: p
    for p in (
        Protocol("scratch", "random", (TARGET,), False, "random weights, trained on the target"),
        Protocol("imagenet", "imagenet", (TARGET,), False, "ImageNet weights, fine-tuned on the target"),
        Protocol("two-step", "imagenet", (SOURCE, TARGET), False, "ImageNet weights, the other stain, then the target"),
        Protocol(
            "imagenet-long", "imagenet", (Stage("target", budget="both"),), True,
            "like imagenet, with the compute of both stages of two-step spent on the target",
        ),
        Protocol(
            "two-step-shuffled", "imagenet", (Stage("source", shuffled=True), TARGET), True,
            "like two-step, with the labels of the other stain shuffled",
        ),
    )
}  # fmt: skip
"""Every protocol. A new one is one more chain."""

MAIN = tuple(name for name, protocol in PROTOCOLS.items() if not protocol.control)
"""The three protocols of the study that this suite follows."""

BASELINE, TWO_STEP = "imagenet", "two-step"
"""What every gain is measured against unless another is asked for, and the protocol in question."""

LONG, SHUFFLED = "imagenet-long", "two-step-shuffled"
"""The controls: more training on the target alone; a source stage that teaches nothing of the labels."""


def get(name: str) -> Protocol:
    """A protocol by name.

    Raises:
        InputError: when there is none of that name.
    """
    if name not in PROTOCOLS:
        raise InputError("no such protocol", field="protocol", found=name, allowed=tuple(PROTOCOLS))
    return PROTOCOLS[name]
