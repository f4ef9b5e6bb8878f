"""The form of `attention-<submission>-<target>.json`: numbers, keys and hashes, never a pixel and never a map."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.files import Strict
from benchmark.insight.schema import Number, Sha256

Verdict = Literal["higher", "lower", "undecided", "withheld"]
Faith = Literal["holds", "does not hold", "not decided"]


class Mean(Strict):
    """A mean over images and its 95 % interval; no interval with fewer than four groups."""

    value: Number
    low: Number | None
    high: Number | None


class Measure(Strict):
    """What a number says."""

    key: str
    title: str
    meaning: str
    even: Number = Field(description="of a map that marks every chromosome evenly with cells of this size")


class Step(Strict):
    """Maps with a part of the network's modules shuffled, from the logits down."""

    part: Number = Field(description="0: the last layer alone; 1: all")
    rank: Number = Field(description="rank correlation with the trained network's maps, mean over the sample")
    ssim: Number


class Sanity(Strict):
    """How alike maps are with all weights shuffled."""

    rank: Mean
    ssim: Number
    failed: int = Field(description="maps whose own correlation is above the threshold")
    passed: bool
    cascade: tuple[Step, ...]


class Faithfulness(Mean):
    """How much better than random maps, in area under the curve; above 0 is better."""

    kind: Literal["deletion", "insertion"]
    verdict: Faith
    curve: tuple[Number, ...] = Field(description="probability of the class, mean over the sample")
    random: tuple[Number, ...]


class Unit(Strict):
    """One trained network."""

    protocol: str
    fold: int
    repeat: int
    key: str
    checkpoint: Sha256
    macro_f1: Number
    repeats_itself: Number = Field(description="part of the recorded predictions that the loaded network gives again")
    layer: str
    cells: int = Field(ge=2, description="on a side")
    images: int
    empty: int = Field(description="maps in which nothing speaks for the class")
    sanity: Sanity
    faithfulness: tuple[Faithfulness, ...]


class Arm(Mean):
    """A number under one protocol."""

    protocol: str
    measure: str
    shuffled: Number | None = Field(description="the same of maps under shuffled weights")
    images: int
    groups: int


class Contrast(Mean):
    """A number under one protocol minus under another, paired over images."""

    measure: str
    first: str
    second: str
    p: Number | None
    adjusted: Number | None = Field(description="Holm over all contrasts of the report")
    verdict: Verdict
    images: int
    groups: int


class Gate(Strict):
    """What must hold for a map to be evidence."""

    threshold: Number
    rule: str
    failed: tuple[str, ...] = Field(description="protocols whose maps failed, and of which no number is compared")


class Settings(Strict):
    """How it was computed."""

    method: str
    target_class: Literal["true"] = "true"
    seed: int
    draws: int
    sample: int
    steps: int
    random_maps: int
    parts: int


class Attention(Strict):
    """The report."""

    format: Literal[1] = 1
    submission: str
    model: Sha256 = Field(description="hash of the network and its input")
    track: str
    track_digest: Sha256
    simulated: bool
    size: int
    target: str
    manifest: Sha256
    pixels: Sha256 = Field(description="of all test images that were looked at, fold after fold")
    folds: tuple[int, ...]
    repeats: tuple[int, ...]
    images: int = Field(description="looked at, under each protocol's repeat")
    unmeasured: int = Field(description="of them without an axis, or too short")
    group_by: str
    speaks_of: Literal["these trainings", "new trainings"]
    absent: tuple[str, ...] = Field(description="protocols that were not trained here")
    units: tuple[Unit, ...]
    measures: tuple[Measure, ...]
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]
    gate: Gate
    settings: Settings
    versions: dict[str, str]
    harness: dict[str, str]
