"""Depthwise convolutions of small maps on a CPU: the gradient of their weights, fast.

oneDNN has no fast form of this gradient where a map is no larger than the kernel: it falls back to one
small matrix product a channel, up to a hundred times slower than it need be, and in a mobile network at
64 pixels that is a quarter to a half of the whole step. There, and where the answer is small against the
kernel, every tap of the kernel is one product of two views and a sum over images and places; taps that
only see padding are left out.

See docs/performance.md for what it gains. Sums are taken in another order than oneDNN's, so
that results differ by rounding; they are the same on every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]


def _overlap(inputs: int, outputs: int, stride: int, shift: int) -> tuple[slice, slice]:
    """Places of the input and of the output that meet under one tap, whose input is at stride × output + shift."""
    first = max(0, -(shift // stride))
    last = min(outputs - 1, (inputs - 1 - shift) // stride)
    if last < first:
        return slice(0), slice(0)
    return slice(first * stride + shift, last * stride + shift + 1, stride), slice(first, last + 1)


def weight_gradient(
    images: torch.Tensor, above: torch.Tensor, kernel: Pair, stride: Pair, padding: Pair
) -> torch.Tensor:
    """Gradient of the weights of a depthwise convolution.

    Args:
        images: its input, (n, channels, height, width).
        above: gradient of its output, (n, channels, height of output, width of output).
        kernel: its height and width.
        stride: likewise.
        padding: likewise.

    Returns:
        (channels, 1, *kernel).
    """
    inputs, outputs = images.permute(0, 2, 3, 1), above.permute(0, 2, 3, 1)
    found = images.new_zeros(*kernel, images.shape[1])
    columns = [_overlap(images.shape[3], above.shape[3], stride[1], column - padding[1]) for column in range(kernel[1])]
    for row in range(kernel[0]):
        rows = _overlap(images.shape[2], above.shape[2], stride[0], row - padding[0])
        for column, places in enumerate(columns):
            if rows[1].stop and places[1].stop:
                seen, answered = inputs[:, rows[0], places[0]], outputs[:, rows[1], places[1]]
                torch.sum(seen * answered, dim=(0, 1, 2), out=found[row, column])
    return found.permute(2, 0, 1)[:, None].contiguous()


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution whose weights get `weight_gradient`."""

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Pair, padding: Pair
    ) -> torch.Tensor:
        """The convolution as it always is."""
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding, ctx.biased = stride, padding, bias is not None
        return torch.conv2d(images, weight, bias, stride, padding, groups=weight.shape[0])

    @staticmethod
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of what `forward` took."""
        images, weight = ctx.saved_tensors
        of_images = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_images = torch.ops.aten.convolution_backward(
                above, images, weight, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), weight.shape[0],
                (True, False, False),
            )[0]  # fmt: skip
        if ctx.needs_input_grad[1]:
            of_weight = weight_gradient(images, above, tuple(weight.shape[2:]), ctx.stride, ctx.padding)
        if ctx.biased and ctx.needs_input_grad[2]:
            of_bias = above.sum((0, 2, 3))
        return of_images, of_weight, of_bias, None, None


def _pair(value: Any) -> Pair | None:
    if isinstance(value, int):
        return value, value
    if isinstance(value, list | tuple) and all(isinstance(one, int) for one in value) and len(value) in (1, 2):
        return value[0], value[-1]
    return None


def _settings(
    images: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Any, ...] | None:
    """Arguments of `_Depthwise`, where a call of conv2d is one that gains by it."""
    steps, margins = _pair(stride), _pair(padding)
    if steps is None or margins is None or _pair(dilation) != (1, 1) or images.ndim != 4:
        return None
    if not (groups > 1 and groups == weight.shape[0] == images.shape[1] and weight.shape[1] == 1):
        return None
    if images.device.type != "cpu" or images.dtype != torch.float32 or weight.dtype != torch.float32:
        return None
    if not (weight.requires_grad and torch.is_grad_enabled()):
        return None
    if not _small(images.shape[2:], weight.shape[2:], steps, margins):
        return None
    return images, weight, bias, steps, margins


def _small(sides: Sequence[int], kernel: Sequence[int], stride: Pair, padding: Pair) -> bool:
    """Whether a map is no larger than the kernel, or its answer no larger than half of it: measured, see the docs."""
    answer = [
        (side + 2 * margin - extent) // step + 1
        for side, extent, step, margin in zip(sides, kernel, stride, padding, strict=True)
    ]
    return any(side <= extent for side, extent in zip(sides, kernel, strict=True)) or all(
        2 * side <= extent for side, extent in zip(answer, kernel, strict=True)
    )


class _Swap(TorchFunctionMode):
    """Sends the calls of conv2d that gain by it to `_Depthwise`, whichever module makes them."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.conv2d:
            found = _settings(*args, **{{"input": "images"}.get(name, name): value for name, value in kwargs.items()})
            if found:
                return _Depthwise.apply(*found)
        return func(*args, **kwargs)


@contextmanager
def fast_depthwise(enabled: bool = True) -> Iterator[None]:
    """Within it, depthwise convolutions of small maps that are trained on a CPU take the fast gradient.

    Args:
        enabled: else nothing is changed.
    """
    if not enabled:
        yield
        return
    with _Swap():
        yield
