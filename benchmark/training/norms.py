"""Batch norm in training on a processor, with the ReLU right behind it and the 1 × 1 convolution right before.

Layers give what PyTorch's give but for rounding, and the same bits on every run. Images are single precision and channels last in
memory; what is not is copied first. Which calls of a network come here, and which gain by it, is `benchmark.training.swap`'s;
docs/performance.md says what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from benchmark.training.arrays import like, places, rows
from benchmark.training.kernels import loops
from benchmark.training.later import Later
from benchmark.training.passes import BLOCK, Double, Single

NEAR = 1 << 19
"""Bytes of a part of the maps that is still in a core's own cache when it is read again."""


class Clamped(Later):
    """What was done to the answer of a batch norm right behind it, if anything; its backward pass does both at once.

    Attributes:
        low: that it was clamped to; minus infinity if it was not.
        high: likewise, or infinity.
        passed: the gradient that came back through the clamping.
    """

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = -math.inf, math.inf
        self.passed: torch.Tensor | None = None


class Sums:
    """What mean and variance of every channel are made of, part by part.

    Args:
        first: a row of the maps, (channels,).
    """

    def __init__(self, first: Single) -> None:
        self.near = first.copy()
        self.total, self.squares = np.zeros((2, len(first)))
        self._scratch = np.empty((2, len(first)), np.float32)

    def add(self, part: Single) -> None:
        """More rows, of which there are `BLOCK` times something in every part but the last."""
        loops().norm_sums(part, self.near, self.total, self.squares, self._scratch)


class Moments(NamedTuple):
    """Of every channel, (channels,) each.

    Attributes:
        mean: double.
        variance: with n, not n − 1, below; double.
        epsilon: added to it.
        affine: scale and shift that make the answer, and the mean, (3, channels).
    """

    mean: Double
    variance: Double
    epsilon: float
    affine: Single

    @classmethod
    def of(cls, sums: Sums, count: int, weight: torch.Tensor, bias: torch.Tensor, epsilon: float) -> Moments:
        """Of `count` rows."""
        moments, affine = np.empty((2, len(sums.near))), np.empty((3, len(sums.near)), np.float32)
        values = (one.detach().contiguous().numpy() for one in (weight, bias))
        loops().norm_moments(sums.near, sums.total, sums.squares, count, *values, epsilon, moments, affine)
        return cls(moments[0], moments[1], epsilon, affine)

    def move(self, mean: torch.Tensor | None, variance: torch.Tensor | None, count: int, momentum: float) -> None:
        """Move running statistics, where there are any."""
        for running, seen in ((mean, self.mean), (variance, self.variance * (count / (count - 1)))):
            if running is not None:
                running.lerp_(torch.from_numpy(seen.astype(np.float32)), momentum)


class Flow:
    """The gradient of a batch norm whose answer was clamped, from above.

    Args:
        normalised: the rows that were normalised.
        above: gradient of the answer, (n, channels, height, width).
        moments: of the rows.
        clamped: what was done to the answer.
    """

    def __init__(self, normalised: Single, above: torch.Tensor, moments: Moments, clamped: Clamped) -> None:
        low, high = clamped.low, clamped.high
        if clamped.passed is not None and clamped.passed is not above:
            # the answer was read by something else, too, whose gradient the clamping does not stop
            flowed = _kept(normalised, rows(clamped.passed), moments.affine, low, high)
            above = above - clamped.passed + torch.from_numpy(flowed).view(places(above).shape).permute(0, 3, 1, 2)
            low, high = -math.inf, math.inf
        clamped.passed = None
        count, channels = normalised.shape
        self._rows, self._above = normalised, rows(above)
        self._how = moments.affine, low, high
        sums, self._slopes = np.zeros((2, channels)), np.empty((4, channels), np.float32)
        loops().norm_backward_sums(
            normalised, self._above, *self._how, sums, np.empty((2, channels), np.float32)
        )  # fmt: skip
        loops().norm_slopes(sums, moments.variance, moments.epsilon, count, moments.affine, self._slopes)
        self.of_weight, self.of_bias = torch.from_numpy(self._slopes[:2])

    def back(self, out: Single, first: int = 0) -> None:
        """Gradient of as many rows as there is room for, from one on."""
        part = slice(first, first + len(out))
        loops().norm_backward_apply(self._rows[part], self._above[part], *self._how, self._slopes, out)


def _kept(normalised: Single, passed: Single, affine: Single, low: float, high: float) -> Single:
    """What a clamping lets through of a gradient."""
    answer = normalised * affine[0] + affine[1]
    found: Single = np.where((answer <= low) | (answer >= high), np.float32(0), passed)
    return found


