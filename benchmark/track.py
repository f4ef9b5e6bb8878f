"""A track: one frozen recipe, read from a YAML file. Results of two tracks never mix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from benchmark import resources
from benchmark.data.card import Name
from benchmark.data.manifest import FOLDS
from benchmark.data.preprocess import Preprocess
from benchmark.errors import InputError
from benchmark.files import Strict, digest, read_yaml


class Augment(Strict):
    """Ranges of the augmentation; each draw is uniform and symmetric about no change."""

    rotate: float = Field(0.0, ge=0, le=180, description="degrees")
    shear: float = Field(0.0, ge=0, le=45, description="degrees")
    scale: float = Field(0.0, ge=0, le=1, description="relative; per axis, log-uniform")
    translate: float = Field(0.0, ge=0, le=0.5, description="part of the image's side")
    bend: float = Field(0.0, ge=0, le=1, description="sideways shift of the ends, half sides")
    flip_horizontal: float = Field(0.0, ge=0, le=1, description="probability")
    flip_vertical: float = Field(0.0, ge=0, le=1, description="probability")
    gain: float = Field(0.0, ge=0, le=1, description="natural log of the brightness factor")
    gamma: float = Field(0.0, ge=0, le=1, description="natural log of the exponent")
    noise: float = Field(0.0, ge=0, le=0.5, description="largest standard deviation, of 0 to 1")


class Recipe(Strict):
    """How every stage of a track is trained."""

    epochs: int = Field(ge=1, le=1000)
    batch_size: int = Field(ge=2, le=4096)
    lr: float = Field(gt=0, le=1, description="peak learning rate of AdamW")
    weight_decay: float = Field(0.05, ge=0, le=1, description="not applied to biases and norms")
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = Field(0.15, ge=0, lt=1, description="part of all steps, linear")
    final_lr: float = Field(0.01, ge=0, le=1, description="end of the cosine, part of the peak")
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")
    select: Literal["last", "best-validation"] = "last"
    precision: Literal["fp32", "bf16"] = "fp32"
    augment: Augment = Augment()


class Pair(Strict):
    """A scored dataset, and what two-step trains on first: one dataset, or several in their order."""

    target: Name
    source: Name | Annotated[tuple[Name, ...], Field(min_length=1)]

    @field_validator("source", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        """A chain of one is written as one name, so that a track has one hash."""
        return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value

    @model_validator(mode="after")
    def _differ(self) -> Pair:
        if self.target in self.sources:
            raise ValueError("target and source must be two datasets")
        if len(set(self.sources)) != len(self.sources):
            raise ValueError("a source may stand once in a chain")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources in the order in which they are trained on."""
        return (self.source,) if isinstance(self.source, str) else self.source


class Track(Strict):
    """`benchmark/tracks/<name>.yaml`."""

    name: Name
    title: str
    description: str
    simulated: bool = Field(False, description="its images are rendered: shown wherever results are")
    pairs: tuple[Pair, ...] = Field(min_length=1)
    folds: tuple[int, ...] = Field(min_length=1, description="the pre-registered folds")
    repeats: int = Field(ge=1, le=100, description="the pre-registered repeats of every fold")
    timeout: int = Field(ge=1, description="seconds that one unit may take")
    preprocess: Preprocess
    recipe: Recipe

    @model_validator(mode="after")
    def _consistent(self) -> Track:
        if len(set(self.folds)) != len(self.folds) or not all(0 <= fold < FOLDS for fold in self.folds):
            raise ValueError(f"folds must be different numbers from 0 to {FOLDS - 1}")
        if len(set(self.targets)) != len(self.pairs):
            raise ValueError("a target may be in one pair only")
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the scored datasets."""
        return tuple(pair.target for pair in self.pairs)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of all its targets and sources."""
        return tuple(dict.fromkeys(name for pair in self.pairs for name in (pair.target, *pair.sources)))

    def sources_of(self, target: str) -> tuple[str, ...]:
        """The datasets that two-step trains on before `target`, in their order.

        Raises:
            InputError: when the track does not score `target`.
        """
        for pair in self.pairs:
            if pair.target == target:
                return pair.sources
        raise InputError(
            "not a target of this track", file=self.name, field="target", found=target, allowed=self.targets,
            hint="For others name the sources (--source), or protocols that take none (-p imagenet)",
        )  # fmt: skip

    @property
    def digest(self) -> str:
        """Hash of everything in the track (64 hex digits)."""
        return digest(self.model_dump(mode="json"))


def names() -> list[str]:
    """Names of the shipped tracks."""
    return sorted(path.stem for path in resources.tracks().glob("*.yaml"))


def load(name_or_path: str) -> Track:
    """A shipped track by name, or any by the path of its YAML file.

    Raises:
        InputError: when there is none, or it is wrong.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        if name_or_path not in names():
            raise InputError("no track of this name", found=name_or_path, allowed=names())
        path = resources.tracks() / f"{name_or_path}.yaml"
    track = read_yaml(path, Track)
    if track.name != path.stem:
        raise InputError("must be the file's name", file=path, field="name", found=track.name, allowed=path.stem)
    return track
