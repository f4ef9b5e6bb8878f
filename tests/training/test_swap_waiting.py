"""Answers that wait for what needs them: whatever else reads them has them made."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.training.swap import faster_layers
from tests.training.gradients import images, of_network
from tests.training.gradients import taken as taken


class Net(nn.Module):
    """A small network whose forward pass is a function of its parts."""

    def __init__(self, forward: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.point, self.norm = nn.Conv2d(4, 6, 1, bias=False), nn.BatchNorm2d(6)
        self.deep, self.act = nn.Conv2d(4, 4, 3, 2, groups=4), nn.ReLU(inplace=True)
        self._forward = forward

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self._forward(self, self.stem(batch)).mean((2, 3))


def residual(net: Any, batch: torch.Tensor) -> torch.Tensor:
    seen = net.point(batch)
    return net.act(net.norm(seen)) + seen


def listed(net: Any, batch: torch.Tensor) -> torch.Tensor:
    seen = net.norm(net.point(batch))
    return torch.cat([seen, seen], 1)


def after_its_input_changed(net: Any, batch: torch.Tensor) -> torch.Tensor:
    copy_of = batch.detach().clone().contiguous(memory_format=torch.channels_last)
    seen = net.point(copy_of)
    copy_of.data.mul_(0.5)  # autograd does not see it
    return net.norm(seen)


def padded_for_a_pool(net: Any, batch: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(F.pad(batch, (0, 1, 0, 1)), 2)


def padded_and_read(net: Any, batch: torch.Tensor) -> torch.Tensor:
    wide = F.pad(batch, (0, 1, 0, 1))
    return net.deep(wide) + wide[:, :, ::2, ::2][:, :, :3, :3]


def padded_twice(net: Any, batch: torch.Tensor) -> torch.Tensor:
    return net.deep(F.pad(F.pad(batch, (0, 1, 0, 1)), (1, 0, 0, 0)))


def norm_alone(net: Any, batch: torch.Tensor) -> torch.Tensor:
    return net.norm(net.point(batch))


def clamped_later(net: Any, batch: torch.Tensor) -> torch.Tensor:
    seen = net.norm(net.point(batch))
    other = net.deep(batch).mean()
    return net.act(seen) + other


def convolved_twice(net: Any, batch: torch.Tensor) -> torch.Tensor:
    return net.norm(F.conv2d(net.point(batch), net.point.weight.mean() * torch.ones(6, 6, 1, 1)))


@pytest.mark.parametrize(("forward", "wanted"), [
    (residual, {"Pointwise": 1, "PointwiseNorm": 1, "Clamp": 1}),
    (listed, {"Pointwise": 1, "PointwiseNorm": 1}),
    (after_its_input_changed, {"Pointwise": 1, "Norm": 1}),
    (padded_for_a_pool, {"Padded": 1}),
    (padded_and_read, {"Padded": 1, "PaddedDepthwise": 1}),
    (padded_twice, {"Padded": 2, "PaddedDepthwise": 1}),
    (norm_alone, {"Pointwise": 1, "PointwiseNorm": 1}),
    (clamped_later, {"Pointwise": 1, "PointwiseNorm": 1, "Depthwise": 1}),
    (convolved_twice, {"Pointwise": 2, "PointwiseNorm": 1}),
])  # fmt: skip
def test_whatever_reads_an_answer_that_waits_has_it_made(
    forward: Any, wanted: dict[str, int], taken: Counter[str]
) -> None:
    torch.manual_seed(0)
    network = Net(forward).to(memory_format=torch.channels_last)
    batch = images(6, 3, 8, 8)
    theirs = of_network(network, batch, False)
    ours = of_network(network, batch, True, plain=True)
    assert dict(taken) == wanted
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("last", ["point", "norm", "pad"])
def test_what_a_network_gives_is_made(last: str) -> None:
    network = Net(lambda net, batch: batch).to(memory_format=torch.channels_last)
    batch = images(6, 3, 8, 8)

    def give() -> torch.Tensor:
        found = network.stem(batch)
        if last == "pad":
            return F.pad(found, (1, 1, 1, 1))
        found = network.point(found)
        return network.norm(found) if last == "norm" else found

    with faster_layers(True, plain=True):
        ours = give()
    torch.testing.assert_close(ours, give(), rtol=1e-4, atol=1e-5)


def test_what_nobody_has_any_more_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Net(residual).to(memory_format=torch.channels_last)
    made = []
    real = torch.Tensor.copy_
    monkeypatch.setattr(torch.Tensor, "copy_", lambda self, *rest: made.append(self.shape) or real(self, *rest))
    with faster_layers(True, plain=True):
        network.point(network.stem(images(6, 3, 8, 8)))
    assert not made


def test_an_error_of_the_network_is_its_own() -> None:
    with pytest.raises(RuntimeError, match="shape"), faster_layers(True, plain=True):
        F.pad(images(2, 3, 4, 4).requires_grad_(), (1, 1, 1, 1)).view(7)
