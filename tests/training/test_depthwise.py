from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training import depthwise
from benchmark.training.depthwise import fast_depthwise, weight_gradient


@given(
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    channels_last=st.booleans(),
)
@settings(max_examples=200)
def test_the_gradient_is_that_of_autograd(
    sides: Any, kernel: Any, stride: Any, padding: Any, channels_last: bool
) -> None:
    if any(side + 2 * margin < extent for side, margin, extent in zip(sides, padding, kernel, strict=True)):
        return
    random = torch.Generator().manual_seed(0)
    images = torch.randn(3, 4, *sides, generator=random, dtype=torch.float64)
    weight = torch.randn(4, 1, *kernel, generator=random, dtype=torch.float64, requires_grad=True)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    out = F.conv2d(images, weight, None, stride, padding, groups=4)
    above = torch.randn(out.shape, generator=random, dtype=torch.float64)
    out.backward(above)
    found = weight_gradient(images, above, kernel, stride, padding)
    assert weight.grad is not None and found.shape == weight.shape
    torch.testing.assert_close(found, weight.grad, rtol=1e-10, atol=1e-10)


def gradients(network: torch.nn.Module, images: torch.Tensor, fast: bool) -> dict[str, torch.Tensor]:
    network.zero_grad()
    with fast_depthwise(fast):
        out = network(images)
    F.cross_entropy(out, torch.arange(len(images)) % out.shape[1]).backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv3_small_050", "convnext_atto"])
def test_a_network_gets_the_same_gradients_and_most_kernels_take_the_fast_way(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=24, drop_path_rate=0.0).to(memory_format=torch.channels_last).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    images = torch.randn(8, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    calls = []
    real = depthwise.weight_gradient

    def counted(*arguments: Any) -> torch.Tensor:
        calls.append(arguments[2])
        return real(*arguments)

    monkeypatch.setattr(depthwise, "weight_gradient", counted)
    wanted, found = gradients(network, images, False), gradients(network, images, True)
    assert len(calls) >= 5 and wanted.keys() == found.keys()
    for key, value in wanted.items():
        assert (found[key] - value).norm() <= 1e-3 * value.norm() + 1e-7, key


def test_the_fast_way_is_the_same_on_every_run() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(16, 16, 5, padding=2, groups=16), torch.nn.Flatten())
    images = torch.randn(32, 16, 4, 4)
    once, again = (gradients(network, images, True) for _ in range(2))
    assert all(torch.equal(once[key], again[key]) for key in once) and once["0.bias"].shape == (16,)


@pytest.mark.parametrize(("arguments", "fast"), [
    ({"padding": 2}, True), ({"padding": (2, 2), "stride": 2}, True), ({"padding": [2]}, True),
    ({"padding": "same"}, False), ({"padding": 4, "dilation": 2}, False), ({"padding": 2, "groups": 1}, False),
    ({"padding": 2, "groups": 4}, False),
])  # fmt: skip
def test_only_plain_depthwise_calls_are_taken(
    arguments: dict[str, Any], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    real = depthwise._Depthwise.apply
    monkeypatch.setattr(depthwise._Depthwise, "apply", lambda *a: taken.append(1) or real(*a))
    groups = arguments.get("groups", 8)
    weight = torch.randn(8, 8 // groups, 5, 5, requires_grad=True)
    call = {"groups": groups, **arguments}
    images = torch.randn(2, 8, 4, 4)
    with fast_depthwise():
        found = F.conv2d(input=images, weight=weight, **call)
        F.conv2d(torch.randn(2, 8, 40, 40), weight, **call)  # a large map is oneDNN's
        F.conv2d(images, weight.detach(), **call)  # nothing is trained
        with torch.no_grad():
            F.conv2d(images, weight, **call)
    torch.testing.assert_close(found, F.conv2d(images, weight, **call))
    assert len(taken) == fast


def test_frozen_images_and_frozen_weights_get_no_gradient() -> None:
    images = torch.randn(2, 8, 4, 4, requires_grad=True)
    weight = torch.randn(8, 1, 5, 5, requires_grad=True)
    with fast_depthwise():
        F.conv2d(images, weight, padding=2, groups=8).square().sum().backward()
    fast = images.grad
    images.grad = None
    F.conv2d(images, weight, padding=2, groups=8).square().sum().backward()
    assert fast is not None and images.grad is not None
    torch.testing.assert_close(fast, images.grad)
    with fast_depthwise():
        F.conv2d(images.detach(), weight, padding=2, groups=8).sum().backward()
