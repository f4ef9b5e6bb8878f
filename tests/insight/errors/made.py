"""A workspace of tiny chromosomes with made-up predictions on them, some planted to be missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmark import track as tracks
from benchmark.data.store import Store

ALL = ("scratch", "imagenet", "two-step")


def fill(maker: Any, workspace: Path, arms: tuple[str, ...] = ALL, repeats: int = 2, target: str = "sim-g") -> None:
    """Every arm misses the 1s of fold 0; only two-step gets the 2s of fold 1; the label of `c3-05` looks like a 12."""
    manifest = maker.manifest = Store(workspace).open(target).manifest
    smoke = tracks.load("smoke")
    for arm in arms:
        for repeat in range(repeats):
            for fold in range(5):
                part = manifest.part(fold, "test")
                truth = manifest.labels[part]
                said = truth.copy()
                said[(truth == 0) & (fold == 0)] = 1
                if arm != "two-step":
                    said[(truth == 1) & (fold == 1)] = 2
                said[[manifest.entries[p].image == "c3-05" for p in part]] = 11
                random = np.random.default_rng([fold, repeat, *arm.encode()])
                stored = np.eye(24)[said] * 8 + random.normal(0, 0.5, (len(truth), 24))
                maker.add(
                    arm, fold, repeat, stored=stored, target=target,
                    track={"name": smoke.name, "digest": smoke.digest, "simulated": True},
                    dataset={"name": target, "manifest": manifest.digest, "group": "case"},
                )  # fmt: skip
