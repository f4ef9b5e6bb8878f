"""Raises what a full disk would raise. Argument: when."""

import errno
import os

from torch import nn


class Net(nn.Module):
    """Fails in its fourth batch."""

    def __init__(self, size, classes):
        super().__init__()
        self.layer, self.calls = nn.Linear(size, classes), 0

    def forward(self, images):
        self.calls += 1
        if self.calls > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/var/lib/docker")
        return self.layer(images.flatten(1))


def build(num_classes, in_chans, img_size):
    return Net(in_chans * img_size**2, num_classes)
