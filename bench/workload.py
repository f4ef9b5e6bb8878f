"""One unit as files, for contenders that do not know this project: the same images, weights and recipe for all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmark import pretrained
from benchmark.data.manifest import CLASSES
from benchmark.data.store import Prepared
from benchmark.submission import Submission
from benchmark.track import Track
from benchmark.training.model import build
from benchmark.training.weights import load_imagenet


def write(
    folder: Path,
    prepared: Prepared,
    fold: int,
    submission: Submission,
    track: Track,
    workers: int,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Write a unit.

    Args:
        folder: to be made; holds the three parts as arrays and as a folder of images, start.pth and unit.json.
        prepared: dataset at the track's size.
        fold: whose parts.
        submission: a timm architecture with ImageNet weights on this machine.
        track: its recipe.
        workers: loader processes of every peer.
        seed: of the peers' order and augmentation, and of the new classifier.
        device: that the peers train on, `cpu` or `cuda`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = prepared.manifest
    for part in ("train", "validation", "test"):
        places = manifest.part(fold, part)
        pixels, labels = prepared.images[places], manifest.labels[places]
        np.save(folder / f"{part}.npy", pixels)
        np.save(folder / f"{part}_labels.npy", labels)
        for number, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
            path = folder / "images" / part / f"{label:02d}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.repeat(picture[..., None], 3, axis=2)).save(path)
    torch.manual_seed(seed)
    spec = submission.spec.model
    network = build(spec, submission.folder, img_size=track.preprocess.size)
    if submission.spec.weights is None:
        raise ValueError(f"{submission.name} has no ImageNet weights")
    located = pretrained.locate(submission.spec.weights)
    load_imagenet(network, located.path, located.layout)
    torch.save(network.state_dict(), folder / "start.pth")
    settings = {
        "architecture": spec.timm, "mean": list(spec.mean), "std": list(spec.std), "side": track.preprocess.size,
        "epochs": track.recipe.epochs, "recipe": track.recipe.model_dump(mode="json"), "workers": workers,
        "classes": len(CLASSES), "seed": seed, "device": device,
    }  # fmt: skip
    (folder / "unit.json").write_text(json.dumps(settings, indent=1))
