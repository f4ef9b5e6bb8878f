"""Puts a longer training in place of the harness's own, in its process. Argument: how it hides that.

`open`: the log shows every epoch. `hidden`: the log shows as many as were asked for. `before`: trains by itself before
the harness does.
"""

import numpy as np
import torch
from torch import nn

import benchmark.training.worker as worker
from benchmark.training.predict import Normaliser, as_float

TIMES = 10


def longer(hidden):
    train = worker.train_while

    def patched(model, training, validation, recipe, epochs, seed, normalise, report, **how):
        def told(line):
            if not hidden or line["epoch"] % TIMES == 0:
                report(line | ({"epoch": line["epoch"] // TIMES, "epochs": epochs} if hidden else {}))

        return train(model, training, validation, recipe, epochs * TIMES, seed, normalise, told, **how)

    worker.train_while = patched


def before(network):
    """Thirty epochs of its own."""
    images = torch.from_numpy(np.load("/inputs/train.npy"))
    labels = torch.from_numpy(np.load("/inputs/train_labels.npy"))
    normalise = Normaliser((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), torch.device("cpu"))
    update = torch.optim.AdamW(network.parameters(), lr=0.002)
    for _ in range(30):
        for start in range(0, len(images), 16):
            chosen = slice(start, start + 16)
            loss = nn.functional.cross_entropy(network(normalise(as_float(images[chosen]))), labels[chosen])
            update.zero_grad()
            loss.backward()
            update.step()


def build(num_classes, in_chans, img_size, variant):
    network = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
    if variant == "before":
        before(network)
    else:
        longer(variant == "hidden")
    return network
