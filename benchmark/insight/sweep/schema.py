"""The form of `sweep.json`; what is written was checked against it. Scores are parts of 1; no pixel is in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.files import Strict
from benchmark.insight.schema import Estimate, Number, Sha256, Unit

Reading = Literal["better", "worse", "equivalent", "undecided", "withheld"]


class Point(Strict):
    """One value of the setting."""

    track: str
    track_digest: str
    value: bool | Number | str | None
    repeats: int = Field(ge=1)
    trainings: int = Field(ge=1)
    macro_f1: Estimate
    difference: Estimate | None = Field(
        description="macro-F1 minus that of the reference; null for the reference itself"
    )
    reading: Reading | None = Field(
        description="what the interval of the difference says; null for the reference itself"
    )


class Trial(Strict):
    """One submission by one protocol on one target, by each of the tracks."""

    submission: str
    version: str
    target: str
    manifest: Sha256
    protocol: str
    folds: tuple[int, ...] = Field(description="tested by every track")
    images: int
    groups: int
    group_by: Literal["case", "cell", "image"]
    points: tuple[Point, ...] = Field(description="in the order of the values")
    sentence: str


class Sweep(Strict):
    """`sweep.json`."""

    format: Literal[1] = 1
    track: str = Field(description="the reference, against which the others are held")
    track_digest: str
    setting: str = Field(description="the one in which the tracks differ, as `preprocess.size`")
    reference: bool | Number | str | None
    simulated: bool
    trials: tuple[Trial, ...]
    left_out: tuple[str, ...] = Field(
        description="what was trained by some of the tracks and could not be compared, and why"
    )
    units: tuple[Unit, ...]
    margin: Number = Field(description="a difference whose interval lies within it either way reads `equivalent`")
    resamples: int
    seed: int
    ledger: Sha256 = Field(description="hash of the ledger's last record")
    versions: dict[str, str]
    harness: dict[str, str]
