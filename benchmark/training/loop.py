"""The one training loop, the same for every submission.

The whole dataset stays on the device as bytes; batches are augmented there. What decides the
result is in the recipe and the seed, nothing in the submission can change it.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmark.stats.metrics import confusion, macro_f1
from benchmark.track import Recipe
from benchmark.training.predict import MEMORY_FORMATS, Forward, Normaliser, finished, logits_while
from benchmark.training.step import Images, state, steps_of


class DivergedError(Exception):
    """The loss or a logit is no finite number.

    Args:
        epoch: the epoch, from 1, in which it was seen.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        super().__init__(f"the loss is not a finite number in epoch {epoch}")


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up, then half a cosine down to `final_lr` × peak (Loshchilov & Hutter 2017).

    Args:
        step: from 0.
        steps: of the whole training.
        recipe: the track's.
    """
    warm = max(1, round(recipe.warmup * steps))
    if step < warm:
        return recipe.lr * (step + 1) / warm
    progress = (step - warm) / max(1, steps - warm)
    return recipe.lr * (recipe.final_lr + (1 - recipe.final_lr) * 0.5 * (1 + math.cos(math.pi * progress)))


def validation_f1(scores: npt.NDArray[np.float32], labels: torch.Tensor) -> float:
    """Macro-F1 of logits on the validation part."""
    truth = labels.cpu().numpy()
    return float(macro_f1(confusion(truth, scores.argmax(1).astype(np.int64), scores.shape[1])))


class Trained(NamedTuple):
    """A training that has ended.

    Attributes:
        model: with its final weights.
        forward: the model in evaluation mode, for more images.
        how: how its steps and its evaluation were made, for the record.
    """

    model: nn.Module
    forward: Forward
    how: dict[str, Any]


def train_while(
    model: nn.Module,
    training: Images,
    validation: Images,
    recipe: Recipe,
    epochs: int,
    seed: int,
    normalise: Normaliser,
    report: Callable[[dict[str, Any]], None],
    record: bool = False,
    plain: bool = False,
) -> Generator[None, None, Trained]:
    """Train a model in place, with a pause after every step and wherever the device must be waited for.

    The order of the images and their augmentation come from `seed` alone; so two arms with one
    seed see the same batches. The last, incomplete batch of an epoch is dropped.

    Args:
        model: on the training device.
        training: the training part.
        validation: the validation part; used for the log and, if the recipe says so, to pick the epoch.
        recipe: the track's.
        epochs: of this stage.
        seed: of this unit.
        normalise: the submission's normalisation, and the memory format.
        report: called with one line of the log after every epoch.
        record: whether steps and evaluation are recorded as CUDA graphs, on a GPU.
        plain: whether the network is one of timm's own, in which on a processor an answer may wait for what needs it.

    Yields:
        After every step, and while a GPU is busy.

    Returns:
        The model, with the weights of the last epoch or of the best on validation.

    Raises:
        DivergedError: when the loss or a logit is not finite.
    """
    device = training.pixels.device
    model.to(memory_format=MEMORY_FORMATS[normalise.memory_format])
    steps = steps_of(model, training, recipe, normalise, seed + 1, epochs, record, plain)
    forward = Forward(model, normalise, recipe.precision, record)
    order = torch.Generator().manual_seed(seed + 2)
    size = min(recipe.batch_size, len(training.pixels))
    per_epoch = len(training.pixels) // size
    held = validation.labels.cpu()
    best: tuple[float, dict[str, torch.Tensor]] | None = None
    for epoch in range(epochs):
        started = time.perf_counter()
        model.train()
        steps.step.total.zero_()
        shuffled = torch.randperm(len(training.pixels), generator=order).to(device)
        rates = [learning_rate(epoch * per_epoch + batch, epochs * per_epoch, recipe) for batch in range(per_epoch)]
        yield from steps.epoch(shuffled[: per_epoch * size].view(per_epoch, size), rates)
        scores = yield from logits_while(forward, validation.pixels, recipe.batch_size)
        mean_loss = float(steps.step.total) / per_epoch
        if not math.isfinite(mean_loss) or not np.isfinite(scores).all():
            raise DivergedError(epoch + 1)
        f1 = validation_f1(scores, held)
        report(
            {
                "epoch": epoch + 1,
                "epochs": epochs,
                "loss": round(mean_loss, 6),
                "lr": rates[-1],
                "validation_macro_f1": round(f1, 6),
                "images": per_epoch * size,
                "seconds": round(time.perf_counter() - started, 3),
            }
        )
        if recipe.select == "best-validation" and (best is None or f1 > best[0]):
            best = (f1, copy.deepcopy(model.state_dict()))
    if best is not None:
        model.load_state_dict(best[1])
    return Trained(model, forward, state(steps) | forward.state())


def train(
    model: nn.Module,
    training: Images,
    validation: Images,
    recipe: Recipe,
    epochs: int,
    seed: int,
    normalise: Normaliser,
    report: Callable[[dict[str, Any]], None],
    record: bool = False,
    plain: bool = False,
) -> nn.Module:
    """Train without pauses; see `train_while`."""
    work = train_while(model, training, validation, recipe, epochs, seed, normalise, report, record, plain)
    return finished(work).model
