"""Takes memory until there is none. Argument: whether a child does it, while the unit itself goes on."""

import os
import time

from torch import nn

MIB = 1 << 20


def take():
    kept = []
    while True:
        kept.append(bytearray(os.urandom(MIB)) * 32)
        print(f"{len(kept) * 32} MiB", flush=True)


def build(num_classes, in_chans, img_size, child=False):
    if not os.path.exists("/inputs/job.json"):
        raise RuntimeError("only for the container")
    if not child or os.fork() == 0:
        take()
    print(f"the child ended with {os.waitstatus_to_exitcode(os.wait()[1])}", flush=True)
    time.sleep(1)
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
