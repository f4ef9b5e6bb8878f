"""Which calls of a network go to the harness's own layers, and that the network's gradients stay what they are."""

import copy
import inspect
from collections import Counter
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.training.swap import Normalisation, faster_layers
from tests.training.gradients import images, of_network
from tests.training.gradients import taken as taken


def apart(found: dict[str, torch.Tensor], exact: dict[str, torch.Tensor]) -> float:
    """How far gradients are from exact ones, over the length of these."""
    assert found.keys() == exact.keys()
    off = sum(float((found[name] - value).square().sum()) for name, value in exact.items())
    return (off / sum(float(value.square().sum()) for value in exact.values())) ** 0.5


MORE = {"test_vit": {"img_size": 64}, "convnext_atto": {"drop_path_rate": 0.0}}


@pytest.mark.parametrize(("name", "plain", "wanted"), [
    ("tf_efficientnet_lite0", False, {"Norm": 49, "Clamp": 33, "Depthwise": 16, "Pointwise": 32}),
    ("mobilenetv3_small_050", False, {"Norm": 34, "Clamp": 5, "Depthwise": 11, "Pointwise": 41}),
    ("convnext_atto", False, {"Depthwise": 12, "Pointwise": 24}),
    ("resnet18", False, {"Norm": 20, "Clamp": 9}),
    ("test_vit", False, {}),
    ("tf_efficientnet_lite0", True, {"Norm": 17, "Clamp": 33, "Depthwise": 12, "Pointwise": 32, "PointwiseNorm": 32, "Padded": 4, "PaddedDepthwise": 4}),
    ("mobilenetv3_small_050", True, {"Norm": 12, "Clamp": 5, "Depthwise": 11, "Pointwise": 41, "PointwiseNorm": 22}),
    ("densenet121", True, {"Norm": 63, "Clamp": 121, "Pointwise": 61, "PointwiseNorm": 58}),
    ("convnext_atto", True, {"Depthwise": 12, "Pointwise": 24}),
    ("resnet18", True, {"Norm": 20, "Clamp": 9}),
])  # fmt: skip
def test_a_network_gets_gradients_as_exact_as_the_librarys(
    name: str, plain: bool, wanted: dict[str, int], taken: Counter[str]
) -> None:
    """Against double precision: whatever is missing or counted twice would be far more than rounding."""
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=24, drop_rate=0.0, **MORE.get(name, {}))
    network.to(memory_format=torch.channels_last).train()
    exact = of_network(copy.deepcopy(network).double(), images(16, 3, 64, 64).double(), False)
    theirs = of_network(network, images(16, 3, 64, 64), False)
    assert not taken
    ours = of_network(network, images(16, 3, 64, 64), True, plain)
    assert dict(taken) == wanted
    assert apart(ours, exact) <= 1.5 * apart(theirs, exact) + 1e-5


def test_running_statistics_are_those_of_pytorch() -> None:
    made = []
    for fast, plain in ((False, False), (True, False), (True, True)):
        torch.manual_seed(0)
        network = timm.create_model("resnet10t", num_classes=24).to(memory_format=torch.channels_last).train()
        of_network(network, images(8, 3, 64, 64), fast, plain)
        made.append(dict(network.named_buffers()))
    assert any(name.endswith("num_batches_tracked") for name in made[0])
    for name, value in made[0].items():
        for one in made[1:]:
            torch.testing.assert_close(one[name], value, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("plain", [False, True])
def test_every_run_gives_the_same_bits(plain: bool) -> None:
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=24).to(memory_format=torch.channels_last).train()
    torch.manual_seed(1)
    once = of_network(network, images(8, 3, 64, 64), True, plain)
    torch.manual_seed(1)
    again = of_network(network, images(8, 3, 64, 64), True, plain)
    assert all(torch.equal(once[key], again[key]) for key in once)


