"""Sends those calls of a network that gain by it to `benchmark.training.layers`, whichever module makes them.

A network is not changed for that: same modules, same names, same weights. What does not fit (another precision, memory that
is not channels last, a dilated kernel, evaluation) is called as it always is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from benchmark.training.layers import Clamp, Clamped, Depthwise, Norm, Pair, Pointwise

PLAIN = (torch.Tensor, torch.nn.Parameter)


def _pair(value: Any) -> Pair | None:
    if isinstance(value, int):
        return value, value
    if isinstance(value, list | tuple) and all(isinstance(one, int) for one in value) and len(value) in (1, 2):
        return value[0], value[-1]
    return None


def _fits(images: Any, *others: Any) -> bool:
    """Whether images are plain ones on a processor, in single precision, and so is all else."""
    return (
        all(type(one) in PLAIN for one in (images, *others))
        and all(one.device.type == "cpu" and one.dtype == torch.float32 for one in (images, *others))
        and images.ndim == 4
        and images.numel() > 0
    )


def _convolved(
    images: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> torch.Tensor | None:
    """A convolution by a layer of ours, or None where none fits."""
    steps, margins = _pair(stride), _pair(padding)
    if steps is None or margins is None or _pair(dilation) != (1, 1):
        return None
    if not (_fits(images, weight) and weight.requires_grad and torch.is_grad_enabled()):
        return None
    found: torch.Tensor | None = None
    if groups > 1 and groups == weight.shape[0] == images.shape[1] and weight.shape[1] == 1:
        found = Depthwise.apply(images, weight, bias, steps, margins)
    elif groups == 1 and weight.shape[2:] == (1, 1) and steps == (1, 1) and margins == (0, 0) and _last(images):
        found = Pointwise.apply(images, weight, bias)
    return found


def _last(images: torch.Tensor) -> bool:
    return images.is_contiguous(memory_format=torch.channels_last)


def _normalised(
    images: torch.Tensor,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[torch.Tensor, Clamped] | None:
    """A batch norm by a layer of ours, or None where it does not fit."""
    moved = [one for one in (running_mean, running_var) if one is not None]
    if not (training and torch.is_grad_enabled() and _fits(images, weight, bias, *moved) and _last(images)):
        return None
    if images.numel() <= images.shape[1]:
        return None  # PyTorch says what is wrong with one value a channel
    clamped = Clamped()
    return Norm.apply(images, weight, bias, running_mean, running_var, momentum, eps, clamped), clamped


def _limits(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[float, float] | None:
    """What a call clamps its first argument to in place, or None for any other call."""
    names = ("input", "min_val", "max_val", "inplace") if func is F.hardtanh else ("input", "inplace")
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    if func not in (F.hardtanh, F.relu6, F.relu) or not given.get("inplace"):
        return None
    if func is F.hardtanh:
        return float(given.get("min_val", -1.0)), float(given.get("max_val", 1.0))
    return 0.0, 6.0 if func is F.relu6 else math.inf


class _Swap(TorchFunctionMode):
    """Sees every call while a network goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self._just: tuple[torch.Tensor, Clamped] | None = None
        """The answer of the call just before, where that was a batch norm of ours."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = {{"input": "images"}.get(name, name): value for name, value in (kwargs or {}).items()}
        just, self._just = self._just, None
        if func is torch.conv2d:
            found = _convolved(*args, **named)
            if found is not None:
                return found
        elif func is F.batch_norm:
            self._just = _normalised(*args, **named)
            if self._just is not None:
                return self._just[0]
        elif just is not None and args and args[0] is just[0] and (limits := _limits(func, args, kwargs or {})):
            return Clamp.apply(just[0], just[1], *limits)
        return func(*args, **(kwargs or {}))


@contextmanager
def faster_layers(enabled: bool = True) -> Iterator[None]:
    """Within it, what a network calls goes to the harness's own layers where these fit.

    Args:
        enabled: else nothing is changed.
    """
    if not enabled:
        yield
        return
    with _Swap():
        yield
