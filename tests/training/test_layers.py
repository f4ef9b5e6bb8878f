"""Layers of ours against PyTorch's, in values, gradients and what else they change."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training.layers import Clamp, Clamped, Depthwise, Norm, Pointwise, depthwise_weights

LAST, FIRST = torch.channels_last, torch.contiguous_format


def drawn(*shape: int, seed: int = 0, form: torch.memory_format = FIRST) -> torch.Tensor:
    made = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).contiguous(memory_format=form)
    return made.requires_grad_()


def gradients(call: Callable[..., torch.Tensor], *leaves: torch.Tensor | None) -> list[torch.Tensor | None]:
    """The answer of a call, and gradients of its arguments under one that is the same for every call."""
    for leaf in leaves:
        if leaf is not None:
            leaf.grad = None
    answer = call(*leaves)
    answer.backward(drawn(*answer.shape, seed=9).detach())
    return [answer.detach(), *(None if leaf is None else leaf.grad for leaf in leaves)]


def same(found: list[torch.Tensor | None], wanted: list[torch.Tensor | None]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("form", [LAST, FIRST])
@pytest.mark.parametrize("shape", [(8, 6, 5, 4), (3, 6, 1, 1), (1, 6, 9, 9)])
def test_pointwise(shape: tuple[int, ...], form: torch.memory_format, biased: bool) -> None:
    leaves = drawn(*shape, form=form), drawn(7, 6, 1, 1, seed=1), drawn(7, seed=2) if biased else None
    same(gradients(Pointwise.apply, *leaves), gradients(F.conv2d, *leaves))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("form", [LAST, FIRST])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (5, 2, 0), (7, 1, 3)])
def test_depthwise(kernel: int, stride: int, padding: int, form: torch.memory_format, biased: bool) -> None:
    leaves = drawn(4, 6, 9, 8, form=form), drawn(6, 1, kernel, kernel, seed=1), drawn(6, seed=2) if biased else None
    ours = gradients(lambda *three: Depthwise.apply(*three, (stride, stride), (padding, padding)), *leaves)
    same(ours, gradients(lambda *three: F.conv2d(*three, stride, padding, groups=6), *leaves))


@given(form=st.sampled_from([LAST, FIRST]), side=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_weights_gradients_do_not_depend_on_the_layout(form: torch.memory_format, side: int) -> None:
    images = torch.randn(3, 4, side, side)
    above = torch.randn(3, 4, side, side)
    plain = depthwise_weights(images, above, (3, 3), (1, 1), (1, 1))
    found = depthwise_weights(images.contiguous(memory_format=form), above, (3, 3), (1, 1), (1, 1))
    assert torch.equal(plain, found) and found.shape == (4, 1, 3, 3)


@pytest.mark.parametrize("limits", [None, (0.0, 6.0), (0.0, float("inf")), (-0.5, 0.25)])
@pytest.mark.parametrize("form", [LAST, FIRST])
@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (9, 5, 1, 1), (2, 1, 5, 5)])
def test_norm_with_what_clamps_it(
    shape: tuple[int, ...], form: torch.memory_format, limits: tuple[float, float] | None
) -> None:
    channels = shape[1]
    leaves = drawn(*shape, form=form), drawn(channels, seed=1), drawn(channels, seed=2)
    moved = [[torch.full((channels,), 0.3), torch.full((channels,), 2.0)] for _ in range(2)]

    def ours(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        clamped = Clamped()
        answer = Norm.apply(images, weight, bias, *moved[0], 0.2, 1e-3, clamped)
        return Clamp.apply(answer, clamped, *limits) if limits else answer

    def theirs(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        answer = F.batch_norm(images, *moved[1], weight, bias, True, 0.2, 1e-3)
        return F.hardtanh(answer, *limits) if limits else answer

    same(gradients(ours, *leaves), gradients(theirs, *leaves))
    for one, other in zip(*moved, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("first", [True, False])
def test_a_gradient_past_the_clamping_is_not_stopped(first: bool) -> None:
    """Where something else reads the norm's answer before it is clamped, its gradient flows everywhere."""
    leaves = drawn(6, 5, 4, 3, form=LAST), drawn(5, seed=1), drawn(5, seed=2)

    def both(answer: torch.Tensor, clamp: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        beside = answer * 3.0 if first else answer.sum()
        return clamp(answer) * 2.0 + beside

    def ours(*three: torch.Tensor) -> torch.Tensor:
        clamped = Clamped()
        answer = Norm.apply(*three, None, None, 0.1, 1e-5, clamped)
        return both(answer, lambda one: Clamp.apply(one, clamped, 0.0, 6.0))

    def theirs(*three: torch.Tensor) -> torch.Tensor:
        return both(F.batch_norm(three[0], None, None, *three[1:], True), lambda one: F.relu6(one))

    same(gradients(ours, *leaves), gradients(theirs, *leaves))


@pytest.mark.parametrize("call", [
    lambda images, weight: Pointwise.apply(images, weight, None),
    lambda images, weight: Depthwise.apply(images, weight, None, (1, 1), (0, 0)),
], ids=["pointwise", "depthwise"])  # fmt: skip
def test_what_is_frozen_gets_no_gradient(call: Any) -> None:
    images, weight = drawn(2, 1, 4, 4), drawn(1, 1, 1, 1, seed=1)
    call(images.detach(), weight).sum().backward()
    assert weight.grad is not None and images.grad is None
    weight.grad = None
    call(images, weight.detach()).sum().backward()
    assert images.grad is not None and weight.grad is None


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    leaves = drawn(4, 5, 3, 3), drawn(5, seed=1), drawn(5, seed=2)
    answer = Norm.apply(*leaves, None, None, 0.1, 1e-5, Clamped())
    (slope,) = torch.autograd.grad(answer.square().sum(), leaves[0], create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        slope.sum().backward()
