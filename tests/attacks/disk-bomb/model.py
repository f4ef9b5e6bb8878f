"""Fills what it can write to, then trains honestly. Argument: the folders, and whether with many small files."""

import json
import os

from torch import nn

BLOCK = os.urandom(1 << 20)
MOST = 20_000


def fill(folder):
    """Write one file until the system refuses; bytes."""
    size = 0
    try:
        with open(f"{folder}/bomb", "wb", buffering=0) as file:
            while True:
                size += file.write(BLOCK)
    except OSError as error:
        return [size, os.strerror(error.errno)]


def litter(folder):
    """Make empty files until the system refuses; how many."""
    for number in range(MOST):
        try:
            os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))
        except OSError as error:
            return [number, os.strerror(error.errno)]
    return [MOST, ""]


def build(num_classes, in_chans, img_size, folders, small=False):
    if not os.path.exists("/inputs/job.json"):
        raise RuntimeError("only for the container")
    print(json.dumps({folder: (litter if small else fill)(folder) for folder in folders}), flush=True)
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
