"""Gradients of a call, to set ours beside PyTorch's."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.training import convolutions, norms
from benchmark.training.swap import faster_layers

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


OURS = {
    norms: ("Norm", "Clamp", "PointwiseNorm"),
    convolutions: ("Depthwise", "Pointwise", "Padded", "PaddedDepthwise"),
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each layer of ours was called."""
    calls: Counter[str] = Counter()
    for layer, name in ((getattr(module, name), name) for module, names in OURS.items() for name in names):

        def counted(*arguments: Any, name: str = name, real: Any = layer.apply) -> Any:
            calls[name] += 1
            return real(*arguments)

        monkeypatch.setattr(layer, "apply", counted)
    return calls


def images(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).contiguous(memory_format=torch.channels_last)


def of_network(network: nn.Module, batch: torch.Tensor, fast: bool, plain: bool = False) -> dict[str, torch.Tensor]:
    network.zero_grad()
    with faster_layers(fast, plain):
        out = network(batch)
    F.cross_entropy(out, torch.arange(len(batch)) % out.shape[1]).backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
