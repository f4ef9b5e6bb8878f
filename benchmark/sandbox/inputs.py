"""Writing the inputs folder of a unit: what submitted code may see, and nothing more.

Training and validation images come with their labels; the test images come without, in an order
that depends on a secret of the workspace which the code never gets (invariant 1).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import Part
from benchmark.data.store import Prepared
from benchmark.files import atomic, disk_errors, save_array
from benchmark.job import Job

SECRET_BYTES = 32


def workspace_secret(workspace: Path) -> bytes:
    """The workspace's secret; made at first use, readable by its owner only."""
    path = workspace / "secret"
    if not path.is_file():
        with atomic(path) as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        path.chmod(0o600)
    return path.read_bytes()


def test_order(secret: bytes, key: str, count: int) -> npt.NDArray[np.int64]:
    """Permutation of a unit's test images: row i of test.npy is test image `order[i]`.

    Args:
        secret: the workspace's.
        key: the unit's.
        count: number of test images.
    """
    seed = int.from_bytes(hmac.new(secret, key.encode(), hashlib.sha256).digest(), "big")
    return np.random.default_rng(seed).permutation(count).astype(np.int64)


def shuffled_labels(labels: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """The same labels in another order, for the shuffled control."""
    return np.random.default_rng([seed, 1]).permutation(labels)


def write_inputs(
    folder: Path,
    job: Job,
    prepared: Prepared,
    fold: int,
    shuffled: bool,
    order: npt.NDArray[np.int64],
    start: Path | None,
    code: Sequence[Path],
) -> None:
    """Write everything a unit needs into an empty folder.

    Args:
        folder: to be made.
        job: written as job.json.
        prepared: the dataset of this stage, at the track's size.
        fold: whose parts.
        shuffled: whether training and validation labels are permuted.
        order: of the test images, from `test_order`.
        start: file of the weights to start from.
        code: the submission's Python files.

    Raises:
        InfrastructureError: when the disk is full.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(job.model_dump_json(indent=1))
        parts: tuple[Part, ...] = ("train", "validation")
        for part in parts:
            positions = prepared.manifest.part(fold, part)
            labels = prepared.manifest.labels[positions]
            if shuffled:
                labels = shuffled_labels(labels, job.seed)
            save_array(folder / f"{part}.npy", prepared.images[positions])
            save_array(folder / f"{part}_labels.npy", labels)
        test = prepared.manifest.part(fold, "test")
        save_array(folder / "test.npy", prepared.images[test[order]])
        if start is not None:
            link(start, folder / str(job.start.file))
        (folder / "code").mkdir()
        for file in code:
            shutil.copyfile(file, folder / "code" / file.name)


def link(source: Path, target: Path) -> None:
    """Put a file there: a hard link where the file system can, else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
