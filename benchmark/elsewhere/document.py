"""What is kept of a score from elsewhere: its form, with limits on everything that its author writes."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field, StringConstraints, field_validator

from benchmark.data.card import Name, Url
from benchmark.data.manifest import FOLDS
from benchmark.elsewhere.given import Form
from benchmark.files import Strict
from benchmark.withdrawal import MOST

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Short = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Long = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Data(Strict):
    """The dataset that was tested."""

    name: Name
    manifest: Sha256
    group: Literal["case", "cell", "image"]
    card: Sha256


class On(Strict):
    """The track whose folds were taken."""

    name: Name
    digest: Sha256
    simulated: bool


class Kept(Strict):
    """The file of predictions."""

    sha256: Sha256
    images: int = Field(ge=1)


class Told(Strict):
    """What the outsider says; shown as it is, believed by nobody."""

    who: Short = Field(description="who ran it")
    how: Long = Field(description="what model, how trained")
    training_data: Long = Field(description="what it was trained on")
    split: Long = Field(description="what kept the test images out of its training")
    link: Url | None = Field(None, description="paper, code or page; http or https")

    @field_validator("who", "how", "training_data", "split")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable() or not value.strip():
            raise ValueError("must be one line of text that can be printed")
        return value

    @field_validator("link")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        if value is not None and (not urlsplit(value).netloc or not value.isprintable()):
            raise ValueError("must be an address with a host, http or https")
        return value


class Score(Strict):
    """A kept score."""

    format: Literal[1]
    type: Literal["self-run"]
    name: Name
    told: Told
    dataset: Data
    track: On
    folds: tuple[Annotated[int, Field(ge=0, lt=FOLDS)], ...] = Field(min_length=1)
    form: Form
    predictions: Kept
    given: Sha256 = Field(description="hash of the file that was handed in")
    scores: dict[str, float]
    harness: dict[str, str]
    ended: AwareDatetime


class Gone(Strict):
    """The withdrawal of a kept score."""

    format: Literal[1]
    type: Literal["self-run-withdrawal"]
    of: Sha256
    reason: str = Field(min_length=1, max_length=MOST)
    ended: AwareDatetime
