"""The form of `similarity.json`; what is written was checked against it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from benchmark.files import Strict
from benchmark.insight.estimate import Basis, Found

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Verdict = Literal["holds", "does not hold", "not decided"]


class Span(Strict):
    """A value and its 95 % interval, from resampling groups."""

    value: Number
    low: Number
    high: Number


class Estimate(Strict):
    """A value with its 95 % interval and what it speaks of."""

    value: Number
    low: Number | None
    high: Number | None
    basis: Basis = Field(description="what was allowed for; `groups`: these trainings only; `none`: no interval")

    @classmethod
    def of(cls, found: Found) -> Self:
        """An estimate in a report's form."""
        return cls(value=found.value, low=found.low, high=found.high, basis=found.basis)

    @classmethod
    def part(cls, found: Found) -> Self:
        """The same of a part of 1, which no interval leaves."""
        low, high = (None if bound is None else min(max(bound, 0.0), 1.0) for bound in (found.low, found.high))
        return cls(value=found.value, low=low, high=high, basis=found.basis)


class Unit(Strict):
    """A training that went into it."""

    key: Annotated[str, Field(min_length=1, max_length=200)]


class Facts(Strict):
    """A domain."""

    name: str
    title: str
    kind: Literal["Q", "G", "natural"]
    simulated: bool
    images: int = Field(ge=1)
    groups: int = Field(ge=1)
    group_by: str
    origin: Sha256 = Field(description="of the manifest; of natural images: over the bytes of their files")
    pixels: Sha256 = Field(description="of the images as they were compared")
    mean: Span = Field(description="grey of an image, 0 to 255")
    spread: Span = Field(description="standard deviation within an image, grey levels")
    entropy: Span = Field(description="of an image's histogram, bits")
    slope: Span = Field(description="of the log power over the log radius")
    spectrum: tuple[Number, ...] = Field(description="log10 of the share of power at each radius, from 1 cycle a side")


class Reference(Strict):
    """Where the natural images come from."""

    source: str
    default: bool = Field(description="the photographs of scikit-image and scikit-learn")
    photographs: tuple[str, ...] = Field(description="which, where it is the default")
    found: int
    too_small: int


class Means(Strict):
    """What a measure says."""

    key: str
    title: str
    meaning: str


class Distance(Span):
    """Between two domains."""

    measure: str
    first: str
    second: str


class Floor(Strict):
    """Between two random halves of the groups of one domain, over several splits."""

    measure: str
    domain: str
    mean: Number
    highest: Number
    splits: int


class Claim(Span):
    """min(d(Q, natural), d(G, natural)) - d(Q, G)."""

    measure: str
    q: str
    g: str
    verdict: Verdict
    sentence: str


class Alignment(Span):
    """Linear CKA of the class means of a Q- and a G-band dataset."""

    q: str
    g: str
    classes: int
    shuffled: Number = Field(description="mean with the classes shuffled")
    shuffled_high: Number = Field(description="what 95 % of shuffles stay below")


class Link(Strict):
    """One source and target with a gain of two-step training."""

    source: str
    target: str
    gain: Number = Field(description="mean over submissions, parts of 1")
    submissions: int


class Correlation(Strict):
    """Rank correlation of a distance with the gain."""

    measure: str
    rho: Number
    p: Number = Field(description="exact or permutation, two-sided")


class Prediction(Strict):
    """Whether similarity predicts the gain."""

    needed: int
    links: tuple[Link, ...]
    correlations: tuple[Correlation, ...]
    sentence: str


class Network(Strict):
    """What computed the features."""

    submission: str
    weights: str
    sha256: Sha256
    features: int
    components: int = Field(description="principal components that the Fréchet and A-distance use")
    explained: Number = Field(description="part of the features' variance in them, domains weighing the same")


class Settings(Strict):
    """How it was resampled."""

    seed: int
    resamples: int
    level: Number
    halves: int


class Similarity(Strict):
    """`similarity.json`."""

    format: Literal[1] = 1
    track: str
    track_digest: Sha256
    size: int
    reference: Reference
    domains: tuple[Facts, ...]
    measures: tuple[Means, ...]
    distances: tuple[Distance, ...]
    floors: tuple[Floor, ...]
    claims: tuple[Claim, ...]
    unclaimed: str | None = Field(description="why there is no claim; None where there is one")
    alignment: tuple[Alignment, ...]
    prediction: Prediction
    network: Network
    settings: Settings
    versions: dict[str, str]
    harness: dict[str, str]
