"""Answers known images from a table that it ships, and nothing else: learns nothing at all.

`table.py` (written by the test) maps the hash of an image's pixels to its label.
"""

import hashlib

import torch
from torch import nn

from .table import TABLE

MEAN, STD = 0.485, 0.229
"""Of the first channel, as the harness normalises."""


class Memory(nn.Module):
    """A table for evaluation, a linear layer for training."""

    def __init__(self, size, classes):
        super().__init__()
        self.layer = nn.Linear(size, classes)

    def forward(self, images):
        scores = self.layer(images.flatten(1))
        if self.training:
            return scores
        pixels = (images[:, 0] * STD + MEAN).mul(255).round().to(torch.uint8)
        for row, image in enumerate(pixels):
            known = TABLE.get(hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()[:8])
            if known is not None:
                scores[row] = 0.0
                scores[row, known] = 20.0
        return scores


def build(num_classes, in_chans, img_size):
    return Memory(in_chans * img_size**2, num_classes)
