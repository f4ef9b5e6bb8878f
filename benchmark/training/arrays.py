"""Images as the loops of a processor take them: arrays with the channels innermost."""

from __future__ import annotations

import torch

from benchmark.training.passes import Single


def places(images: torch.Tensor) -> Single:
    """(n, channels, height, width) → (n, height, width, channels), contiguous; the same memory where that is channels last."""
    found: Single = images.detach().permute(0, 2, 3, 1).contiguous().numpy()
    return found


def rows(images: torch.Tensor) -> Single:
    """(n, channels, height, width) → (n × height × width, channels), likewise."""
    return places(images).reshape(-1, images.shape[1])


def like(images: torch.Tensor, channels: int | None = None, sides: tuple[int, int] | None = None) -> torch.Tensor:
    """Memory for as many images, channels last, in single precision.

    Args:
        images: (n, channels, height, width).
        channels: of the new ones, if others.
        sides: their height and width, if others.
    """
    shape = len(images), channels or images.shape[1], *(sides or images.shape[2:])
    return torch.empty(shape, memory_format=torch.channels_last)