@pytest.mark.parametrize(("arguments", "fast"), [
    ({"padding": 2}, True), ({"padding": (2, 2), "stride": 2}, True), ({"padding": [2]}, True),
    ({"padding": "same"}, False), ({"padding": 4, "dilation": 2}, False), ({"padding": 2, "groups": 1}, False),
    ({"padding": 2, "groups": 4}, False),
])  # fmt: skip
def test_only_plain_depthwise_calls_are_taken(arguments: dict[str, Any], fast: bool, taken: Counter[str]) -> None:
    groups = arguments.get("groups", 8)
    weight = torch.randn(8, 8 // groups, 5, 5, requires_grad=True)
    call = {"groups": groups, **arguments}
    batch = images(2, 8, 12, 12)
    with faster_layers():
        found = F.conv2d(input=batch, weight=weight, **call)
        F.conv2d(batch, weight.detach(), **call)  # nothing is trained
        F.conv2d(batch.double(), weight.double(), **call)
        with torch.no_grad():
            F.conv2d(batch, weight, **call)
    torch.testing.assert_close(found, F.conv2d(batch, weight, **call))
    assert taken == ({"Depthwise": 1} if fast else {})


@pytest.mark.parametrize(("arguments", "fast"), [
    ({}, True), ({"stride": 2}, False), ({"padding": 1}, False), ({"groups": 2}, False),
])  # fmt: skip
def test_only_plain_pointwise_calls_are_taken(arguments: dict[str, Any], fast: bool, taken: Counter[str]) -> None:
    weight = torch.randn(6, 4 // arguments.get("groups", 1), 1, 1, requires_grad=True)
    with faster_layers():
        F.conv2d(images(2, 4, 5, 5), weight, **arguments)
        F.conv2d(images(2, 4, 5, 5).contiguous(), weight, **arguments)  # another layout is the library's
    assert taken == ({"Pointwise": 1} if fast else {})


@pytest.mark.parametrize(("batch", "given", "fast"), [
    (images(4, 3, 2, 2), {}, True),
    (images(4, 3, 2, 2), {"training": False}, False),
    (images(4, 3, 2, 2), {"weight": None}, False),
    (images(4, 3, 2, 2).contiguous(), {}, False),
    (images(4, 3, 2, 2).double(), {}, False),
    (images(4, 3, 2, 2)[:, :, 0, 0], {}, False),
])  # fmt: skip
def test_only_plain_batch_norms_in_training_are_taken(
    batch: torch.Tensor, given: dict[str, Any], fast: bool, taken: Counter[str]
) -> None:
    kind = batch.dtype
    state = [torch.zeros(3, dtype=kind), torch.ones(3, dtype=kind)]
    call = {"weight": torch.ones(3, dtype=kind), "bias": torch.zeros(3, dtype=kind), "training": True, **given}
    with faster_layers():
        found = F.batch_norm(batch, *(one.clone() for one in state), **call)
    torch.testing.assert_close(found, F.batch_norm(batch, *state, **call))
    assert taken == ({"Norm": 1} if fast else {})


def test_one_value_a_channel_is_an_error_as_ever() -> None:
    with faster_layers(), pytest.raises(ValueError, match="more than 1 value per channel"):
        F.batch_norm(images(1, 3, 1, 1), None, None, torch.ones(3), torch.zeros(3), training=True)


def test_a_norm_that_adds_nothing_to_the_variance_is_pytorchs(taken: Counter[str]) -> None:
    """Its versions refuse that, or give what is no number; ours would end in an error of its own."""

    def norm(fast: bool) -> str:
        with faster_layers(fast):
            try:
                return str(F.batch_norm(batch, None, None, torch.ones(3), torch.zeros(3), training=True, eps=0.0))
            except ValueError as error:
                return str(error)

    batch = torch.ones(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    assert norm(True) == norm(False) and not taken


@pytest.mark.parametrize(("behind", "fused"), [
    (nn.ReLU(inplace=True), True), (nn.ReLU6(inplace=True), True), (nn.Hardtanh(-0.5, 0.5, inplace=True), True),
    (nn.ReLU(), False), (nn.SiLU(inplace=True), False), (nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)), True),
    (nn.Sequential(nn.Dropout(0.0), nn.ReLU(inplace=True)), False),
])  # fmt: skip
def test_what_clamps_the_norm_right_behind_it_is_fused(behind: nn.Module, fused: bool, taken: Counter[str]) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), behind, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network.to(memory_format=torch.channels_last)
    ours, theirs = (of_network(network, images(6, 3, 8, 8), fast) for fast in (True, False))
    assert taken["Clamp"] == fused
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("seen", [True, False])
def test_what_reads_the_norms_answer_between_gets_its_gradient(seen: bool, taken: Counter[str]) -> None:
    """Calls that are seen forbid the fusion; what goes past Python's functions is noticed on the way back."""

    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            answer = self.norm(batch)
            if seen:
                beside = answer * 3.0
            else:
                with torch._C.DisableTorchFunction():
                    beside = answer * 3.0
            return (F.relu(answer, inplace=True) + beside).mean((2, 3))

    network = Reads()
    ours, theirs = (of_network(network, images(6, 3, 4, 4), fast) for fast in (True, False))
    assert taken["Clamp"] == (0 if seen else 1)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_nothing_is_swapped_where_it_is_not_enabled(taken: Counter[str]) -> None:
    with faster_layers(False):
        F.batch_norm(images(4, 3, 2, 2), None, None, torch.ones(3), torch.zeros(3), training=True)
    assert not taken


def test_the_signatures_are_those_of_pytorch() -> None:
    """A name that PyTorch gives an argument later would end in an error here and not in a training."""
    theirs = ["images" if name == "input" else name for name in inspect.signature(F.batch_norm).parameters]
    assert theirs == list(Normalisation._fields)
