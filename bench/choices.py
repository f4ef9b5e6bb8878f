"""What each choice of the training step costs or gains, one change at a time, interleaved in one process.

Usage: python -m bench.choices SUBMISSION [SUBMISSION ...] [--track pocket] [--rounds 5] [--only VARIANT ...] [-o RESULTS.json]

Every variant trains its own copy of the network on the same batch, without data work; a round gives each a few steps, in
another order. Printed: images a second of one thread, and the ratio to the step as it is (`ours`), its median over rounds with
the smallest and largest.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from tabulate import tabulate
from torch import nn

from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.allocator import keep_memory
from benchmark.training.environment import make_deterministic
from benchmark.training.model import build
from benchmark.training.step import optimiser
from benchmark.training.swap import faster_layers


class Variant(NamedTuple):
    """One way to make the step.

    Attributes:
        channels_last: layout of images and weights in memory.
        layers: whether the layers of `benchmark.training.swap` are used.
        waits: whether answers wait for what needs them there, as in networks of timm's own.
        deterministic: whether kernels that are not are refused.
        compiled: whether inductor compiles the network.
        denormal: whether numbers too small for a normal float are kept.
        half: whether matrix products and convolutions are in bf16.
    """

    channels_last: bool = True
    layers: bool = True
    waits: bool = True
    deterministic: bool = True
    compiled: bool = False
    denormal: bool = True
    half: bool = False


OURS = "ours"
VARIANTS = {
    OURS: Variant(),
    "contiguous": Variant(channels_last=False),
    "no answer waits": Variant(waits=False),
    "the library's layers": Variant(layers=False),
    "not deterministic": Variant(deterministic=False),
    "denormals to zero": Variant(denormal=False),
    "compiled": Variant(layers=False, compiled=True),
    "bf16": Variant(half=True, layers=False),
}
STEPS = 3


def steps(variant: Variant, submission: submissions.Submission, track: Any) -> Callable[[], float]:
    """A function that makes some steps of a variant and returns images a second."""
    size, side = track.recipe.batch_size, track.preprocess.size
    torch.manual_seed(0)
    network = build(submission.spec.model, submission.folder, img_size=side).train()
    form = torch.channels_last if variant.channels_last else torch.contiguous_format
    network.to(memory_format=form)
    images = torch.randn(size, 3, side, side).contiguous(memory_format=form)
    labels, update = torch.arange(size) % 24, optimiser(network, track.recipe)
    plain = variant.waits and submission.spec.model.timm is not None
    forward: Any = torch.compile(network) if variant.compiled else network

    def run() -> float:
        torch.use_deterministic_algorithms(variant.deterministic, warn_only=True)
        torch.set_flush_denormal(not variant.denormal)
        started = time.perf_counter()
        for _ in range(STEPS):
            with torch.autocast("cpu", torch.bfloat16, enabled=variant.half), faster_layers(variant.layers, plain):
                out = forward(images)
            loss = F.cross_entropy(out.float(), labels)
            update.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), track.recipe.clip_norm)
            update.step()
        return float(STEPS * size / (time.perf_counter() - started))

    return run


def main() -> None:
    """Measure and print a table a submission."""
    parser = argparse.ArgumentParser()
    parser.add_argument("submissions", nargs="+")
    parser.add_argument("--track", default="pocket")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[name for name in VARIANTS if name != OURS])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    keep_memory()
    make_deterministic(0, 1)
    track = tracks.load(options.track)
    names = [OURS, *(options.only or [name for name in VARIANTS if name != OURS])]
    for submission in map(submissions.load, options.submissions):
        first, made = {}, {}
        for name in names:
            started = time.perf_counter()
            made[name] = steps(VARIANTS[name], submission, track)
            made[name]()
            first[name] = time.perf_counter() - started
            sys.stderr.write(f"{submission.name} {name}: first {STEPS} steps after {first[name]:.0f} s\n")
        rates: dict[str, list[float]] = {name: [] for name in names}
        for number in range(options.rounds):
            order = list(names)
            random.Random(number).shuffle(order)  # noqa: S311 (an order, no secret)
            for name in order:
                rates[name].append(made[name]())
        rows = []
        for name in names:
            ratios = [one / own for one, own in zip(rates[name], rates[OURS], strict=True)]
            middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
            rate = f"{statistics.median(rates[name]):.0f}"
            rows.append((name, rate, f"{middle:.2f} ({low:.2f} to {high:.2f})", f"{first[name]:.0f} s"))
        text = tabulate(rows, ("step", "images/s", "over ours", "built, first steps"), "github", disable_numparse=True)
        sys.stdout.write(f"{submission.name}\n{text}\n\n")
        sys.stdout.flush()
        if options.output:
            known = json.loads(options.output.read_text()) if options.output.exists() else {}
            known[submission.name] = {"track": track.name, "rates": rates, "first": first}
            options.output.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
