"""Convolutions of ours against PyTorch's, in values and gradients."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training.convolutions import Depthwise, Padded, PaddedDepthwise, Pointwise, depthwise_weights
from benchmark.training.later import Later
from tests.training.gradients import FIRST, LAST, drawn, gradients, same


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("form", [LAST, FIRST])
@pytest.mark.parametrize("shape", [(8, 6, 5, 4), (3, 6, 1, 1), (1, 6, 9, 9)])
def test_pointwise(shape: tuple[int, ...], form: torch.memory_format, biased: bool) -> None:
    leaves = drawn(*shape, form=form), drawn(7, 6, 1, 1, seed=1), drawn(7, seed=2) if biased else None
    theirs = gradients(F.conv2d, *leaves)
    same(gradients(lambda *three: Pointwise.apply(*three, None), *leaves), theirs)
    later = Later()

    def waits(*three: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = Pointwise.apply(*three, later)
        later.settle()
        return answer

    same(gradients(waits, *leaves), theirs)


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


@given(
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    margins=st.tuples(*(st.integers(0, 3) for _ in range(4))),
    form=st.sampled_from([LAST, FIRST]),
    biased=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_padded_depthwise(
    sides: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    margins: tuple[int, int, int, int],
    form: torch.memory_format,
    biased: bool,
) -> None:
    if sides[0] + margins[2] + margins[3] < kernel[0] or sides[1] + margins[0] + margins[1] < kernel[1]:
        return
    leaves = drawn(3, 5, *sides, form=form), drawn(5, 1, *kernel, seed=1), drawn(5, seed=2) if biased else None
    ours = gradients(lambda *three: PaddedDepthwise.apply(*three, stride, margins), *leaves)
    same(ours, gradients(lambda images, *two: F.conv2d(F.pad(images, margins), *two, stride, groups=5), *leaves))


@pytest.mark.parametrize("form", [LAST, FIRST])
def test_padding_is_made_when_it_is_settled(form: torch.memory_format) -> None:
    images, margins = drawn(2, 3, 4, 5, form=form), (1, 0, 2, 3)

    def ours(leaf: torch.Tensor) -> torch.Tensor:
        later = Later()
        answer: torch.Tensor = Padded.apply(leaf, margins, later)
        later.settle()
        return answer

    same(gradients(ours, images), gradients(lambda leaf: F.pad(leaf, margins), images))


@pytest.mark.parametrize("call", [
    lambda images, weight: Pointwise.apply(images, weight, None, None),
    lambda images, weight: Depthwise.apply(images, weight, None, (1, 1), (0, 0)),
    lambda images, weight: PaddedDepthwise.apply(images, weight, None, (1, 1), (0, 0, 0, 0)),
], ids=["pointwise", "depthwise", "padded depthwise"])  # fmt: skip
def test_what_is_frozen_gets_no_gradient(call: Any) -> None:
    images, weight = drawn(2, 1, 4, 4), drawn(1, 1, 1, 1, seed=1)
    call(images.detach(), weight).sum().backward()
    assert weight.grad is not None and images.grad is None
    weight.grad = None
    call(images, weight.detach()).sum().backward()
    assert images.grad is not None and weight.grad is None
