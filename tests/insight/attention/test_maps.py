from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.insight.attention.layers import choose
from benchmark.insight.attention.maps import METHODS, maps, shuffled
from benchmark.insight.attention.sanity import SAME, rank_correlation, structural_similarity


class Corner(nn.Module):
    """Class 0 is light in the upper left cell, class 1 in the lower right one; every other class is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Conv2d(1, 2, 8, stride=8, bias=False)
        self.weigh = nn.Parameter(torch.zeros(2, 8, 8))
        with torch.no_grad():
            self.cells.weight.fill_(1 / 64)
            self.weigh[0, 0, 0] = self.weigh[1, 7, 7] = 1.0

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        found = (self.cells(batch) * self.weigh).sum(dim=(2, 3))
        return torch.cat([found, found.new_zeros(len(found), 22)], dim=1)


class Blind(nn.Module):
    """Its maps are the picture whatever its weights are: fixed cells, and weights that cannot be negative."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.AvgPool2d(8)
        self.bend = nn.Conv2d(1, 1, 1, bias=False)
        self.head = nn.Parameter(torch.randn(24, generator=torch.Generator().manual_seed(1)))
        nn.init.ones_(self.bend.weight)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        found = self.bend(self.cells(batch)).mean(dim=(2, 3))
        return found * nn.functional.softplus(self.head)


def prepare(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images)[:, None].float() / 255


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (70, 64, 64), dtype=np.uint8)


@pytest.mark.parametrize("place", [(0, 0), (1, 7)])
def test_known_attention_is_found(images: np.ndarray, place: tuple[int, int]) -> None:
    label, corner = place
    network = Corner().eval()
    layer = _layer()
    found = maps(network, layer, prepare, images, np.full(70, label))
    assert found.shape == (70, 8, 8) and found.dtype == np.float32
    assert (found[:, corner, corner] > 0).all() and np.count_nonzero(found) == 70, "and nowhere else"
    nothing = maps(network, layer, prepare, images, np.full(70, 5))
    assert not nothing.any()


def _layer() -> Any:
    from benchmark.insight.attention.layers import Layer

    return Layer("cells", "nchw", 8, 0)


def test_the_two_methods_agree_before_pooling_and_a_linear_layer(images: np.ndarray) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, last = nn.Conv2d(1, 6, 8, stride=8), nn.Linear(6, 24)
    network = nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
    layer = choose(network.eval(), prepare(images[:2]), "x")
    hires, grad = (maps(network, layer, prepare, images, np.arange(70) % 24, method) for method in METHODS)
    assert layer.name == "0" and np.allclose(hires, grad, rtol=1e-3, atol=1e-7) and hires.any()
    with torch.no_grad():
        weights = last.weight[3] / 64
        wanted = (first(prepare(images[3:4]))[0] * weights[:, None, None]).sum(0).relu()
    assert np.allclose(hires[3], wanted.numpy(), rtol=1e-3, atol=1e-7)


def test_shuffling_goes_from_the_logits_down_keeps_values_and_leaves_the_network() -> None:
    network = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(6, 24))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    top, whole, again = shuffled(network, 1, 0.0), shuffled(network, 1), shuffled(network, 1)
    changed = {n for n, t in top.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"3.weight", "3.bias"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor.flatten().sort().values, before[name].flatten().sort().values)
        assert torch.equal(tensor, again.state_dict()[name])
    assert not torch.equal(whole.state_dict()["0.weight"], before["0.weight"])


def test_maps_that_ignore_the_weights_are_told_from_maps_that_do_not(images: np.ndarray) -> None:
    targets = np.arange(70) % 24
    blind = Blind().eval()
    layer = choose(blind, prepare(images[:2]), "blind")
    plain, other = (maps(one, layer, prepare, images, targets) for one in (blind, shuffled(blind, 3)))
    assert (rank_correlation(plain, other) > 0.99).all() and structural_similarity(plain, other, 64).min() > 0.99
    seeing = Corner().eval()
    plain, other = (
        maps(one, _layer(), prepare, images, np.zeros(70, dtype=int)) for one in (seeing, shuffled(seeing, 3))
    )
    assert (rank_correlation(plain, other) < SAME).all()


def test_rank_correlation_is_scipys_and_knows_maps_without_differences() -> None:
    from scipy.stats import spearmanr

    random = np.random.default_rng(0)
    a, b = random.integers(0, 5, (2, 6, 4, 4)).astype(np.float32)
    assert np.allclose(rank_correlation(a, b), [spearmanr(x.ravel(), y.ravel())[0] for x, y in zip(a, b, strict=True)])
    flat = np.zeros_like(a)
    assert (rank_correlation(a, flat) == 0).all() and (rank_correlation(flat, flat) == 1).all()
