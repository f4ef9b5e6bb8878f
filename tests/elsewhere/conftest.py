"""Predictions for the tiny simulated data set, right most of the time, as a file of any kind."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, Manifest
from benchmark.data.store import Store
from tests.conftest import tiny_manifest

Rows = list[list[Any]]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the tiny data sets that nothing may be written into."""
    folder = tmp_path_factory.mktemp("shared")
    for name, stain in (("sim-q", "Q"), ("sim-g", "G")):
        Store(folder).write(cards.load(name), *tiny_manifest(stain))
    return folder


@pytest.fixture
def manifest(shared: Path) -> Manifest:
    return manifests.read(shared / "datasets" / "sim-q" / "manifest.csv", "case")


def predictions(found: Manifest, folds: tuple[int, ...] = (0,), skill: float = 0.8, seed: int = 0) -> Rows:
    """A row an image: its id and 24 probabilities, rounded to six places."""
    random, rows = np.random.default_rng(seed), []
    for position in np.flatnonzero(np.isin(found.folds, folds)):
        values = random.random(24)
        values[found.labels[position] if random.random() < skill else random.integers(24)] += 9
        rows.append([found.entries[position].image, *(float(one) for one in np.round(values / values.sum(), 6))])
    return rows


def write_csv(path: Path, rows: Rows, header: tuple[str, ...] = ("image", *CLASSES)) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def mine(manifest: Manifest, tmp_path: Path) -> Callable[..., Path]:
    """Writes a right file for fold 0, or one whose rows were changed: `mine(lambda rows: ...)`."""

    def make(change: Callable[[Rows], Any] | None = None, name: str = "mine.csv", **options: Any) -> Path:
        rows = predictions(manifest, **options)
        changed = change(rows) if change else None
        return write_csv(tmp_path / name, rows if changed is None else changed)

    return make