def _answer(images: torch.Tensor, normalised: Single, affine: Single, clamped: Clamped) -> torch.Tensor:
    """Room for the answer of a norm, which `clamped` makes."""
    out = like(images, normalised.shape[1])
    there = rows(out)
    clamped.make = lambda: loops().norm_apply(normalised, affine, clamped.low, clamped.high, there)
    return out


class Norm(Function):
    """Batch norm in training (Ioffe & Szegedy 2015); its arguments are those of `torch.nn.functional.batch_norm`, and two."""

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
        later: bool,
    ) -> torch.Tensor:
        """The images, normalised, at once or when `clamped` is settled; running mean and variance are moved."""
        values = rows(images)
        sums = Sums(values[0])
        sums.add(values)
        moments = Moments.of(sums, len(values), weight, bias, epsilon)
        moments.move(running_mean, running_variance, len(values), momentum)
        ctx.save_for_backward(images)
        ctx.moments, ctx.clamped = moments, clamped
        out = _answer(images, values, moments.affine, clamped)
        if not later:
            clamped.settle()
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of what `forward` took."""
        (images,) = ctx.saved_tensors
        flow, of_images = Flow(rows(images), above, ctx.moments, ctx.clamped), like(images)
        flow.back(rows(of_images))
        return of_images, flow.of_weight, flow.of_bias, *(None,) * 6


class Clamp(Function):
    """Clamps the answer of a batch norm in place, and leaves it to that to stop the gradient."""

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, clamped: Clamped, low: float, high: float) -> torch.Tensor:
        """The images, which are changed."""
        clamped.low, clamped.high = low, high
        ctx.clamped = clamped
        ctx.mark_dirty(images)
        if clamped.make is not None:  # it is made as it is after the clamping
            clamped.settle()
            return images
        return images.clamp_(low, None if high == math.inf else high)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient as it came."""
        ctx.clamped.passed = above
        return above, None, None, None


def _parts(count: int, channels: int) -> Iterator[slice]:
    """Rows, so many at once that they stay near."""
    size = max(1, NEAR // (4 * channels * BLOCK)) * BLOCK
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))


class PointwiseNorm(Function):
    """A convolution with a kernel of 1 × 1 and the batch norm behind it.

    The convolution's answer is summed, and on the way back its gradient is used, part by part while it is near; that gradient is
    never written whole.
    """

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        kernel: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        running_mean: torch.Tensor | None,
        running_variance: torch.Tensor | None,
        momentum: float,
        epsilon: float,
        clamped: Clamped,
    ) -> torch.Tensor:
        """Room for the images, convolved and normalised, which settling `clamped` fills; arguments as of `Norm`, and the kernel."""
        seen, taps = torch.from_numpy(rows(images)), kernel.detach().view(kernel.shape[:2])
        convolved = torch.empty((len(seen), len(taps)))
        values: Single = convolved.numpy()
        sums: Sums | None = None
        for part in _parts(*values.shape):
            torch.mm(seen[part], taps.t(), out=convolved[part])
            sums = sums or Sums(values[0])
            sums.add(values[part])
        assert sums is not None
        moments = Moments.of(sums, len(values), weight, bias, epsilon)
        moments.move(running_mean, running_variance, len(values), momentum)
        ctx.save_for_backward(images, kernel, convolved)
        ctx.moments, ctx.clamped = moments, clamped
        return _answer(images, values, moments.affine, clamped)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of what `forward` took."""
        images, kernel, convolved = ctx.saved_tensors
        flow = Flow(convolved.numpy(), above, ctx.moments, ctx.clamped)
        seen, taps = torch.from_numpy(rows(images)), kernel.view(kernel.shape[:2])
        of_images = like(images) if ctx.needs_input_grad[0] else None
        of_seen = None if of_images is None else torch.from_numpy(rows(of_images))
        of_taps = torch.empty_like(taps)
        room: torch.Tensor | None = None
        for part in _parts(*convolved.shape):
            room = torch.empty((part.stop - part.start, len(taps))) if room is None else room[: part.stop - part.start]
            flow.back(room.numpy(), part.start)
            if of_seen is not None:
                torch.mm(room, taps, out=of_seen[part])
            of_taps.addmm_(room.t(), seen[part], beta=float(part.start > 0))
        return of_images, of_taps.view(kernel.shape), flow.of_weight, flow.of_bias, *(None,) * 5
