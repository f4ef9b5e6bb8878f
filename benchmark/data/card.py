"""The card of a dataset: what it is, on what terms, and where its images come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from benchmark import resources, strict_yaml
from benchmark.errors import InputError
from benchmark.files import Strict, atomic, read_yaml

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


class Reading(Strict):
    """How the files of a folder of crops are read: `karyobench data new` asks for it, an import reads it again."""

    names: str = Field(description="template or regular expression of the files' paths")
    labels: str = Field("plain", description="how classes are written: a form's name")
    given: dict[str, str] = Field(default_factory=dict, description="class by how else it is written")
    leave_out: tuple[str, ...] = Field((), description="patterns of files that are not of the dataset")
    white: int | None = Field(None, ge=256, le=65535, description="16 bits: the grey value that becomes 255")
    colour: Literal["refuse", "luminance"] = Field("refuse", description="what becomes of real colour")
    transparent: Literal["refuse", "black", "white"] = Field("refuse", description="what transparency lies on")


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
    layout: Literal["bioimlab", "cir", "cir-origin", "crops", "simulated", "resplit"] = Field(
        description="which importer reads it; crops: any folder of images, by the hashes of the manifest; resplit: none, "
        "its images are those of another dataset of the workspace"
    )
    reading: Reading | None = Field(None, description="crops: how it was read")
    group: Literal["case", "cell", "image"] = Field(
        description="what never stands on both sides of a split; cell: the case where it is known, else the cell"
    )
    description: str
    citation: tuple[str, ...]
    terms: str = Field(description="terms of use, shown before a download")
    homepage: Url | None = None
    sources: tuple[Source, ...] = ()
    counts: Counts
    overlaps: tuple[Name, ...] = Field((), description="datasets that show the same people: never source and target")

    @model_validator(mode="after")
    def _read_somehow(self) -> Card:
        if (self.layout == "crops") != (self.reading is not None):
            raise ValueError("reading belongs to a card of layout crops, which needs it")
        return self


def load(name: str) -> Card:
    """The shipped card of that name.

    Raises:
        InputError: when there is no such dataset or its card is wrong.
    """
    return read(folder(name) / "card.yaml")


def folder(name: str) -> Path:
    """Where a shipped dataset's card and manifest are.

    Raises:
        InputError: when there is no such dataset.
    """
    return resources.named("datasets", name, "card.yaml")


def read(path: Path) -> Card:
    """Read one card; its name must be its folder's."""
    card = read_yaml(path, Card)
    if card.name != path.parent.name:
        raise InputError(
            "must be the folder's name", file=path, field="name", found=card.name, allowed=path.parent.name
        )
    return card


def write(path: Path, card: Card) -> None:
    """Write a card, atomically."""
    with atomic(path) as file:
        file.write(strict_yaml.text_of(card.model_dump(mode="json", exclude_defaults=True)).encode())


def names() -> list[str]:
    """Names of all shipped datasets."""
    return resources.names("datasets", "card.yaml")
