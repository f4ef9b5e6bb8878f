from typing import Any

import pytest
import timm
import torch
from torch import nn

from benchmark.errors import InputError
from benchmark.insight.attention.layers import Layer, choose, from_grid, seam, spatial, to_grid

VIT: dict[str, Any] = {"img_size": 64, "embed_dim": 24, "depth": 3, "num_heads": 2, "num_classes": 24}
SWIN: dict[str, Any] = {"img_size": 64, "window_size": 4, "embed_dim": 8, "depths": (1, 1, 1), "num_heads": (1, 1, 1)}


def built(name: str, **options: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return timm.create_model(name, num_classes=options.pop("num_classes", 24), **options).eval()


def images(size: int = 64) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "options", "layer"),
    [
        ("tf_efficientnet_lite0", {}, Layer("blocks.2.1", "nchw", 8, 0)),
        ("resnet10t", {}, Layer("layer2.0", "nchw", 8, 0)),
        ("vit_tiny_patch16_224", VIT, Layer("blocks.1", "tokens", 4, 1)),
        ("vit_tiny_patch16_224", VIT | {"patch_size": 8, "class_token": False, "global_pool": "avg"}, Layer("norm", "tokens", 8, 0)),
        ("swin_tiny_patch4_window7_224", SWIN, Layer("layers.1", "nhwc", 8, 0)),
    ],
)  # fmt: skip
def test_the_rule_finds_a_layer_of_each_layout(name: str, options: dict[str, Any], layer: Layer) -> None:
    network = built(name, **options)
    found = choose(network, images(), name)
    if name.startswith("vit") and not layer.prefix:
        assert found.side == 8 and found.layout == "tokens" and found.prefix == 0
    else:
        assert found == layer
    with torch.no_grad():
        before = network(images())
        with seam(network, found):
            assert torch.allclose(network(images()), before, atol=1e-5), "the network answers as before, up to rounding"
        assert torch.equal(network(images()), before)


def test_patches_after_a_class_token_is_done_are_not_taken() -> None:
    found = choose(built("vit_tiny_patch16_224", **VIT), images(), "vit")
    assert found.name == "blocks.1", "nothing flows from the patches of blocks.2 or norm to the logits"


def test_a_submission_that_wraps_a_network_is_walked_into() -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = nn.ModuleDict({"body": nn.Conv2d(3, 4, 8, stride=8), "head": nn.Linear(4, 24)})

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            features = self.inside["body"](batch)
            return self.inside["head"](nn.functional.relu_(features).mean(dim=(2, 3)))

    network = Wrapped().eval()
    weight = network.inside["body"].weight.data  # whatever is drawn, the ReLU leaves one channel whole and cuts one off
    weight[0], weight[1] = weight[0].abs(), -weight[1].abs()
    found = choose(network, images(), "own")
    assert found == Layer("inside.body", "nchw", 8, 0)
    with torch.no_grad(), seam(network, found) as through:
        kept: list[torch.Tensor] = []
        through.register_forward_hook(lambda module, given, output: kept.append(output))
        network(images())
        assert (kept[0] < 0).any(), "what comes next changes a copy"


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 24)),
        nn.Sequential(nn.Conv2d(3, 4, 64), nn.Flatten(), nn.Linear(4, 24)),
        nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3 * 64, 24)),
    ],
)
def test_a_network_without_spatial_features_is_named(network: nn.Module) -> None:
    with pytest.raises(InputError, match="mine: this network has no layer with features in space"):
        choose(network.eval(), images(), "mine")


@pytest.mark.parametrize(
    ("shape", "prefix", "found"),
    [
        ((2, 5, 8, 8), None, ("nchw", 8, 0)),
        ((2, 8, 8, 5), None, ("nhwc", 8, 0)),
        ((2, 65, 5), None, ("tokens", 8, 1)),
        ((2, 68, 5), 4, ("tokens", 8, 4)),
        ((2, 68, 5), 1, None),
        ((2, 5, 1, 1), None, None),
        ((2, 5), None, None),
    ],
)
def test_layouts_are_told_apart_and_turned_back(shape: tuple[int, ...], prefix: int | None, found: Any) -> None:
    output = torch.rand(shape)
    assert spatial(output, prefix) == found
    if found:
        layer = Layer("x", *found)
        grid = to_grid(output, layer)
        assert grid.shape == (2, 5, 8, 8) and torch.equal(from_grid(grid, output, layer), output)
