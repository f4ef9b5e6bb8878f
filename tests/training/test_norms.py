"""Batch norms of ours against PyTorch's, in values, gradients and what else they change."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from benchmark.training import norms
from benchmark.training.norms import Clamp, Clamped, Norm, PointwiseNorm
from tests.training.gradients import FIRST, LAST, drawn, gradients, same


@pytest.mark.parametrize("limits", [None, (0.0, 6.0), (0.0, float("inf")), (-0.5, 0.25)])
@pytest.mark.parametrize("form", [LAST, FIRST])
@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (9, 5, 1, 1), (2, 1, 5, 5)])
@pytest.mark.parametrize("later", [False, True])
def test_norm_with_what_clamps_it(
    later: bool, shape: tuple[int, ...], form: torch.memory_format, limits: tuple[float, float] | None
) -> None:
    channels = shape[1]
    leaves = drawn(*shape, form=form), drawn(channels, seed=1), drawn(channels, seed=2)
    moved = [[torch.full((channels,), 0.3), torch.full((channels,), 2.0)] for _ in range(2)]

    def ours(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        clamped = Clamped()
        answer = Norm.apply(images, weight, bias, *moved[0], 0.2, 1e-3, clamped, later)
        answer = Clamp.apply(answer, clamped, *limits) if limits else answer
        clamped.settle()
        return answer

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
        answer = Norm.apply(*three, None, None, 0.1, 1e-5, clamped, False)
        return both(answer, lambda one: Clamp.apply(one, clamped, 0.0, 6.0))

    def theirs(*three: torch.Tensor) -> torch.Tensor:
        return both(F.batch_norm(three[0], None, None, *three[1:], True), lambda one: F.relu6(one))

    same(gradients(ours, *leaves), gradients(theirs, *leaves))


@pytest.mark.parametrize("near", [1, 3000, 1 << 19], ids=["64 rows a part", "128 rows", "all rows"])
@pytest.mark.parametrize("form", [LAST, FIRST])
@pytest.mark.parametrize("limits", [None, (0.0, 6.0)])
def test_a_convolution_with_its_norm(
    limits: tuple[float, float] | None, form: torch.memory_format, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 rows, so that parts of several sizes occur, the last one smaller."""
    monkeypatch.setattr(norms, "NEAR", near)
    leaves = drawn(3, 7, 10, 10, form=form), drawn(5, 7, 1, 1, seed=3), drawn(5, seed=1), drawn(5, seed=2)
    moved = [[torch.full((5,), 0.3), torch.full((5,), 2.0)] for _ in range(2)]

    def ours(*four: torch.Tensor) -> torch.Tensor:
        clamped = Clamped()
        answer: torch.Tensor = PointwiseNorm.apply(*four, *moved[0], 0.2, 1e-3, clamped)
        answer = Clamp.apply(answer, clamped, *limits) if limits else answer
        clamped.settle()
        return answer

    def theirs(images: torch.Tensor, kernel: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        answer = F.batch_norm(F.conv2d(images, kernel), *moved[1], weight, bias, True, 0.2, 1e-3)
        return F.hardtanh(answer, *limits) if limits else answer

    same(gradients(ours, *leaves), gradients(theirs, *leaves))
    for one, other in zip(*moved, strict=True):
        torch.testing.assert_close(one, other)


def test_weights_that_are_apart_in_memory() -> None:
    leaves = drawn(4, 5, 3, 3, form=LAST), drawn(10, seed=1), drawn(1, seed=2)

    def ours(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = Norm.apply(images, weight[::2], bias.expand(5), None, None, 0.1, 1e-5, Clamped(), False)
        return answer

    def theirs(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(images, None, None, weight[::2], bias.expand(5), True)

    same(gradients(ours, *leaves), gradients(theirs, *leaves))


def test_a_convolution_of_what_needs_no_gradient() -> None:
    images, kernel, weight, bias = drawn(2, 3, 4, 4), drawn(5, 3, 1, 1, seed=3), drawn(5, seed=1), drawn(5, seed=2)
    clamped = Clamped()
    answer = PointwiseNorm.apply(images.detach(), kernel, weight, bias, None, None, 0.1, 1e-5, clamped)
    clamped.settle()
    answer.square().sum().backward()
    assert images.grad is None and kernel.grad is not None


def test_parts_do_not_change_the_bits_of_the_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    images, kernel = drawn(3, 7, 10, 10, form=LAST), drawn(5, 7, 1, 1, seed=3)
    found = []
    for near in (1, 1 << 19):
        monkeypatch.setattr(norms, "NEAR", near)
        mean = torch.zeros(5)
        PointwiseNorm.apply(images, kernel, torch.ones(5), torch.zeros(5), mean, None, 1.0, 1e-5, Clamped())
        found.append(mean)
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-7)


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    leaves = drawn(4, 5, 3, 3), drawn(5, seed=1), drawn(5, seed=2)
    answer = Norm.apply(*leaves, None, None, 0.1, 1e-5, Clamped(), False)
    (slope,) = torch.autograd.grad(answer.square().sum(), leaves[0], create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        slope.sum().backward()
