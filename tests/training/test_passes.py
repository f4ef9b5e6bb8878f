"""The loops against PyTorch in double precision."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training.kernels import loops
from benchmark.training.norms import Clamped, Flow, Moments, Sums

SHAPES = st.tuples(st.integers(2, 300), st.integers(1, 37))


@given(shape=SHAPES, offset=st.sampled_from([0.0, 3.0, 1000.0]), seed=st.integers(0, 99), clamped=st.booleans())
@settings(max_examples=60, deadline=None)
def test_batch_norm_is_that_of_pytorch(shape: tuple[int, int], offset: float, seed: int, clamped: bool) -> None:
    random = np.random.default_rng(seed)
    rows = (random.standard_normal(shape) + offset).astype(np.float32)
    above = random.standard_normal(shape).astype(np.float32)
    weight, bias = random.standard_normal((2, shape[1])).astype(np.float32)
    sums = Sums(rows[0])
    sums.add(rows)
    moments = Moments.of(sums, len(rows), torch.from_numpy(weight), torch.from_numpy(bias), 1e-5)
    affine, out, of_rows, held = moments.affine, np.empty_like(rows), np.empty_like(rows), Clamped()
    loops().norm_apply(rows, affine, -np.inf, np.inf, out)
    low, high = held.low, held.high = (0.0, 6.0) if clamped else (-np.inf, np.inf)
    flow_back = Flow(rows, torch.from_numpy(above)[:, :, None, None], moments, held)
    flow_back.back(of_rows)
    of_weight, of_bias = flow_back.of_weight, flow_back.of_bias
    exact = [torch.from_numpy(one).double().requires_grad_() for one in (rows, weight, bias)]
    answer = F.batch_norm(exact[0], None, None, exact[1], exact[2], training=True, eps=1e-5)
    rounded = rows * affine[0] + affine[1]  # which of two sides of a limit a value is on, rounding decides
    flow = torch.from_numpy(above * ((rounded > low) & (rounded < high))).double()
    size = float(abs(weight).max() / np.sqrt(rows.var(0).min() + 1e-5)) + 1
    np.testing.assert_allclose(out, answer.detach(), atol=1e-5 * (1 + offset) * size)
    np.testing.assert_allclose(
        moments[:2], [rows.mean(0, np.float64), rows.var(0, dtype=np.float64)], rtol=1e-4, atol=1e-5
    )
    answer.backward(flow)
    for found, wanted in zip((of_rows, of_weight, of_bias), exact, strict=True):
        assert wanted.grad is not None
        scale = float(wanted.grad.abs().max()) + size
        np.testing.assert_allclose(found, wanted.grad, atol=3e-5 * (1 + offset) * scale)


@given(
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    images=st.integers(1, 40),
)
@settings(max_examples=100, deadline=None)
def test_depthwise_gradients_are_those_of_autograd(
    sides: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], images: int
) -> None:
    if any(side + 2 * margin < extent for side, margin, extent in zip(sides, padding, kernel, strict=True)):
        return
    random = torch.Generator().manual_seed(0)
    seen = torch.randn(images, 5, *sides, generator=random)
    weight = torch.zeros(5, 1, *kernel, dtype=torch.float64, requires_grad=True)
    answer = F.conv2d(seen.double(), weight, None, stride, padding, groups=5)
    above = torch.randn(answer.shape, generator=random)
    answer.backward(above.double())
    some, found = np.empty((*kernel, 5), np.float32), np.zeros((*kernel, 5))
    views = (one.permute(0, 2, 3, 1).contiguous().numpy() for one in (seen, above))
    loops().depthwise_weights(*views, *stride, *padding, some, found)
    assert weight.grad is not None
    np.testing.assert_allclose(found.transpose(2, 0, 1)[:, None], weight.grad, rtol=1e-4, atol=1e-4)
