"""Ends as if the machine, or nobody, had ended it. Argument: how."""

import os
import signal

from torch import nn

WAYS = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit-0": lambda: os._exit(0),
    "exit-11": lambda: os._exit(11),
    "exit-125": lambda: os._exit(125),
}


def build(num_classes, in_chans, img_size, way):
    print(f"ends itself: {way}", flush=True)
    WAYS[way]()
    signal.pause()
    return nn.Linear(in_chans * img_size**2, num_classes)
