"""The form of `karyotype.json`; what is written was checked against it. Scores are parts of 1."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.files import Strict
from benchmark.insight.schema import Estimate as Interval
from benchmark.insight.schema import Number, Sha256

Verdict = Literal["better", "worse", "not decided", "withheld"]


class Estimate(Interval):
    """The same with a test, where it is a difference."""

    p: Number | None = Field(None, description="of no difference, unadjusted")
    p_adjusted: Number | None = Field(None, description="by Benjamini-Hochberg over all differences of the report")
    verdict: Verdict | None = Field(None, description="of a difference; exploratory")


class Reading(Strict):
    """What the constraint does to one protocol; counts are means over repeats."""

    protocol: str
    folds: tuple[int, ...]
    repeats: int
    images: int
    groups: int
    cells: int
    alone: Estimate = Field(description="macro-F1, each image for itself")
    together: Estimate = Field(description="macro-F1, each cell as a karyotype")
    difference: Estimate = Field(description="together minus alone")
    complete_alone: Estimate = Field(description="part of the cells without an error, each image for itself")
    complete_together: Estimate
    changed: Number = Field(description="images that are read otherwise")
    mended: Number = Field(description="of these: now right")
    spoiled: Number = Field(description="of these: were right")
    sex: Number | None = Field(description="part of the cells with all sex chromosomes whose XX or XY is right")


class Gain(Strict):
    """Macro-F1 of two-step minus that of imagenet, both ways, over the folds that both have."""

    folds: tuple[int, ...]
    repeats: int
    groups: int
    alone: Estimate
    together: Estimate
    change: Estimate = Field(
        description="together minus alone: below nothing, the constraint does some of transfer's work"
    )
    sentence: str


class Trial(Strict):
    """One submission on one target."""

    submission: str
    version: str
    target: str
    manifest: Sha256
    simulated: bool
    smallest_cell: int = Field(description="images")
    largest_cell: int
    readings: tuple[Reading, ...]
    gain: Gain | None = Field(description="None where two-step or imagenet is missing")
    sentences: tuple[str, ...]


class Karyotype(Strict):
    """`karyotype.json`."""

    format: Literal[1] = 1
    track: str
    track_digest: str
    trials: tuple[Trial, ...]
    resamples: int
    seed: int
    ledger: Sha256 = Field(description="hash of the ledger's last record")
    versions: dict[str, str]
    harness: dict[str, str]
