"""What a record must say before it may be published; more it may say as it likes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from benchmark.data.card import Name

Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Count = Annotated[int, Field(ge=0, strict=True)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    """Any further key is allowed."""

    model_config = ConfigDict(extra="allow", frozen=True)


class _Submission(_Part):
    name: Name
    document: Sha256
    model: Sha256
    code: Sha256 | None
    pinned: bool


class _Track(_Part):
    name: Name
    digest: Sha256
    simulated: bool


class _Dataset(_Part):
    name: Name
    manifest: Sha256
    group: Literal["case", "cell", "image"]
    card: Sha256 | None = None


class _Harness(_Part):
    version: Text
    code: Text


class _Environment(_Part):
    device: Text
    device_type: Text
    python: Text
    platform: Text


class _Predictions(_Part):
    sha256: Sha256
    images: Count


class _Made(_Part):
    """What all records of a training have."""

    format: Literal[1]
    hash: Sha256
    prev: Sha256
    harness: _Harness
    packages: Annotated[dict[str, str], Field(min_length=1)]
    sandbox: Text
    sandbox_details: dict[str, Any]
    seconds: Number
    ended: AwareDatetime


class _Unit(_Made):
    key: Key
    arm: Text
    chain: Annotated[list[str], Field(min_length=1)]
    submission: _Submission
    track: _Track
    dataset: _Dataset
    weights: Sha256 | None
    parent: Key | None
    fold: Count
    repeat: Count
    seed: Count
    epochs: Count
    train_images: Count
    peak_bytes: Count | None
    cpu_seconds: Number | None = None


class Scored(_Unit):
    """A unit with predictions."""

    status: Literal["scored"]
    failure: None
    predictions: _Predictions
    scores: dict[str, Any]
    environment: _Environment
    checkpoint: Sha256
    energy_joules: Number | None
    log: list[Any]


class _Failure(_Part):
    kind: Text
    message: str


class Failed(_Unit):
    """A unit that the submission failed."""

    status: Literal["failed"]
    failure: _Failure


class Reproduced(_Made):
    """A new training of a recorded unit."""

    type: Literal["reproduction"]
    of: Key
    original: Sha256
    grade: Literal["bitwise", "tolerance", "statistical", "failed"]
    trainings: list[Key]
    predictions: _Predictions | None


class Withdrawn(_Part):
    """A submission taken off the board."""

    type: Literal["withdrawal"]
    format: Literal[1]
    hash: Sha256
    prev: Sha256
    submission: Name
    versions: Annotated[list[str], Field(min_length=1)]
    weights: dict[str, list[str]] | None = None
    reason: Text
    ended: AwareDatetime


class Corrected(_Part):
    """A submission that says something else of itself."""

    type: Literal["correction"]
    format: Literal[1]
    hash: Sha256
    prev: Sha256
    submission: Name
    version: Text
    before: Sha256
    document: Sha256
    reason: Text | None
    ended: AwareDatetime
