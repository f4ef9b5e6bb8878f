"""Small ledgers whose records say all that published ones must."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import grading
from benchmark.data.manifest import CLASSES, Entry, Manifest, build
from benchmark.files import digest
from benchmark.ledger import Ledger
from benchmark.scoring import score

SPEC = {"name": "net", "title": "Net"}
TRACK = {"name": "pocket", "simulated": False}


def manifest() -> Manifest:
    """Ten cells of one image a class."""
    entries = [
        Entry(f"c{cell}-{number:02d}", label, f"c{cell}", "", 4, 4, "0" * 64, cell % 5, -1)
        for cell in range(10)
        for number, label in enumerate(CLASSES)
    ]
    return build(entries, "cell")


def key(name: str) -> str:
    """A unit's key made from a word."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def fill(ledger: Ledger, *folds: int, **changes: Any) -> list[dict[str, Any]]:
    """Append one unit for each of some folds."""
    return [add(ledger, f"unit {fold}", fold=fold, **changes) for fold in folds]


def made(folder: Path, *folds: int, **changes: Any) -> Ledger:
    """A new ledger with a unit for each of some folds."""
    ledger = Ledger(folder)
    fill(ledger, *folds, **changes)
    return ledger


def add(
    ledger: Ledger, name: str, *, fold: int = 0, seed: int = 0, failed: str | None = None, **changes: Any
) -> dict[str, Any]:
    """Append one whole record; the same name, fold and seed give the same predictions.

    `changes` replace fields; a nested one is named `track__simulated`.
    """
    found, random = manifest(), np.random.default_rng([seed, fold])
    truth = found.labels[found.part(fold, "test")]
    said = np.where(random.random(len(truth)) < 0.8, truth, random.integers(0, 24, len(truth)))
    stored = (np.eye(24)[said] * 5).astype(np.float16)
    ledger.put_manifest(found)
    track = TRACK | ({"simulated": True} if changes.get("track__simulated") else {})
    for kind, document in (("submissions", SPEC), ("tracks", track)):
        ledger.put_document(kind, digest(document), document)
    record: dict[str, Any] = {
        "key": key(name), "arm": "scratch", "chain": ["tiny"], "fold": fold, "repeat": 0, "seed": 1, "epochs": 2, "train_images": 9,
        "submission": {"name": "net", "model": "a" * 64, "code": None, "pinned": True, "document": digest(SPEC)},
        "track": {"name": "pocket", "digest": digest(track), "simulated": track["simulated"]},
        "dataset": {"name": "tiny", "manifest": found.digest, "group": "cell"},
        "weights": None, "parent": None, "sandbox": "process", "sandbox_details": {}, "seconds": 3.0 + seed, "peak_bytes": 10,
        "harness": {"version": "0.1.0", "code": "0" * 16}, "packages": {"torch": "2"}, "ended": "2026-11-23T16:28:44+00:00",
    }  # fmt: skip
    if failed is not None:
        record |= {"status": "failed", "failure": {"kind": failed, "message": "x"}}
    else:
        environment = {"device": "CPU", "device_type": "cpu", "python": "3.11", "platform": "Linux"}
        record |= {
            "status": "scored", "failure": None, "scores": score(stored, found, fold), "environment": environment,
            "predictions": {"sha256": ledger.put_predictions(record["key"], stored), "images": len(stored)},
            "checkpoint": "b" * 64, "energy_joules": None, "log": [],
        }  # fmt: skip
    for field, value in changes.items():
        outer, _, inner = field.partition("__")
        record[outer] = record[outer] | {inner: value} if inner else value
    return ledger.append(record)


def reproduce(ledger: Ledger, name: str, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Append a reproduction of a unit, with the predictions that `add` gives for a seed."""
    unit = ledger.by_key()[key(name)]
    found, random = manifest(), np.random.default_rng([seed, unit["fold"]])
    truth = found.labels[found.part(unit["fold"], "test")]
    said = np.where(random.random(len(truth)) < 0.8, truth, random.integers(0, 24, len(truth)))
    stored = (np.eye(24)[said] * 5).astype(np.float16)
    trainings = grading.siblings(unit, ledger.by_key())
    record = {
        "type": "reproduction", "of": unit["key"], "original": unit["hash"],
        **grading.described(grading.compare(ledger, unit, stored, trainings)), "trainings": [one["key"] for one in trainings],
        "predictions": {"sha256": ledger.put_reproduced(stored), "images": len(stored)}, "failure": None, "attempt": f"{name} {seed}",
        **{field: unit[field] for field in ("harness", "packages", "sandbox", "sandbox_details", "seconds", "ended", "environment")},
    }  # fmt: skip
    return ledger.append({**record, **changes})


def withdraw(ledger: Ledger, reason: str = "wrong weights") -> dict[str, Any]:
    """Append the withdrawal of all versions of the net."""
    versions = [f"{'a' * 64}:None"]
    return ledger.append(
        {"type": "withdrawal", "submission": "net", "versions": versions, "reason": reason, "ended": "2026-11-24T00:00:00+00:00"}
    )  # fmt: skip


def built(folder: Path, **files: str) -> Path:
    """A folder like a built board; names have `__` for a folder and `_` for a dot."""
    contents = {
        "index_html": "<p>board</p>",
        "assets__app_css": "p {}",
        "data__index_js": "x = 1",
        "board_json": "{}",
    } | files
    for name, text in contents.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
