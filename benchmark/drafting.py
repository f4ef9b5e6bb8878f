"""Starting a submission: what its files say before its author changes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from benchmark.errors import InputError
from benchmark.files import atomic, read_text, validate
from benchmark.submission import MARKER, MAX_FILE, NO_PAPER, Spec

FACTORY = '''"""The network of this submission; replace it by yours.

Import other files of this folder with `from . import name`. Nothing else in the folder can be read
when the benchmark runs, and only .py files count for the hash of the code.
"""

import torch
from torch import nn


class Net(nn.Module):
    """Four strided convolutions and a linear classifier."""

    def __init__(self, num_classes: int, in_chans: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level in range(4):
            inner = width * 2**level
            layers += [nn.Conv2d(in_chans, inner, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU()]
            in_chans = inner
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(in_chans, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, num_classes) of normalised images (batch, in_chans, side, side)."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))


def build(num_classes: int, in_chans: int, img_size: int, width: int = 32) -> nn.Module:
    """Make the network with random weights; `width` is set under `kwargs` in submission.yaml."""
    return Net(num_classes, in_chans, width)
'''


class Answers(NamedTuple):
    """What an author says of a new submission.

    Attributes:
        name: of the submission and its folder.
        timm: an architecture of timm; None: own code.
        title: for people; default: the name.
        paper: its address.
        license: an SPDX expression; default: timm's, or MIT for own code.
        code: a file to be copied as model.py; default: a small network that works.
        weights: a repository of the hub; of timm's architectures the default is the one that timm names.
        trained_on: all data that these weights saw.
        source: address that says so.
        classifier: the layer that is not taken from them.
    """

    name: str
    timm: str | None = None
    title: str | None = None
    paper: str = NO_PAPER
    license: str | None = None
    code: Path | None = None
    weights: str | None = None
    trained_on: str | None = None
    source: str | None = None
    classifier: str | None = None


def draft(answers: Answers, directory: Path) -> Path:
    """Write the folder of a new submission; nothing is written unless all of it is right.

    Args:
        answers: what it is.
        directory: where its folder is made.

    Returns:
        The folder.

    Raises:
        InputError: for a wrong answer, or a folder that is there.
        InfrastructureError: when the disk is full.
    """
    head = {"name": answers.name, "title": answers.title or answers.name, "paper": answers.paper}
    body = _of_timm(answers.timm) if answers.timm else _of_code(answers.code)
    if answers.license is not None:
        body["license"] = answers.license
    own = {key: getattr(answers, key) for key in ("trained_on", "source", "classifier") if getattr(answers, key)}
    if answers.weights is not None:
        body["weights"] = {"hub": answers.weights, **own}
    elif own:
        raise InputError("says something of weights, and none are named", field=f"--{next(iter(own)).replace('_', '-')}",
                         hint="Name them by --weights OWNER/REPOSITORY")  # fmt: skip
    data = {**head, **body}
    validate(data, Spec, "options")
    if directory.exists() and not directory.is_dir():
        raise InputError("not a folder", file=directory, field="--directory")
    folder = directory / answers.name
    if folder.exists():
        raise InputError("exists already", file=folder)
    if answers.timm is None:
        text = FACTORY if answers.code is None else read_text(answers.code, MAX_FILE)
        with atomic(folder / "model.py") as file:
            file.write(text.encode())
    with atomic(folder / MARKER) as file:
        file.write(_yaml(data).encode())
    return folder


def _of_code(code: Path | None) -> dict[str, Any]:
    model: dict[str, Any] = {"factory": "model.py:build", "image_size": {"min": 32}}
    if code is None:
        model["kwargs"] = {"width": 32}
    elif not code.is_file():
        raise InputError("no such file", file=code, field="--code")
    return {"license": "MIT", "model": model}


def _of_timm(architecture: str) -> dict[str, Any]:
    """What timm knows of an architecture, as the rest of a submission."""
    from timm import get_pretrained_cfg, list_pretrained

    from benchmark.origin import other_data
    from benchmark.training.model import describe_timm

    facts = describe_timm(architecture)
    model: dict[str, Any] = {"timm": architecture, "image_size": {"min": 32}}
    if facts.fixed_size:
        least = max(32, facts.patch)
        model |= {"img_size_argument": True, "image_size": {"min": least, "multiple_of": facts.patch}}
    known = [tag for tag in list_pretrained(f"{architecture}.*") if other_data(f"timm/{tag}") is None]
    config = get_pretrained_cfg(known[0] if known else architecture)
    text = str(getattr(config, "license", None) or "apache-2.0")
    spdx = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause"}.get(text, text.upper())
    if config is not None:
        model |= {"mean": list(config.mean), "std": list(config.std)}
    return {"license": spdx, "model": model, **({"weights": {"hub": f"timm/{known[0]}"}} if known else {})}


def _yaml(data: dict[str, Any]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Block style, as `pin` needs it, but lists on one line."""

    Dumper.add_representer(list, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, True))
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
