"""Logits of images under a model, in evaluation mode."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn


class Normaliser:
    """From grey bytes on any device to what the model was made for: three equal channels, normalised.

    Args:
        mean: of each channel, for values 0 to 1.
        std: likewise.
        device: where the model is.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> None:
        self.mean = torch.tensor(mean, device=device).view(1, -1, 1, 1)
        self.std = torch.tensor(std, device=device).view(1, -1, 1, 1)

    def __call__(self, grey: torch.Tensor) -> torch.Tensor:
        """(n, 1, side, side) values 0 to 1 → (n, 3, side, side), channels last in memory."""
        return ((grey - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


def as_float(images: torch.Tensor) -> torch.Tensor:
    """(n, side, side) bytes → (n, 1, side, side) values 0 to 1."""
    return images[:, None].float().div_(255.0)


@torch.inference_mode()
def logits(
    model: nn.Module, images: torch.Tensor, normalise: Normaliser, batch_size: int, precision: str
) -> npt.NDArray[np.float32]:
    """Logits of all images.

    Every batch has the same size: the last is filled up with blank images whose logits are
    dropped. So an image's logits do not depend on where in the order it stands.

    Args:
        model: in any mode; left in evaluation mode.
        images: uint8 (n, side, side) on the model's device.
        normalise: the submission's normalisation.
        batch_size: images a batch.
        precision: `fp32` or `bf16`.

    Returns:
        float32 (n, classes) on the CPU.
    """
    model.eval()
    parts = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        missing = batch_size - len(batch)
        if missing:
            batch = torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))])
        with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
            out = model(normalise(as_float(batch)))
        parts.append(out.float()[: batch_size - missing].cpu().numpy())
    return np.concatenate(parts)
