"""What the machine could do: the model without any data work, and the floor of its operations and bytes.

Usage: python -m bench.ceiling SUBMISSION [--track pocket] [--steps 15]; prints one JSON line. Run it twice at
once for what two processes of one thread give together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.allocator import keep_memory
from benchmark.training.model import build
from benchmark.training.step import optimiser
from benchmark.training.swap import faster_layers


def activations(network: nn.Module, images: torch.Tensor) -> int:
    """Bytes that autograd keeps of a forward pass, each tensor once."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(images)
    return sum(kept.values())


def best(action: object, times: int = 5) -> float:
    """Shortest seconds of some calls."""
    assert callable(action)
    found = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        found.append(time.perf_counter() - started)
    return min(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("submission")
    parser.add_argument("--track", default="pocket")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=15)
    options = parser.parse_args()
    keep_memory()
    torch.set_num_threads(options.threads)
    track, submission = tracks.load(options.track), submissions.load(options.submission)
    size, side = track.recipe.batch_size, track.preprocess.size
    network = build(submission.spec.model, submission.folder, img_size=side).train()
    network.to(memory_format=torch.channels_last)
    images = torch.randn(size, 3, side, side).contiguous(memory_format=torch.channels_last)
    labels, update = torch.arange(size) % 24, optimiser(network, track.recipe)

    def step(fast: bool) -> None:
        with faster_layers(fast, plain=submission.spec.model.timm is not None):
            loss = F.cross_entropy(network(images), labels)
        update.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        update.step()

    rates = {}
    for name, fast in (("plain", False), ("ours", True)):
        for _ in range(3):
            step(fast)
        started = time.perf_counter()
        for _ in range(options.steps):
            step(fast)
        rates[name] = size * options.steps / (time.perf_counter() - started)
    # three times the forward pass, since the counter takes a grouped convolution's gradient for a whole one
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    square = torch.randn(2048, 2048)
    block = torch.randn(1 << 26)
    other = torch.empty_like(block)
    flops = 2 * 2048**3 / best(lambda: square @ square)
    width = 2 * 4 * len(block) / best(lambda: other.copy_(block))
    line = {
        "threads": options.threads, "images_per_second": rates, "flops_per_image": 3 * counter.get_total_flops() / size,
        "activation_bytes_per_image": activations(network, images) / size, "peak_flops": flops, "peak_bytes": width,
    }  # fmt: skip
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
