"""Convolutions on a processor whose gradients the harness computes itself: depthwise and 1 × 1 ones, and padding before them.

See `benchmark.training.norms` for what holds for all layers of ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from benchmark.training.arrays import like, places, rows
from benchmark.training.kernels import loops
from benchmark.training.later import Later

Pair = tuple[int, int]
Margins = tuple[int, int, int, int]
"""Left, right, above and below, as `torch.nn.functional.pad` takes them."""


class Padded(Function):
    """Zeros around images, when `later` is settled."""

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, margins: Margins, later: Later) -> torch.Tensor:
        """Room for the images with their margins."""
        left, right, above, below = ctx.margins = margins
        out = like(images, sides=(images.shape[2] + above + below, images.shape[3] + left + right))
        seen, there = images.detach(), out.detach()
        later.make = lambda: there.copy_(F.pad(seen, margins))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient without the margins."""
        return F.pad(above, [-one for one in ctx.margins]), None, None


class Depthwise(Function):
    """A depthwise convolution; its arguments are those of `torch.conv2d`."""

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Pair, padding: Pair
    ) -> torch.Tensor:
        """The convolution as it always is."""
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding, ctx.biased = stride, padding, bias is not None
        return torch.conv2d(images, weight, bias, stride, padding, groups=weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of what `forward` took."""
        images, weight = ctx.saved_tensors
        of_images, of_bias = _of_images_and_bias(ctx, above, ctx.stride, ctx.padding, weight.shape[0])
        of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = depthwise_weights(images, above, weight.shape[2:], ctx.stride, ctx.padding)
        return of_images, of_weight, of_bias, None, None


class PaddedDepthwise(Function):
    """A depthwise convolution of images with margins, which are never made."""

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Pair, margins: Margins
    ) -> torch.Tensor:
        """The convolution; margins are those before its own padding, of which it has none."""
        ctx.save_for_backward(images, weight)
        ctx.biased, ctx.where = bias is not None, (*stride, margins[2], margins[0])
        whole = images.shape[2] + margins[2] + margins[3], images.shape[3] + margins[0] + margins[1]
        down, across = (
            (side - extent) // step + 1 for side, extent, step in zip(whole, weight.shape[2:], stride, strict=True)
        )
        out = like(images, sides=(down, across))
        loops().depthwise(places(images), _taps(weight), *ctx.where, places(out))
        return out if bias is None else out.add_(bias[:, None, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of what `forward` took."""
        images, weight = ctx.saved_tensors
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:
            of_images = like(images)
            loops().depthwise_images(places(above), _taps(weight), *ctx.where, places(of_images))
        if ctx.needs_input_grad[1]:
            of_weight = depthwise_weights(images, above, weight.shape[2:], ctx.where[:2], ctx.where[2:])
        return of_images, of_weight, above.sum((0, 2, 3)) if ctx.biased else None, None, None


def _taps(weight: torch.Tensor) -> Any:
    """(channels, 1, height, width) → (height, width, channels)."""
    return weight.detach()[:, 0].permute(1, 2, 0).contiguous().numpy()


def depthwise_weights(
    images: torch.Tensor, above: torch.Tensor, kernel: Pair, stride: Pair, padding: Pair
) -> torch.Tensor:
    """Gradient of the weights of a depthwise convolution.

    Args:
        images: its input, (n, channels, height, width).
        above: gradient of its answer, (n, channels, height of the answer, width of the answer).
        kernel: its height and width.
        stride: likewise.
        padding: likewise.

    Returns:
        (channels, 1, *kernel).
    """
    some, found = (np.zeros((*kernel, images.shape[1]), kind) for kind in (np.float32, np.float64))
    loops().depthwise_weights(places(images), places(above), *stride, *padding, some, found)
    return torch.from_numpy(found).permute(2, 0, 1)[:, None].float().contiguous()


class Pointwise(Function):
    """A convolution with a kernel of 1 × 1, whose weights' gradient is one matrix product."""

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, later: Later | None
    ) -> torch.Tensor:
        """The convolution as it always is, or room for it, which is filled when `later` is settled."""
        ctx.save_for_backward(images, weight)
        ctx.biased = bias is not None
        if later is None:
            return torch.conv2d(images, weight, bias)
        out = like(images, len(weight))
        values, there = (images.detach(), weight.detach(), None if bias is None else bias.detach()), out.detach()
        later.make = lambda: there.copy_(torch.conv2d(*values))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of what `forward` took."""
        images, weight = ctx.saved_tensors
        of_images, of_bias = _of_images_and_bias(ctx, above, (1, 1), (0, 0), 1)
        of_weight = None
        if ctx.needs_input_grad[1]:
            flows, seen = (torch.from_numpy(rows(one)) for one in (above, images))
            of_weight = (flows.t() @ seen).view(weight.shape)
        return of_images, of_weight, of_bias, None


def _of_images_and_bias(
    ctx: Any, above: torch.Tensor, stride: Pair, padding: Pair, groups: int
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Gradients of what a convolution took and of its bias, by the library, as far as they are wanted."""
    images, weight = ctx.saved_tensors
    of_images = of_bias = None
    if ctx.needs_input_grad[0]:
        of_images = torch.ops.aten.convolution_backward(
            above, images, weight, None, stride, padding, (1, 1), False, (0, 0), groups, (True, False, False)
        )[0]
    if ctx.biased and ctx.needs_input_grad[2]:
        of_bias = above.sum((0, 2, 3))
    return of_images, of_bias
