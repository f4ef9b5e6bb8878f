"""Sends those calls of a network that gain by it to layers of the harness, whichever module makes them.

A network is not changed for that: same modules, same names, same weights. What does not fit (another precision, memory that
is not channels last, a dilated kernel, evaluation) is called as it always is.

Where nothing but Python's functions of torch can read what they give, which is so in a network of timm's own, an answer may wait for
the call that needs it (`plain`): padding for the depthwise convolution that does without it, a 1 × 1 convolution for the batch norm
behind it, a batch norm for the ReLU. Whatever else touches the answer, or what it is made of, has it made first.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from benchmark.training.convolutions import Depthwise, Padded, PaddedDepthwise, Pair, Pointwise
from benchmark.training.later import Later
from benchmark.training.norms import Clamp, Clamped, Norm, PointwiseNorm

PLAIN = (torch.Tensor, torch.nn.Parameter)

LOOKS = {
    torch.Tensor.size, torch.Tensor.dim, torch.Tensor.is_floating_point, torch.Tensor.is_contiguous,
    *(getattr(torch.Tensor, name).__get__ for name in ("shape", "ndim", "dtype", "device", "requires_grad", "is_leaf")),
}  # fmt: skip
"""Calls that read no value."""


class Waiting(NamedTuple):
    """An answer that is not made yet.

    Attributes:
        answer: where it will be; when nobody has it any more, it need not be made.
        later: makes it.
        layer: that it waits for.
        made_of: the arguments of that.
    """

    answer: weakref.ref[torch.Tensor]
    later: Later
    layer: type
    made_of: tuple[Any, ...]


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


def _last(images: torch.Tensor) -> bool:
    return images.is_contiguous(memory_format=torch.channels_last)


class Convolution(NamedTuple):
    """The arguments of `torch.conv2d`."""

    images: Any
    weight: Any
    bias: Any = None
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1


class Normalisation(NamedTuple):
    """The arguments of `torch.nn.functional.batch_norm`."""

    images: Any
    running_mean: Any
    running_var: Any
    weight: Any = None
    bias: Any = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5

    def fits(self) -> bool:
        """Whether ours is the same."""
        moved = [one for one in (self.running_mean, self.running_var) if one is not None]
        if not (self.training and self.eps > 0 and torch.is_grad_enabled()):  # PyTorch says what is wrong with others
            return False
        return (
            _fits(self.images, self.weight, self.bias, *moved)
            and _last(self.images)
            and self.images.numel() > self.images.shape[1]  # as of one value a channel
        )


def _limits(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[float, float] | None:
    """What a call clamps its first argument to in place, or None for any other call."""
    names = ("input", "min_val", "max_val", "inplace") if func is F.hardtanh else ("input", "inplace")
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    if func not in (F.hardtanh, F.relu6, F.relu) or not given.get("inplace"):
        return None
    if func is F.hardtanh:
        return float(given.get("min_val", -1.0)), float(given.get("max_val", 1.0))
    return 0.0, 6.0 if func is F.relu6 else math.inf


def _tensors(values: Iterable[Any], found: set[int]) -> set[int]:
    """Which tensors a call is given, however deep, by `id`."""
    for one in values:
        if isinstance(one, torch.Tensor):
            found.add(id(one))
        elif isinstance(one, list | tuple):
            _tensors(one, found)
        elif isinstance(one, dict):
            _tensors(one.values(), found)
    return found


class _Swap(TorchFunctionMode):
    """Sees every call while a network goes forward.

    Args:
        plain: whether answers may wait.
    """

    def __init__(self, plain: bool) -> None:
        super().__init__()
        self.plain = plain
        self._just: tuple[torch.Tensor, Clamped] | None = None
        """The answer of the call just before, where that was a batch norm of ours."""
        self._waiting: list[Waiting] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in LOOKS:
            return func(*args, **given)
        named = {"images" if name == "input" else name: value for name, value in given.items()} if given else given
        just, self._just = self._just, None
        waits = self._touched(args, given) if self._waiting else None
        found: torch.Tensor | None = None
        if func is torch.conv2d:
            found = self._convolved(Convolution(*args, **named), waits)
        elif func is F.batch_norm:
            found = self._normalised(Normalisation(*args, **named), waits)
        elif func is F.pad and self.plain:
            found = self._padded(waits, *args, **named)
        elif just is not None and args and args[0] is just[0] and (limits := _limits(func, args, given)):
            found = Clamp.apply(just[0], just[1], *limits)
        if found is not None:
            return found
        if waits is not None:
            waits.later.settle()
        return func(*args, **given)

    def _touched(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Waiting | None:
        """Make all that a call touches, but what it takes first, which is returned."""
        leaves = _tensors(kwargs.values(), _tensors(args, set()))
        first, left = None, []
        for one in self._waiting:
            answer = one.answer()
            if answer is None or one.later.make is None:
                continue
            if args and args[0] is answer:
                first = one
            elif id(answer) in leaves or any(id(other) in leaves for other in one.made_of):
                one.later.settle()
                continue
            left.append(one)
        self._waiting = left
        return first

    def _wait(self, answer: torch.Tensor, later: Later, layer: type, *made_of: Any) -> torch.Tensor:
        self._waiting.append(Waiting(weakref.ref(answer), later, layer, made_of))
        return answer

    def settle(self) -> None:
        """Make all that somebody still has."""
        for one in self._waiting:
            if one.answer() is not None:
                one.later.settle()
        self._waiting.clear()

    def _convolved(self, call: Convolution, waits: Waiting | None) -> torch.Tensor | None:
        """A convolution by a layer of ours, or None where none fits."""
        steps, margins = _pair(call.stride), _pair(call.padding)
        if steps is None or margins is None or _pair(call.dilation) != (1, 1):
            return None
        if not (_fits(call.images, call.weight) and call.weight.requires_grad and torch.is_grad_enabled()):
            return None
        images, weight, bias = call[:3]
        depthwise = call.groups > 1 and call.groups == weight.shape[0] == images.shape[1] and weight.shape[1] == 1
        if depthwise and waits is not None and waits.layer is Padded and margins == (0, 0):
            return _given(PaddedDepthwise.apply(waits.made_of[0], weight, bias, steps, waits.made_of[1]))
        if waits is not None:
            waits.later.settle()
        if depthwise:
            return _given(Depthwise.apply(images, weight, bias, steps, margins))
        if call.groups > 1 or weight.shape[2:] != (1, 1) or steps != (1, 1) or margins != (0, 0) or not _last(images):
            return None
        if self.plain and bias is None:  # a norm may follow
            later = Later()
            return self._wait(Pointwise.apply(images, weight, bias, later), later, Pointwise, images, weight)
        return _given(Pointwise.apply(images, weight, bias, None))

    def _normalised(self, call: Normalisation, waits: Waiting | None) -> torch.Tensor | None:
        """A batch norm by a layer of ours, or None where it does not fit."""
        if not call.fits():
            return None
        clamped = Clamped()
        rest = call.weight, call.bias, call.running_mean, call.running_var, call.momentum, call.eps, clamped
        made_of: tuple[Any, ...] = ()
        if waits is not None and waits.layer is Pointwise:
            answer = PointwiseNorm.apply(*waits.made_of, *rest)
        else:
            if waits is not None:
                waits.later.settle()
            answer, made_of = Norm.apply(call.images, *rest, self.plain), (call.images,)
        self._just = answer, clamped
        return self._wait(answer, clamped, Norm, *made_of) if self.plain else answer

    def _padded(self, waits: Waiting | None, images: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
        """Images with zeros around them, or None for other padding."""
        sides = (
            isinstance(pad, list | tuple) and len(pad) == 4 and all(isinstance(one, int) and one >= 0 for one in pad)
        )
        if mode != "constant" or value or not sides or not (_fits(images) and _last(images)):
            return None
        if not (images.requires_grad and torch.is_grad_enabled()):
            return None
        if waits is not None:
            waits.later.settle()
        later = Later()
        return self._wait(Padded.apply(images, tuple(pad), later), later, Padded, images, tuple(pad))


def _given(answer: Any) -> torch.Tensor:
    """What a layer gives, to the type checker."""
    found: torch.Tensor = answer
    return found


@contextmanager
def faster_layers(enabled: bool = True, plain: bool = False) -> Iterator[None]:
    """Within it, what a network calls goes to the harness's own layers where these fit.

    Args:
        enabled: else nothing is changed.
        plain: whether the network is one of timm's own, so that answers may wait for what needs them.
    """
    if not enabled:
        yield
        return
    swap = _Swap(plain)
    with swap:
        yield
    swap.settle()
