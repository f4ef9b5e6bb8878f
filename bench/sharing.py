"""What several units of one submission on one device train together, against one alone.

Usage: python -m bench.sharing SUBMISSION [SUBMISSION ...] [--track pocket] [--device cpu] [-n 1 2 4 8 16] [-o RESULTS.json]

The units take turns in this process exactly as they do in a run (`benchmark.training.shared`), on made-up images of the track's
size, with its batch and augmentation. Printed: training images a second of all units together between the first epoch's end
of the last one and the first one's end, its ratio to one unit alone, and the device's memory. A number that does not fit is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.allocator import keep_memory
from benchmark.data.manifest import CLASSES
from benchmark.job import Job, Start
from benchmark.machine import cpu_name
from benchmark.training.shared import Member, Room, Turns

BATCHES, EPOCHS = 12, 4
"""Batches of an epoch and epochs of a made-up unit."""


def write(folder: Path, submission: submissions.Submission, track: tracks.Track, device: str, seed: int) -> None:
    """One made-up unit: inputs and an empty output folder."""
    (folder / "inputs" / "code").mkdir(parents=True)
    (folder / "output").mkdir()
    random, side, batch = np.random.default_rng(seed), track.preprocess.size, track.recipe.batch_size
    for part, count in (("train", BATCHES * batch), ("validation", 2 * batch), ("test", 2 * batch)):
        np.save(folder / "inputs" / f"{part}.npy", random.integers(0, 256, (count, side, side), dtype=np.uint8))
        np.save(folder / "inputs" / f"{part}_labels.npy", np.arange(count) % len(CLASSES))
    job = Job(
        key=str(seed), seed=seed, model=submission.spec.model.model_dump(mode="json"), classes=len(CLASSES), image_size=side,
        epochs=EPOCHS, recipe=track.recipe, start=Start(kind="random"), device=device, threads=1,
    )  # fmt: skip
    (folder / "inputs" / "job.json").write_text(job.model_dump_json())


def epochs_done(member: Member) -> int:
    """Lines of its log."""
    log = member.output / "log.jsonl"
    return len(log.read_text().splitlines()) if log.exists() else 0


def together(submission: submissions.Submission, track: tracks.Track, device: str, count: int) -> dict[str, Any] | None:
    """Images a second of some units; None where they do not fit."""
    told: list[dict[str, Any]] = []
    turns = Turns(told.append, Room(None, lambda: 0), time.monotonic)
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(count):
            folder = Path(scratch) / str(number)
            write(folder, submission, track, device, number)
            turns.take({"unit": number, "inputs": str(folder / "inputs"), "output": str(folder / "output")})
        turns.round()
        members, since, before = list(turns.active), 0.0, 0
        while not told:
            turns.round()
            if any(one.alone for one in (*turns.waiting, *turns.active)):
                return None
            if not since and all(epochs_done(one) for one in members):
                since, before = time.monotonic(), sum(map(epochs_done, members))
        passed, epochs = time.monotonic() - since, sum(map(epochs_done, members)) - before
        failed = [one.work.failure for one in members if one.work.failure]
    if failed:
        raise RuntimeError(failed[0].message)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return {"images_per_second": epochs * BATCHES * track.recipe.batch_size / passed, "peak_gpu_bytes": peak}


def measured(options: argparse.Namespace) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Every submission with every number of units that fits."""
    track = tracks.load(options.track)
    for submission in map(submissions.load, options.submissions):
        for count in options.n:
            sys.stderr.write(f"{submission.name}: {count} at once\n")
            if options.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            found = together(submission, track, options.device, count)
            if found is None:
                break
            yield submission.name, count, found


def main() -> None:
    """Measure, print a table, keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("submissions", nargs="+")
    parser.add_argument("--track", default="pocket")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("-n", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="units at once")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    keep_memory()
    device = torch.cuda.get_device_name() if options.device == "cuda" else cpu_name()
    results: dict[str, Any] = {"device": device, "track": options.track, "units": {}}
    rows = []
    for name, count, found in measured(options):
        results["units"].setdefault(name, {})[str(count)] = found
        first = next(iter(results["units"][name].values()))["images_per_second"]
        rate = found["images_per_second"]
        rows.append((name, count, f"{rate:.0f}", f"{rate / first:.2f}", f"{found['peak_gpu_bytes'] / 2**30:.1f} GiB"))
        if options.output:
            options.output.write_text(json.dumps(results, indent=1) + "\n")
    sys.stdout.write(f"{device}, {options.track}\n")
    text = tabulate(
        rows, ("submission", "units", "images/s", "over the first", "device memory"), "github", disable_numparse=True
    )
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
