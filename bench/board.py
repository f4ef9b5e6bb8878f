"""How long the board of many submissions takes: the first build, with nothing remembered, and one after another record.

Usage::

    python -m bench.board FOLDER -n 10000 --rounds 2

Makes a ledger of that many submissions on two targets, one training of `imagenet` and of `two-step` each (four records a
submission), with logs of ten epochs and predictions of 48 images, and keeps it in the folder for the next time. Prints
seconds that passed and processor seconds of all processes, a line a build. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import resource
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmark import track as tracks
from benchmark.allocator import keep_memory
from benchmark.board.build import build
from benchmark.data.manifest import CLASSES, Entry, Manifest
from benchmark.data.manifest import build as manifest_of
from benchmark.files import digest
from benchmark.ledger import Ledger
from benchmark.memo import Memo
from benchmark.protocol import TWO_STEP
from benchmark.provenance import harness, packages
from benchmark.scoring import score

TARGETS = ("made-q", "made-g")
DISTINCT = 200
"""Trainings whose predictions differ; what is computed of them is remembered by record, so that none is computed less."""

FAMILIES = ("efficientnet", "resnet", "vit", "swin", "convnext", "other")


def manifest(target: str) -> Manifest:
    """Ten cells of one image a class."""
    entries = [
        Entry(f"{target}-c{cell}-{number:02d}", label, f"c{cell}", "", 4, 4, "0" * 64, cell % 5, -1)
        for cell in range(10)
        for number, label in enumerate(CLASSES)
    ]
    return manifest_of(entries, "cell")


def make(folder: Path, submissions: int) -> Ledger:
    """A ledger of made-up records; one that is there already is kept."""
    ledger = Ledger(folder)
    if ledger.path.is_file():
        return ledger
    track = tracks.load("pocket").model_dump(mode="json") | {"name": "made", "simulated": True}
    ledger.put_document("tracks", digest(track), track)
    manifests = {target: manifest(target) for target in TARGETS}
    for found in manifests.values():
        ledger.put_manifest(found)
    records: list[dict[str, Any]] = []
    for number in range(submissions):
        spec = {"name": f"net-{number:05d}", "title": f"Net {number}", "family": FAMILIES[number % len(FAMILIES)], "license": "MIT"}  # fmt: skip
        ledger.put_document("submissions", digest(spec), spec)
        records += [
            _record(ledger, track, spec, manifests[target], target, arm, number)
            for target in TARGETS
            for arm in ("imagenet", TWO_STEP)
        ]
    ledger.extend(records)
    return ledger


@functools.cache
def _said(target: str, number: int, arm: str) -> tuple[float, np.ndarray, dict[str, Any]]:
    """Skill, logits and scores of one training."""
    found = manifest(target)
    random = np.random.default_rng([number, *arm.encode(), *target.encode()])
    truth = found.labels[found.part(0, "test")]
    skill = random.uniform(0.5, 0.95)
    said = np.where(random.random(len(truth)) < skill, truth, random.integers(0, 24, len(truth)))
    stored = (np.eye(24)[said] * 5 + random.normal(0, 1, (len(said), 24))).astype(np.float16)
    return skill, stored, score(stored, found, 0)


def _record(
    ledger: Ledger, track: dict[str, Any], spec: dict[str, Any], found: Manifest, target: str, arm: str, number: int
) -> dict[str, Any]:
    key = hashlib.sha256(f"{number} {target} {arm}".encode()).hexdigest()[:32]
    skill, stored, scores = _said(target, number % DISTINCT, arm)
    log = [
        {"epoch": epoch, "epochs": 10, "loss": float(3.2 / epoch), "validation_macro_f1": float(skill * (1 - 0.5 / epoch)), "seconds": 12.5}
        for epoch in range(1, 11)
    ]  # fmt: skip
    return {
        "key": key, "arm": arm, "chain": ["ImageNet", target], "fold": 0, "repeat": 0, "seed": number, "epochs": 10, "train_images": 192,
        "status": "scored", "failure": None, "scores": scores,
        "submission": {"name": spec["name"], "model": digest(number), "code": None, "pinned": True, "document": digest(spec)},
        "track": {"name": "made", "digest": digest(track), "simulated": True},
        "dataset": {"name": target, "manifest": found.digest, "group": "cell"}, "weights": digest([number]), "parent": None,
        "sandbox": "docker", "sandbox_details": {"image": "sha256:" + "1" * 64}, "seconds": 100.0 + number % 7, "cpu_seconds": 99.0,
        "peak_bytes": 1 << 30, "harness": harness(), "packages": packages(), "ended": f"2026-11-{1 + number % 28:02d}T16:28:44+00:00",
        "environment": {"device": "AMD EPYC", "device_type": "cpu", "python": "3.11", "platform": "Linux", "parameters": 3_400_000 + number},
        "predictions": {"sha256": ledger.put_predictions(key, stored), "images": len(stored)},
        "checkpoint": digest([key]), "energy_joules": None, "log": log,
    }  # fmt: skip


class Took(NamedTuple):
    """Seconds of one build: that passed, that processors of all processes computed, and of these in the kernel."""

    passed: float
    spent: float
    kernel: float


def _spent() -> tuple[float, float]:
    """Processor seconds of this process and of its children that have ended: all, and in the kernel."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    kernel = sum(one.ru_stime for one in used)
    return sum(one.ru_utime for one in used) + kernel, kernel


def timed(ledger: Ledger, folder: Path, memo: Path) -> Took:
    """One build, as the command does it."""
    keep_memory()
    started, (spent, kernel) = time.monotonic(), _spent()
    with Memo(memo) as remembered:
        build(Ledger(ledger.folder), folder, memo=remembered)
    passed, (all_, in_kernel) = time.monotonic() - started, _spent()
    return Took(passed, all_ - spent, in_kernel - kernel)


def main() -> None:
    """Make the ledger where it is not there, and build."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("-n", "--submissions", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    ledger = make(asked.folder / f"ledger-{asked.submissions}", asked.submissions)
    board, memo = asked.folder / "board", asked.folder / "figures.sqlite"
    for number in range(asked.rounds):
        shutil.rmtree(board, ignore_errors=True)
        memo.unlink(missing_ok=True)
        for kind in ("first", "again"):
            took = timed(ledger, board, memo)
            said = f"{took.passed:.1f} s, {took.spent:.1f} processor seconds, {took.kernel:.1f} of them in the kernel"
            print(f"round {number + 1}, {kind}: {said}", flush=True)


if __name__ == "__main__":
    main()
