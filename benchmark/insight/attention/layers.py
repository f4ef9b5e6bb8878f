"""Which layer of a network maps are taken from, whatever its layout.

The rule: the network is walked from the outside in, and a module whose output is laid out in space is a candidate; its
inside is looked at only where it is a plain `Sequential` or its own output is not spatial. Spatial are (n, c, h, w), (n, h, w, c) and
tokens (n, p + h², c), with p class or register tokens in front. Of the candidates that are called once and from whose
cells, most of them, a gradient reaches the logits (not so from the patch tokens after a class token's last attention), the **last with at
least 7 × 7 cells** is taken, the grid of Grad-CAM's own networks; where there is none, the last of those with most cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from benchmark.errors import InputError

FEWEST = 7
"""Cells on a side that a layer should have."""

MOST_PREFIX = 16
"""Class and register tokens in front of the patches, at most."""

REACHED = 0.5
"""Part of a layer's cells from which a gradient must reach the logits."""

Layout = Literal["nchw", "nhwc", "tokens"]


class Layer(NamedTuple):
    """A layer with a spatial output.

    Attributes:
        name: of its module in the network.
        layout: of its output.
        side: cells on a side.
        prefix: tokens in front of the patches.
    """

    name: str
    layout: Layout
    side: int
    prefix: int


class Seam(nn.Module):
    """Where a layer's output passes in the form (n, c, h, w), for whoever hooks on to it."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The same."""
        return features


def spatial(output: object, prefix: int | None) -> tuple[Layout, int, int] | None:
    """Layout, cells on a side and tokens in front of an output; None where it is not spatial.

    Args:
        output: of a module.
        prefix: how many tokens stand in front, where the network says so.
    """
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        return None
    shape = tuple(output.shape)
    if len(shape) == 4:
        if shape[2] == shape[3] > 1:
            return "nchw", shape[2], 0
        if shape[1] == shape[2] > 1:
            return "nhwc", shape[1], 0
    if len(shape) == 3:
        side = math.isqrt(shape[1] if prefix is None else max(0, shape[1] - prefix))
        front = shape[1] - side * side
        if side > 1 and (front == prefix if prefix is not None else front <= MOST_PREFIX):
            return "tokens", side, front
    return None


def to_grid(output: torch.Tensor, layer: Layer) -> torch.Tensor:
    """A layer's output as (n, c, side, side)."""
    if layer.layout == "nchw":
        return output
    if layer.layout == "nhwc":
        return output.permute(0, 3, 1, 2)
    patches = output[:, layer.prefix :]
    return patches.transpose(1, 2).reshape(len(output), -1, layer.side, layer.side)


def from_grid(grid: torch.Tensor, output: torch.Tensor, layer: Layer) -> torch.Tensor:
    """The layer's output again, with its patches taken from (n, c, side, side)."""
    if layer.layout == "nchw":
        return grid
    if layer.layout == "nhwc":
        return grid.permute(0, 2, 3, 1)
    return torch.cat([output[:, : layer.prefix], grid.flatten(2).transpose(1, 2)], dim=1)


@contextmanager
def seam(network: nn.Module, layer: Layer) -> Iterator[Seam]:
    """Let a layer's output pass through a seam while the context lasts; the network answers as before."""
    through = Seam()

    def reroute(module: nn.Module, given: Any, output: torch.Tensor) -> torch.Tensor:
        # a clone, since what comes next may change its input in place
        return from_grid(through(to_grid(output, layer)), output, layer).clone()

    hook = dict(network.named_modules())[layer.name].register_forward_hook(reroute)
    try:
        yield through
    finally:
        hook.remove()


def choose(network: nn.Module, batch: torch.Tensor, name: str) -> Layer:
    """The layer that maps are taken from.

    Args:
        network: in evaluation mode.
        batch: a few images as the network takes them.
        name: of the submission, for errors.

    Raises:
        InputError: when no layer has spatial features from which a gradient reaches the logits.
    """
    reached = _reached(network, batch, _candidates(network, batch))
    if not reached:
        raise InputError(
            "this network has no layer with features in space from which a gradient reaches its logits", field=name,
            allowed="a module whose output is (n, c, h, w), (n, h, w, c) or (n, tokens, c), called once",
        )  # fmt: skip
    fine = [layer for layer in reached if layer.side >= FEWEST]
    most = max(layer.side for layer in reached)
    return (fine or [layer for layer in reached if layer.side == most])[-1]


def _outputs(network: nn.Module, batch: torch.Tensor, names: set[str]) -> dict[str, list[torch.Tensor]]:
    """Outputs of modules by name, in the order of their calls."""
    found: dict[str, list[torch.Tensor]] = {}
    hooks = []
    for name, module in network.named_modules():
        if name in names:

            def keep(module: nn.Module, given: Any, output: Any, name: str = name) -> Any:
                found.setdefault(name, []).append(output)
                return output.clone() if isinstance(output, torch.Tensor) else output

            hooks.append(module.register_forward_hook(keep))
    try:
        with torch.enable_grad():
            found[""] = [network(batch)]
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _candidates(network: nn.Module, batch: torch.Tensor) -> list[Layer]:
    names = {name for name, _ in network.named_modules() if name}
    outputs = _outputs(network, batch, names)
    prefix = getattr(network, "num_prefix_tokens", None)
    prefix = prefix if isinstance(prefix, int) else None
    found: dict[str, Layer] = {}

    def walk(module: nn.Module, path: str) -> None:
        for child_name, child in module.named_children():
            name = f"{path}.{child_name}" if path else child_name
            there = [spatial(one, prefix) for one in outputs.get(name, [])]
            if len(there) == 1 and there[0] and not isinstance(child, nn.Sequential):
                found[name] = Layer(name, *there[0])
            else:
                walk(child, name)

    walk(network, "")
    return [found[name] for name in outputs if name in found]


def _reached(network: nn.Module, batch: torch.Tensor, layers: list[Layer]) -> list[Layer]:
    """Those from most of whose cells a gradient reaches the logits."""
    if not layers:
        return []
    outputs = _outputs(network, batch, {layer.name for layer in layers})
    logits = outputs.pop("")[0]
    wanted = [outputs[layer.name][0] for layer in layers]
    able = [number for number, one in enumerate(wanted) if one.requires_grad]
    if not able or not logits.requires_grad:
        return []
    gradients = torch.autograd.grad(logits.square().sum(), [wanted[number] for number in able], allow_unused=True)
    found = []
    for number, gradient in zip(able, gradients, strict=True):
        if gradient is not None:
            cells = to_grid(gradient, layers[number]).abs().sum(dim=1) > 0
            if float(cells.float().mean()) > REACHED:
                found.append(layers[number])
    return found
