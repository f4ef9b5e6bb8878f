from pathlib import Path

import numpy as np

from benchmark.data.preprocess import Preprocess
from benchmark.data.store import Store
from benchmark.job import Job, Start
from benchmark.sandbox.inputs import shuffled_labels, workspace_secret, write_inputs
from benchmark.sandbox.inputs import test_order as order_of
from benchmark.track import Recipe


def test_the_secret_is_made_once_and_is_the_owners_only(tmp_path: Path) -> None:
    first = workspace_secret(tmp_path)
    assert len(first) == 32 and workspace_secret(tmp_path) == first
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_an_order_is_a_permutation_that_can_be_had_again() -> None:
    order = order_of(b"s" * 32, "key", 100)
    assert sorted(order) == list(range(100)) and (order == order_of(b"s" * 32, "key", 100)).all()
    assert (order != np.arange(100)).any()


def test_shuffling_keeps_the_labels_and_loses_the_link() -> None:
    labels = np.repeat(np.arange(24), 50)
    mixed = shuffled_labels(labels, 3)
    assert (np.bincount(mixed) == 50).all() and (mixed == labels).mean() < 0.1
    assert (mixed == shuffled_labels(labels, 3)).all()


def test_the_shuffled_control_gets_other_labels_and_the_same_images(workspace: Path, tmp_path: Path) -> None:
    prepared = Store(workspace).prepared("sim-q", Preprocess(size=32))
    job = Job(
        key="k", seed=1, model={}, classes=24, image_size=32, epochs=1, recipe=Recipe(epochs=1, batch_size=8, lr=0.1),
        start=Start(kind="random"), device="cpu", threads=1,
    )  # fmt: skip
    order = order_of(b"s" * 32, "k", len(prepared.manifest.part(2, "test")))
    for name, shuffled in (("plain", False), ("mixed", True)):
        write_inputs(tmp_path / name, job, prepared, 2, shuffled, order, None, ())
    plain, mixed = (np.load(tmp_path / name / "train_labels.npy") for name in ("plain", "mixed"))
    assert (plain == prepared.manifest.labels[prepared.manifest.part(2, "train")]).all()
    assert (np.sort(plain) == np.sort(mixed)).all() and (plain != mixed).mean() > 0.8
    images = [np.load(tmp_path / name / "train.npy") for name in ("plain", "mixed")]
    assert (images[0] == images[1]).all()
    test = np.load(tmp_path / "plain" / "test.npy")
    assert (test == prepared.images[prepared.manifest.part(2, "test")][order]).all()
