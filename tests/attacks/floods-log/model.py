"""Prints hundreds of megabytes without and with line ends, then trains honestly."""

import os

from torch import nn

MIB = 1 << 20


def build(num_classes, in_chans, img_size):
    for block, times in ((b"A" * MIB, 200), ((b"A" * 99 + b"\n") * (MIB // 100), 50)):
        for _ in range(times):
            os.write(1, block)
    print("\nflooded", flush=True)
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
