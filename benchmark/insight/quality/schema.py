"""The form of `quality.json`; what is written was checked against it. No pixel is in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.files import Strict
from benchmark.insight.schema import Number, Sha256


class Estimate(Strict):
    """A value and its 95 % interval; bounds are null where none can be given."""

    value: Number | None
    low: Number | None
    high: Number | None


class Flag(Strict):
    """A rule: flagged where the score is above the threshold."""

    key: str
    meaning: str
    threshold: Number


class Curve(Strict):
    """How well a flag finds a planted defect."""

    flag: str
    images: int
    auc: Estimate
    sensitivity: Estimate
    flagged: Estimate = Field(description="of the same images without the defect: false positives where they are good")
    roc: tuple[tuple[Number, Number], ...] = Field(description="(flagged without, flagged with the defect)")


class Validation(Strict):
    """Planted defects in images of one kind."""

    images: str
    simulated: bool
    groups: int
    resampled: str
    curves: tuple[Curve, ...]


class Dataset(Strict):
    """What the flags found in a dataset."""

    name: str
    manifest: Sha256
    images: int
    flagged: dict[str, int] = Field(description="images by flag; `any` and `crop` are unions")
    medians: dict[str, Number | None]
    ids: dict[str, tuple[str, ...]] = Field(description="ids of the flagged images, worst first")


class Effect(Strict):
    """One protocol's scores with and without the images that some flags hold."""

    submission: str
    version: str
    protocol: str
    target: str
    flags: Literal["any", "crop"]
    trainings: int
    folds: tuple[int, ...]
    images: int
    removed: int
    resampled: str = Field(description="what the intervals resample: groups, or cells where the groups are too few")
    units: int
    with_flagged: Estimate
    without_flagged: Estimate
    difference: Estimate = Field(description="without less with")
    random: Estimate = Field(description="difference when as many random images of the same classes are removed")
    as_much_by_chance: Number = Field(description="part of the random removals that raise the score as much")
    error_flagged: Estimate
    error_unflagged: Estimate
    risk_ratio: Estimate = Field(description="flagged over unflagged, pooled over classes (Mantel-Haenszel)")
    errors_on_flagged: Number = Field(description="part of all errors")
    errors_explained: Estimate = Field(
        description="part of all errors that flagged images have beyond the rate of the others of their class"
    )
    sentence: str


class Quality(Strict):
    """`quality.json`."""

    format: Literal[1] = 1
    track: str
    track_digest: Sha256
    seed: int
    resamples: int
    flags: tuple[Flag, ...]
    datasets: tuple[Dataset, ...]
    validation: tuple[Validation, ...]
    effects: tuple[Effect, ...]
    without_effect: str | None = Field(description="why there is no score beside the flags; null where there is one")
    answers: tuple[str, ...]
    versions: dict[str, str]
    harness: dict[str, str]
