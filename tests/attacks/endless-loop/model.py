"""Never comes back, and ignores whoever asks it to end."""

import signal

from torch import nn


def build(num_classes, in_chans, img_size):
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    print("looping", flush=True)
    while True:
        pass
    return nn.Linear(in_chans * img_size**2, num_classes)
