"""Seconds that a submission needs for one training image, from a few real steps of the loop.

Started as ``python -P -m benchmark.training.measure FOLDER TRACK`` by `benchmark.speed`; prints one number.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.allocator import keep_memory
from benchmark.training.environment import make_deterministic
from benchmark.training.loop import train
from benchmark.training.model import build
from benchmark.training.predict import Normaliser
from benchmark.training.step import Images

STEPS = 2


def seconds_per_image(submission: submissions.Submission, track: tracks.Track) -> float:
    """Time of an epoch of two steps after an epoch of warming up, on one processor thread.

    Args:
        submission: whose model is built, with random weights.
        track: its batch size, image size and augmentation.
    """
    keep_memory()
    make_deterministic(0, 1)
    spec, recipe, side = submission.spec.model, track.recipe, track.preprocess.size
    model = build(spec, submission.folder, img_size=side)
    count = STEPS * recipe.batch_size
    pixels = torch.randint(0, 256, (count, side, side), dtype=torch.uint8)
    images = Images(pixels, torch.arange(count) % 24)
    lines: list[dict[str, Any]] = []
    normalise = Normaliser(spec.mean, spec.std, torch.device("cpu"))
    few, plain = Images(pixels[:2], images.labels[:2]), spec.timm is not None
    train(model, images, few, recipe, 2, 0, normalise, lines.append, plain=plain)
    return float(lines[-1]["seconds"]) / count


if __name__ == "__main__":
    sys.stdout.write(f"{seconds_per_image(submissions.load(Path(sys.argv[1])), tracks.load(sys.argv[2])):.6f}\n")
