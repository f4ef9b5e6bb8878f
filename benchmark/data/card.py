"""The card of a dataset: what it is, on what terms, and where its images come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from benchmark import resources
from benchmark.errors import InputError
from benchmark.files import Strict, read_yaml

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=300)]


class Source(Strict):
    """One place the images can be had from."""

    kind: Literal["archive", "github", "huggingface", "manual"] = Field(
        description="archive: a file; github: a folder of a repository's archive; "
        "huggingface: a dataset repository; manual: a page that a person downloads from"
    )
    url: Url | None = Field(None, description="archive, manual: the address")
    repository: str | None = Field(None, description="github, huggingface: owner/name")
    revision: str = Field("HEAD", description="github, huggingface: a branch, tag or commit")
    folder: str = Field("", description="github, huggingface: the folder that holds the images")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="archive: hash of the file")
    official: bool = Field(False, description="published by the authors themselves")
    note: str = ""


class Counts(Strict):
    """What a complete import holds."""

    images: int = Field(ge=1)
    cells: int = Field(ge=0, description="0: not known")
    cases: int = Field(ge=0, description="0: not known")


class Card(Strict):
    """`datasets/<name>/card.yaml`."""

    name: Name
    title: str
    stain: Literal["Q", "G"]
    polarity: Literal["light-on-dark", "dark-on-light"]
    simulated: bool = False
    layout: Literal["bioimlab", "cir", "cir-origin", "simulated"] = Field(description="which importer reads it")
    group: Literal["case", "cell", "image"] = Field(
        description="what never stands on both sides of a split; cell: the case where it is known, else the cell"
    )
    description: str
    citation: tuple[str, ...]
    terms: str = Field(description="terms of use, shown before a download")
    homepage: Url | None = None
    sources: tuple[Source, ...] = ()
    counts: Counts


def load(name: str) -> Card:
    """The shipped card of that name.

    Raises:
        InputError: when there is no such dataset or its card is wrong.
    """
    return read(resources.named("datasets", name, "card.yaml") / "card.yaml")


def read(path: Path) -> Card:
    """Read one card; its name must be its folder's."""
    card = read_yaml(path, Card)
    if card.name != path.parent.name:
        raise InputError(
            "must be the folder's name", file=path, field="name", found=card.name, allowed=path.parent.name
        )
    return card


def names() -> list[str]:
    """Names of all shipped datasets."""
    return resources.names("datasets", "card.yaml")
