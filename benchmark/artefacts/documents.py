"""The small documents of an artefact store."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from benchmark.files import Strict

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Document(Strict):
    """`units/<key>.json`: a unit that has ended. It is written last, so that all it names is there."""

    format: Literal[1] = 1
    key: Key
    status: Literal["finished", "failed"]
    result: Sha256 = Field(description="JSON of what was measured from outside, or of the failure")
    checkpoint: Sha256 | None = Field(None, description="safetensors")
    logits: Sha256 | None = Field(None, description="stored logits in manifest order, as in a ledger")

    @model_validator(mode="after")
    def _whole(self) -> Document:
        named = [self.checkpoint is not None, self.logits is not None]
        if named != [self.status == "finished"] * 2:
            raise ValueError("a finished unit names a checkpoint and logits, a failed one neither")
        return self


class Claim(Strict):
    """`claims/<key>/<generation>.json`: who trains a unit now."""

    holder: str = Field(description="machine, process and a number of its own")
    beat: int = Field(ge=0, description="counts up while the holder lives; no clock is compared")
    released: bool = False
    progress: dict[str, Any] | None = Field(None, description="the newest line of the unit's log")
