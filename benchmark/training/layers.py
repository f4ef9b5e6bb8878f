"""Layers on a processor whose gradients the harness computes itself: batch norm, depthwise and 1 × 1 convolutions.

They give what PyTorch's give but for rounding, and the same bits on every run. Images are single precision and channels last in
memory; what is not is copied first. Which calls of a network come here, and which gain by it, is `benchmark.training.swap`'s;
docs/performance.md says what was measured.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from benchmark.training.kernels import loops

Pair = tuple[int, int]


def _places(images: torch.Tensor) -> npt.NDArray[np.float32]:
    """(n, channels, height, width) → (n, height, width, channels), contiguous; the same memory where that is channels last."""
    found: npt.NDArray[np.float32] = images.detach().permute(0, 2, 3, 1).contiguous().numpy()
    return found


def _rows(images: torch.Tensor) -> npt.NDArray[np.float32]:
    """(n, channels, height, width) → (n × height × width, channels), likewise."""
    return _places(images).reshape(-1, images.shape[1])


def _like(images: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(images, memory_format=torch.channels_last)


def _unread(channels: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Memory for a loop's sums."""
    return np.empty((2, channels), np.float64), np.empty((3, channels), np.float32)


class Clamped:
    """What was done to the answer of a batch norm right behind it, if anything; its backward pass does both at once.

    Attributes:
        low: that it was clamped to; minus infinity if it was not.
        high: likewise, or infinity.
        passed: the gradient that came back through the clamping.
    """

    def __init__(self) -> None:
        self.low, self.high = -math.inf, math.inf
        self.passed: torch.Tensor | None = None


class Norm(Function):
    """Batch norm in training; its arguments are those of `torch.nn.functional.batch_norm`, and a `Clamped`."""

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        running_mean: torch.Tensor | None,
        running_variance: torch.Tensor | None,
        momentum: float,
        epsilon: float,
        clamped: Clamped,
    ) -> torch.Tensor:
        """The images, normalised; running mean and variance are moved."""
        rows, out = _rows(images), _like(images)
        moments, scratch = _unread(rows.shape[1])
        affine = np.empty((2, rows.shape[1]), np.float32)
        values = weight.detach().contiguous().numpy(), bias.detach().contiguous().numpy()
        loops().norm_forward(rows, *values, epsilon, moments, affine, scratch, _rows(out))
        unbiased = len(rows) / (len(rows) - 1)
        for running, seen in ((running_mean, moments[0]), (running_variance, moments[1] * unbiased)):
            if running is not None:
                running.lerp_(torch.from_numpy(seen.astype(np.float32)), momentum)
        ctx.save_for_backward(images)
        ctx.epsilon, ctx.moments, ctx.affine, ctx.clamped = epsilon, moments, affine, clamped
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of what `forward` took."""
        (images,) = ctx.saved_tensors
        clamped: Clamped = ctx.clamped
        low, high = clamped.low, clamped.high
        if clamped.passed is not None and clamped.passed is not above:
            # the answer was read by something else, too, whose gradient the clamping does not stop
            flowed = _kept(_rows(images), _rows(clamped.passed), ctx.affine, low, high)
            above = above - clamped.passed + torch.from_numpy(flowed).view(_places(images).shape).permute(0, 3, 1, 2)
            low, high = -math.inf, math.inf
        clamped.passed = None
        channels = images.shape[1]
        of_images, of_weight, of_bias = _like(images), torch.empty(channels), torch.empty(channels)
        loops().norm_backward(
            _rows(images), _rows(above), ctx.epsilon, ctx.moments, ctx.affine, low, high, *_unread(channels),
            _rows(of_images), of_weight.numpy(), of_bias.numpy(),
        )  # fmt: skip
        return of_images, of_weight, of_bias, None, None, None, None, None


def _kept(
    rows: npt.NDArray[np.float32],
    passed: npt.NDArray[np.float32],
    affine: npt.NDArray[np.float32],
    low: float,
    high: float,
) -> npt.NDArray[np.float32]:
    """What a clamping lets through of a gradient."""
    answer = rows * affine[0] + affine[1]
    found: npt.NDArray[np.float32] = np.where((answer <= low) | (answer >= high), np.float32(0), passed)
    return found


class Clamp(Function):
    """Clamps the answer of a batch norm in place, and leaves it to that to stop the gradient."""

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, clamped: Clamped, low: float, high: float) -> torch.Tensor:
        """The images, which are changed."""
        clamped.low, clamped.high = low, high
        ctx.clamped = clamped
        ctx.mark_dirty(images)
        return images.clamp_(low, None if high == math.inf else high)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient as it came."""
        ctx.clamped.passed = above
        return above, None, None, None


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
    loops().depthwise_weights(_places(images), _places(above), *stride, *padding, some, found)
    return torch.from_numpy(found).permute(2, 0, 1)[:, None].float().contiguous()


class Pointwise(Function):
    """A convolution with a kernel of 1 × 1, whose weights' gradient is one matrix product."""

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The convolution as it always is."""
        ctx.save_for_backward(images, weight)
        ctx.biased = bias is not None
        return torch.conv2d(images, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of what `forward` took."""
        images, weight = ctx.saved_tensors
        of_images, of_bias = _of_images_and_bias(ctx, above, (1, 1), (0, 0), 1)
        of_weight = None
        if ctx.needs_input_grad[1]:
            flows, seen = (torch.from_numpy(_rows(one)) for one in (above, images))
            of_weight = (flows.t() @ seen).view(weight.shape)
        return of_images, of_weight, of_bias


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
