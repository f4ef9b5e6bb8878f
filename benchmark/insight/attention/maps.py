"""Maps of the Grad-CAM family, by captum, for any network with a layer that `layers` finds.

*HiResCAM* (Draelos & Carin 2020, arXiv:2011.08891): at each cell of the layer, gradient of the class's logit times
activation, summed over channels. *Grad-CAM* (Selvaraju et al., ICCV 2017) first averages the gradient over the
cells; in a layer that is not the last before pooling this mixes places, which HiResCAM does not. Both keep what
speaks for the class (ReLU). In a network that ends in average pooling and one linear layer, the two are the same there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmark.insight.attention.layers import Layer, seam

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]
Method = Literal["hires-cam", "grad-cam"]
METHODS: tuple[Method, ...] = ("hires-cam", "grad-cam")

BATCH = 64


def maps(
    network: nn.Module,
    layer: Layer,
    prepare: Callable[[U8], torch.Tensor],
    images: U8,
    targets: Ints,
    method: Method = "hires-cam",
    progress: Progress | None = None,
) -> Floats32:
    """What speaks for a class, cell by cell.

    Args:
        network: in evaluation mode.
        layer: of it, from `layers.choose`.
        prepare: from images to what the network takes.
        images: uint8 (n, size, size).
        targets: the class of each image, (n,).
        method: which of the family.
        progress: told images done and images in all.

    Returns:
        float32 (n, side, side), not below 0; all 0 where nothing speaks for the class. What is not a number is 0.
    """
    from captum.attr import LayerGradCam, LayerGradientXActivation

    parts = []
    with seam(network, layer) as through:
        made = (LayerGradCam if method == "grad-cam" else LayerGradientXActivation)(network, through)
        for start in range(0, len(images), BATCH):
            batch, target = prepare(images[start : start + BATCH]), torch.from_numpy(targets[start : start + BATCH])
            with torch.enable_grad():
                found = made.attribute(batch, target=target.to(batch.device))
            summed = found.detach().sum(dim=1).relu()
            parts.append(torch.nan_to_num(summed, nan=0.0, posinf=0.0).cpu().numpy())
            if progress:
                progress(min(start + BATCH, len(images)), len(images))
    return np.concatenate(parts).astype(np.float32)


def shuffled(network: nn.Module, seed: int, part: float = 1.0) -> nn.Module:
    """A copy with the entries of its tensors in random order, from the logits down (Adebayo et al. 2018).

    Shuffled are weights, biases and the running statistics of normalisation, each tensor within itself: what was learned
    goes, the spread of every tensor stays, so that signals are neither lost nor blown up.

    Args:
        network: left as it is.
        seed: of the order.
        part: of the modules that have tensors, the last ones first; at least one.
    """
    made = copy.deepcopy(network)
    random = torch.Generator().manual_seed(seed)
    owners = [module for module in made.modules() if any(True for _ in _own(module))]
    with torch.no_grad():
        for module in reversed(owners[len(owners) - max(1, round(part * len(owners))) :]):
            for tensor in _own(module):
                order = torch.randperm(tensor.numel(), generator=random).to(tensor.device)
                tensor.copy_(tensor.flatten()[order].view(tensor.shape))
    return made


def _own(module: nn.Module) -> list[torch.Tensor]:
    tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel() > 1]
