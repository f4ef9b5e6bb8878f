"""The form of `errors.json`; what is written was checked against it. Rates are parts of 1; no pixel is in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.files import Strict
from benchmark.insight.schema import Estimate, Number, Sha256


class Rate(Strict):
    """Part of the images that a protocol misses."""

    protocol: str
    rate: Estimate


class Kind(Strict):
    """Images of one kind; counts are means over repeats."""

    key: Literal["all-miss", "only-two-step-gets", "only-two-step-loses"]
    title: str
    images: Number
    share: Estimate = Field(description="of all images")
    expected: Number = Field(
        description="images, if the protocols erred independently at their own rate in every class"
    )
    ratio: Estimate | None = Field(description="found over expected")
    always: tuple[str, ...] = Field(description="ids of the images that are of this kind in every repeat")


class Discordance(Strict):
    """Two-step against imagenet, image by image."""

    gained: Number
    lost: Number
    difference: Estimate = Field(description="of the rates of right images")
    p: Number = Field(
        description="McNemar's test by groups: signs of whole groups flipped; conditional on these trainings"
    )


class Lookalike(Strict):
    """Errors within a group of look-alikes."""

    group: str
    protocol: str
    errors: Number = Field(description="a repeat")
    share: Estimate | None = Field(description="of all errors")
    chance: Number | None = Field(description="that share if every error fell evenly on the other classes")
    rate: Estimate | None = Field(description="of the images of these classes")


class Change(Strict):
    """Rate of errors within a group of look-alikes, two-step minus imagenet."""

    group: str
    difference: Estimate
    p: Number | None
    p_adjusted: Number | None = Field(description="by Benjamini-Hochberg over the changes of the report")


class Pair(Strict):
    """Two classes that are taken for each other."""

    protocol: str
    first: str
    second: str
    errors: Number


class Condition(Strict):
    """Error against one measurement, within the class."""

    measure: str
    title: str
    protocol: str
    known: int = Field(description="images that it could be measured of")
    trend: Estimate | None = Field(
        description="chance that a missed image has more of it than one read rightly; 0.5: no trend"
    )
    fifths: tuple[Estimate | None, ...] = Field(description="rate of error in each fifth, least first")
    odds: Number | None = Field(description="odds ratio for one standard deviation more, the other measurements equal")
    odds_low: Number | None
    odds_high: Number | None
    odds_p: Number | None


class Cells(Strict):
    """How unevenly the errors of a protocol fall on cells."""

    protocol: str
    dispersion: Number = Field(description="1: as even as chance")
    p: Number
    worst: Number = Field(description="part of all errors that is in the worst tenth of the cells")
    worst_by_chance: Number


class Suspect(Strict):
    """An image whose label is suspected, the most suspicious first."""

    image: str
    label: str
    instead: str
    margin: Number = Field(description="probability of the label minus the greatest other")
    protocols: tuple[str, ...] = Field(description="whose own probabilities suspect it too")


class Check(Strict):
    """Precision and recall of the search on planted errors."""

    how: Literal["as given", "retrained"]
    alike: bool = Field(description="labels were changed to a class of like size")
    rate: Number
    planted: int
    plantings: int
    flagged: Number
    precision: Estimate
    recall: Estimate


class Labels(Strict):
    """Suspected wrong labels."""

    suspects: tuple[Suspect, ...]
    checks: tuple[Check, ...]
    regression_accuracy: Number = Field(description="of the logistic regression on unplanted labels, out of fold")


class Trial(Strict):
    """One submission on one target."""

    submission: str
    version: str
    target: str
    manifest: Sha256
    simulated: bool
    protocols: tuple[str, ...]
    folds: tuple[int, ...]
    repeats: int
    images: int
    groups: int
    group_by: str
    rates: tuple[Rate, ...]
    kinds: tuple[Kind, ...]
    discordance: Discordance | None
    lookalikes: tuple[Lookalike, ...]
    changes: tuple[Change, ...]
    pairs: tuple[Pair, ...]
    conditions: tuple[Condition, ...]
    unfitted: tuple[str, ...] = Field(description="protocols with too few errors for odds ratios")
    cells: tuple[Cells, ...]
    labels: Labels


class Errors(Strict):
    """`errors.json`."""

    format: Literal[1] = 1
    track: str
    track_digest: str
    trials: tuple[Trial, ...]
    seed: int
    ledger: Sha256 = Field(description="hash of the ledger's last record")
    versions: dict[str, str]
    harness: dict[str, str]
