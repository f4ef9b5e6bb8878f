"""What was imported is what is read, prepared arrays are rendered once, and damage is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data import store as stores
from benchmark.data.manifest import Entry
from benchmark.data.preprocess import Preprocess
from benchmark.data.store import Dataset, Store, render
from benchmark.errors import InfrastructureError, InputError, IntegrityError

HOW = Preprocess(size=32)


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace)


def damage(path: Path, position: int, value: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(value)


def test_pixels_come_back_as_they_were(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = {f"i{k}": random.integers(0, 256, (5 + k, 9 - k)).astype(np.uint8) for k in range(6)}
    pixels["i2"] = np.asfortranarray(pixels["i2"])
    entries = [
        Entry(name, "1", "c1", "", *values.shape[::-1], manifests.pixel_hash(values)) for name, values in pixels.items()
    ]
    dataset = Store(tmp_path).write(cards.load("sim-q"), manifests.build(reversed(entries), "cell"), pixels)
    for position, entry in enumerate(dataset.manifest.entries):
        assert (dataset.pixels(position) == pixels[entry.image]).all()
    assert list(dataset.altered()) == []


def test_opened_is_what_was_written(store: Store) -> None:
    dataset = store.open("sim-q")
    assert dataset.card.name == "sim-q"
    assert len(dataset.manifest) == 240
    assert list(dataset.altered()) == []


def test_not_imported_says_how(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="karyobench data import sim-q"):
        Store(tmp_path).open("sim-q")
    with pytest.raises(InputError, match="no dataset of this name"):
        Store(tmp_path).open("nothing")


def test_altered_image_is_named(store: Store) -> None:
    dataset = store.open("sim-q")
    before = int(dataset._offsets[3])
    damage(dataset.folder / "pixels.bin", before, bytes([int(dataset.pixels(3)[0, 0]) ^ 255]))
    assert list(store.open("sim-q").altered()) == [dataset.manifest.entries[3].image]


def test_wrong_length_is_seen(store: Store) -> None:
    path = store.folder("sim-q") / "pixels.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=r"pixels.bin: wrong length.*Import the dataset again"):
        store.open("sim-q").pixels(0)


def test_stored_pixels_cannot_be_written(store: Store) -> None:
    with pytest.raises(ValueError, match="read-only"):
        store.open("sim-q").pixels(0)[0, 0] = 1


def test_broken_stored_manifest_is_named(store: Store) -> None:
    (store.folder("sim-q") / "manifest.csv").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"manifest.csv: not UTF-8"):
        store.open("sim-q")


def test_interrupted_import_is_absent(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = store.open("sim-q")
    pixels = {entry.image: dataset.pixels(k).copy() for k, entry in enumerate(dataset.manifest.entries)}
    del pixels[dataset.manifest.entries[100].image]
    with pytest.raises(KeyError):
        store.write(dataset.card, dataset.manifest, pixels)
    assert not store.has("sim-q")
    assert [path.name for path in store.folder("sim-q").iterdir()] == ["pixels.bin"]


def test_full_disk_is_infrastructure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = store.open("sim-q")
    pixels = {entry.image: dataset.pixels(k).copy() for k, entry in enumerate(dataset.manifest.entries)}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InfrastructureError, match="disk is full"):
        store.write(dataset.card, dataset.manifest, pixels)


def test_prepared_is_rendered_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(dataset: Dataset, how: Preprocess, progress: object = None) -> np.ndarray:
        calls.append(dataset.card.name)
        return render(dataset, how)

    monkeypatch.setattr(stores, "render", counted)
    first, second = store.prepared("sim-q", HOW), store.prepared("sim-q", HOW)
    assert calls == ["sim-q"]
    assert first.images.shape == (240, 32, 32)
    assert first.images.dtype == np.uint8
    assert (first.images == second.images).all()
    assert first.manifest == store.open("sim-q").manifest
    store.prepared("sim-q", Preprocess(size=32, upright=False))
    assert calls == ["sim-q", "sim-q"], "other settings are another file"


def test_prepared_follows_the_manifest(store: Store) -> None:
    dataset = store.open("sim-q")
    store.prepared("sim-q", HOW)
    pixels = {entry.image: dataset.pixels(k).copy() for k, entry in enumerate(dataset.manifest.entries[:24])}
    store.write(dataset.card, manifests.build(dataset.manifest.entries[:24], "case"), pixels)
    assert len(store.prepared("sim-q", HOW).images) == 24


@pytest.mark.parametrize("content", ["empty", "cut", "foreign", "shape", "type"])
def test_damaged_prepared_file_is_named(store: Store, content: str) -> None:
    store.prepared("sim-q", HOW)
    path = next((store.workspace / "prepared" / "sim-q").glob("*.npy"))
    if content == "empty":
        path.write_bytes(b"")
    elif content == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif content == "foreign":
        path.write_bytes(b"not an array" * 100)
    elif content == "shape":
        np.save(path, np.zeros((239, 32, 32), np.uint8))
    else:
        np.save(path, np.zeros((240, 32, 32), np.float32))
    with pytest.raises(IntegrityError) as caught:
        store.prepared("sim-q", HOW)
    assert path.name in str(caught.value)
    assert "Delete this file" in str(caught.value)


def test_render_scales_within_the_cell(store: Store) -> None:
    """The same image is larger where its cell has no longer one."""
    dataset = store.open("sim-q")
    images = render(dataset, HOW)
    entries = dataset.manifest.entries
    short = next(k for k, entry in enumerate(entries) if entry.label == "21")
    long = next(k for k, entry in enumerate(entries) if entry.label == "1" and entry.cell == entries[short].cell)
    height = [int(images[k].any(axis=1).sum()) for k in (long, short)]
    assert height[0] > 1.5 * height[1]
    alone = Dataset(dataset.card, manifests.Manifest((entries[short]._replace(cell=""),), "image"), dataset.folder)
    alone.__dict__["_offsets"] = np.array([0, entries[short].width * entries[short].height])
    alone.__dict__["_bytes"] = dataset.pixels(short).ravel()
    assert int(render(alone, HOW)[0].any(axis=1).sum()) > 1.5 * height[1]


def test_render_does_not_mix_cells_of_one_name(store: Store) -> None:
    """Cells of two cases may share a name; each keeps its own scale."""
    dataset = store.open("sim-q")
    entries = tuple(entry._replace(cell="same") for entry in dataset.manifest.entries)
    renamed = Dataset(dataset.card, manifests.Manifest(entries, "case"), dataset.folder)
    assert (render(renamed, HOW) == render(dataset, HOW)).all()


def test_stains_meet_in_polarity(store: Store) -> None:
    """The tiny datasets are each other's negatives; prepared they are the same."""
    assert (store.prepared("sim-q", HOW).images == store.prepared("sim-g", HOW).images).all()


def test_an_import_of_another_manifest_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    card = cards.load("cir-g")
    pixels = {f"i{number}": np.full((4, 5), 50 + number, dtype=np.uint8) for number in range(3)}
    entries = [
        manifests.Entry(name, "1", "c", f"p{name}", 5, 4, manifests.pixel_hash(crop), 0, -1)
        for name, crop in pixels.items()
    ]
    made = manifests.build(entries, card.group)
    store = Store(tmp_path)
    store.write(card, made, pixels)
    with pytest.raises(InputError, match=r"another version of its manifest.*data import cir-g"):
        store.open("cir-g")
    monkeypatch.setattr(manifests, "shipped", lambda name, group: made)
    assert store.open("cir-g").manifest == made
