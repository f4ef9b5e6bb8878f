"""The one training loop, the same for every submission.

The whole dataset stays on the device as bytes; batches are augmented there. What decides the
result is in the recipe and the seed, nothing in the submission can change it.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.stats.metrics import confusion, macro_f1
from benchmark.track import Recipe
from benchmark.training.augment import Augmenter
from benchmark.training.depthwise import fast_depthwise
from benchmark.training.predict import Normaliser, as_float, logits


class DivergedError(Exception):
    """The loss or a logit is no finite number.

    Args:
        epoch: the epoch, from 1, in which it was seen.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        super().__init__(f"the loss is not a finite number in epoch {epoch}")


class Images(NamedTuple):
    """Labelled images of one part: uint8 (n, side, side) and int64 (n,), on the training device."""

    pixels: torch.Tensor
    labels: torch.Tensor


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


def optimiser(model: nn.Module, recipe: Recipe, device: torch.device) -> torch.optim.AdamW:
    """AdamW without weight decay on biases, norms and what the model itself excludes, as timm does it."""
    ask = getattr(model, "no_weight_decay", None)
    excluded = set(ask()) if callable(ask) else set()
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    free = {name for name, parameter in trained if parameter.ndim <= 1 or name.endswith(".bias") or name in excluded}
    groups = [
        {"params": [p for name, p in trained if name in free], "weight_decay": 0.0},
        {"params": [p for name, p in trained if name not in free], "weight_decay": recipe.weight_decay},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, fused=device.type in ("cpu", "cuda"))


def validation_f1(scores: npt.NDArray[np.float32], labels: torch.Tensor) -> float:
    """Macro-F1 of logits on the validation part."""
    truth = labels.cpu().numpy()
    return float(macro_f1(confusion(truth, scores.argmax(1).astype(np.int64), scores.shape[1])))


def train(
    model: nn.Module,
    training: Images,
    validation: Images,
    recipe: Recipe,
    epochs: int,
    seed: int,
    normalise: Normaliser,
    report: Callable[[dict[str, Any]], None],
) -> nn.Module:
    """Train a model in place.

    The order of the images and their augmentation come from `seed` alone; so two arms with one
    seed see the same batches. The last, incomplete batch of an epoch is dropped.

    Args:
        model: on the training device.
        training: the training part.
        validation: the validation part; used for the log and, if the recipe says so, to pick the epoch.
        recipe: the track's.
        epochs: of this stage.
        seed: of this unit.
        normalise: the submission's normalisation.
        report: called with one line of the log after every epoch.

    Returns:
        The model, with the weights of the last epoch or of the best on validation.

    Raises:
        DivergedError: when the loss or a logit is not finite.
    """
    device = training.pixels.device
    model.to(memory_format=torch.channels_last)
    update = optimiser(model, recipe, device)
    augment = Augmenter(recipe.augment, seed + 1)
    order = torch.Generator().manual_seed(seed + 2)
    size = min(recipe.batch_size, len(training.pixels))
    per_epoch = len(training.pixels) // size
    best: tuple[float, dict[str, torch.Tensor]] | None = None
    for epoch in range(epochs):
        started = time.perf_counter()
        model.train()
        shuffled = torch.randperm(len(training.pixels), generator=order).to(device)
        total = torch.zeros((), device=device)
        for batch in range(per_epoch):
            rate = learning_rate(epoch * per_epoch + batch, epochs * per_epoch, recipe)
            for group in update.param_groups:
                group["lr"] = rate
            chosen = shuffled[batch * size : (batch + 1) * size]
            images = normalise(augment(as_float(training.pixels[chosen])))
            with (
                torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"),
                fast_depthwise(device.type == "cpu" and recipe.precision == "fp32"),
            ):
                out = model(images)
            loss = F.cross_entropy(out.float(), training.labels[chosen], label_smoothing=recipe.label_smoothing)
            update.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            update.step()
            total += loss.detach()
        mean_loss = float(total) / per_epoch
        scores = logits(model, validation.pixels, normalise, recipe.batch_size, recipe.precision)
        if not math.isfinite(mean_loss) or not np.isfinite(scores).all():
            raise DivergedError(epoch + 1)
        f1 = validation_f1(scores, validation.labels)
        report(
            {
                "epoch": epoch + 1,
                "epochs": epochs,
                "loss": round(mean_loss, 6),
                "lr": rate,
                "validation_macro_f1": round(f1, 6),
                "images": per_epoch * size,
                "seconds": round(time.perf_counter() - started, 3),
            }
        )
        if recipe.select == "best-validation" and (best is None or f1 > best[0]):
            best = (f1, copy.deepcopy(model.state_dict()))
    if best is not None:
        model.load_state_dict(best[1])
    return model
