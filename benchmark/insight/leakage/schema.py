"""The form of `leakage.json`; what is written was checked against it. Scores are parts of 1; no pixel is in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.files import Strict
from benchmark.insight.schema import Estimate, Number, Sha256, Unit


class Split(Strict):
    """The folds of one of the two data sets."""

    dataset: str
    manifest: Sha256
    by: Literal["case", "cell", "image"] = Field(description="what its folds are drawn by")
    track: str
    track_digest: str
    exposed: Number = Field(description="part of the test images whose group is in the training part of their fold")


class Scored(Strict):
    """A submission under one split."""

    repeats: int = Field(ge=1)
    trainings: int = Field(ge=1)
    train_images: Number | None = Field(description="of a training, mean over folds; null where records do not say")
    macro_f1: Estimate


class Trial(Strict):
    """One submission by one protocol under both splits."""

    submission: str
    version: str
    target: str
    manifest: Sha256
    protocol: str
    careful: Scored = Field(description="groups whole")
    careless: Scored = Field(description="groups on both sides")
    flattery: Estimate = Field(description="macro-F1, careless minus careful")
    sentence: str


class Leakage(Strict):
    """`leakage.json`."""

    format: Literal[1] = 1
    track: str
    track_digest: str
    simulated: bool
    images: int
    groups: int
    careful: Split
    careless: Split
    trials: tuple[Trial, ...]
    left_out: tuple[str, ...] = Field(description="what was trained under one split and could not be compared, and why")
    units: tuple[Unit, ...]
    resamples: int
    seed: int
    ledger: Sha256 = Field(description="hash of the ledger's last record")
    versions: dict[str, str]
    harness: dict[str, str]
