"""The network of every attack, and nothing else: whoever trains honestly ends with its logits, to the bit."""

from torch import nn


def build(num_classes, in_chans, img_size, salt=0):
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
