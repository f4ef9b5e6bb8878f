"""The same images with folds that leak: what is kept, what crosses, that the audit says so, and what is refused."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data import audit as auditing
from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data import resplit as splitting
from benchmark.data.preprocess import Preprocess
from benchmark.data.resplit import resplit
from benchmark.data.store import Dataset, Store
from benchmark.errors import InputError
from tests.conftest import tiny_manifest

HOW = Preprocess(size=64)


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace)


def two_cells_a_person(store: Store, name: str = "mine", group: str = "case", known: bool = True) -> Dataset:
    """Twenty cells of ten people."""
    manifest, pixels = tiny_manifest("Q", cells=20)
    entries = [
        e._replace(case=f"p{int(e.cell[1:]) % 10}", cell=e.cell if known else "", fold=int(e.cell[1:]) % 5, validation_of=-1)
        for e in manifest.entries
    ]  # fmt: skip
    card = cards.load("sim-q").model_copy(update={"name": name, "group": group})
    found = store.write(card, manifests.build(entries, group), pixels)
    cards.write(store.folder(name) / "card.yaml", card)
    return found


def failed(store: Store, name: str) -> set[str]:
    """Names of the checks of the audit that fail."""
    dataset = store.open(name)
    report = auditing.audit([dataset], {name: store.prepared(name, HOW).images})
    return {check.name for check in report.checks if not check.passed}


def bare(dataset: Dataset) -> list[Any]:
    return [entry._replace(fold=-1, validation_of=-1) for entry in dataset.manifest.entries]


def test_the_very_images_in_other_folds_that_cells_cross(store: Store) -> None:
    original = store.open("sim-q")
    made, crossing = resplit(store, "sim-q", "sim-q-random", "image")
    opened = store.open("sim-q-random")
    assert opened.manifest == made.manifest and bare(opened) == bare(original), "cells and people are kept"
    assert list(opened.altered()) == [] and (opened.pixels(77) == original.pixels(77)).all()
    assert (store.prepared("sim-q-random", HOW).images == store.prepared("sim-q", HOW).images).all(), "scaled by cell"
    for fold in range(5):
        parts = [set(opened.manifest.part(fold, part).tolist()) for part in ("train", "validation", "test")]
        assert sorted(p for part in parts for p in part) == list(range(240)) and 40 <= len(parts[2]) <= 56
        inside = {opened.manifest.entries[p].cell for p in parts[0]} & {
            opened.manifest.entries[p].cell for p in parts[2]
        }
        assert len(inside) == 10, "every cell is on both sides"
    assert not crossing.passed and crossing.count == 240


def test_the_card_says_what_it_is(store: Store) -> None:
    card = resplit(store, "sim-q", "sim-q-random", "image").dataset.card
    assert store.card("sim-q-random") == card and "sim-q-random" in store.names()
    original = cards.load("sim-q")
    assert (card.group, card.overlaps, card.layout, card.sources) == ("image", ("sim-q",), "resplit", ())
    assert "split by image" in card.title and "flattered" in card.title and "sim-q" in card.description
    for field in ("stain", "polarity", "simulated", "citation", "terms", "counts"):
        assert getattr(card, field) == getattr(original, field)


def test_overlaps_of_the_original_are_taken_over(store: Store) -> None:
    found = two_cells_a_person(store)
    card = found.card.model_copy(update={"overlaps": ("cir-g", "mine-random")})
    cards.write(store.folder("mine") / "card.yaml", card)
    assert resplit(store, "mine", "mine-random", "image").dataset.card.overlaps == ("mine", "cir-g")


def test_the_audit_fails_for_the_split_and_that_of_the_original_does_not(store: Store) -> None:
    resplit(store, "sim-q", "sim-q-random", "image")
    assert "groups stay on one side" in failed(store, "sim-q-random")
    assert "groups stay on one side" not in failed(store, "sim-q")


def test_by_cell_the_cells_are_whole_and_people_cross(store: Store) -> None:
    two_cells_a_person(store)
    made, crossing = resplit(store, "mine", "mine-cells", "cell")
    manifest, seen = made.manifest, dict[str, tuple[int, int]]()
    for entry in manifest.entries:
        assert seen.setdefault(entry.cell, (entry.fold, entry.validation_of)) == (entry.fold, entry.validation_of)
    assert made.card.group == "cell" and {entry.case for entry in manifest.entries} == {f"p{k}" for k in range(10)}
    assert not crossing.passed and "case p" in crossing.offenders[0]


def test_the_same_words_give_the_same_folds_anywhere_and_another_seed_others(store: Store, tmp_path: Path) -> None:
    digests = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        shutil.copytree(store.workspace, tmp_path / folder)
        digests.append(resplit(Store(tmp_path / folder), "sim-q", "other", "image", seed).dataset.manifest.digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("linked", [True, False])
def test_pixels_are_linked_or_copied_and_never_changed(store: Store, linked: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    if not linked:
        monkeypatch.setattr(splitting.os, "link", _refuse)
    resplit(store, "sim-q", "other", "image")
    first, second = (store.folder(name) / "pixels.bin" for name in ("sim-q", "other"))
    before = second.read_bytes()
    assert first.samefile(second) == linked and first.read_bytes() == before
    store.write(cards.load("sim-q"), *tiny_manifest("G"))  # imported again, as something else
    assert second.read_bytes() == before != first.read_bytes()
    assert list(store.open("other").altered()) == []


def _refuse(*_: Any) -> None:
    raise OSError(95, "not supported")


def test_what_is_killed_on_the_way_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(splitting, "_same_pixels", stop)
        with pytest.raises(KeyboardInterrupt):
            resplit(store, "sim-q", "other", "image")
    assert not store.has("other") and not store.folder("other").exists()
    assert resplit(store, "sim-q", "other", "image").dataset.manifest.digest


def shared(store: Store) -> None:
    """One image a cell and person, of which nothing can cross."""
    manifest, pixels = tiny_manifest("Q")
    entries = [e._replace(cell=e.image, case=e.image) for e in manifest.entries]
    card = cards.load("sim-q").model_copy(update={"name": "single"})
    store.write(card, replace(manifest, entries=tuple(entries)), pixels)
    cards.write(store.folder("single") / "card.yaml", card)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Datasets of every kind, which no test changes."""
    store = Store(tmp_path_factory.mktemp("many"))
    store.write(cards.load("sim-q"), *tiny_manifest("Q"))
    two_cells_a_person(store)
    two_cells_a_person(store, "mine-cells", "cell")
    two_cells_a_person(store, "unknown", known=False)
    shared(store)
    resplit(store, "sim-q", "taken", "image")
    return store


@pytest.mark.parametrize(("words", "message"), [
    (("cir-g", "x", "image"), "dataset has not been imported; found 'cir-g'"),
    (("nobody", "x", "image"), "no dataset of this name; found 'nobody'"),
    (("sim-q", "x", "person"), "--by: no such way to draw folds; found 'person'; allowed: image, cell"),
    (("sim-q", "cir-g", "image"), "NEW: a shipped dataset has this name; found 'cir-g'"),
    (("sim-q", "sim-q", "image"), "NEW: a shipped dataset has this name"),
    (("mine", "taken", "image"), "NEW: the workspace holds a dataset of this name; found 'taken'"),
    (("sim-q", "Not A Name", "image"), "data resplit: name: .*; found 'Not A Name'"),
    (("sim-q", "../out", "image"), "data resplit: name: "),
    (("taken", "x", "image"), "NAME: the folds of taken are drawn by image already"),
    (("mine-cells", "x", "cell"), "--by: the folds of mine-cells are drawn by cell already; found 'cell'; allowed: image"),
    (("unknown", "x", "cell"), "--by: not every cell is known"),
    (("sim-q", "x", "cell"), "no cell and no person would cross a split"),
    (("single", "x", "image"), "no cell and no person would cross a split"),
])  # fmt: skip
def test_what_cannot_be_is_one_clear_error_and_nothing_is_made(many: Store, words: Any, message: str) -> None:
    before = sorted(os.listdir(many.workspace / "datasets"))
    with pytest.raises(InputError, match=message):
        resplit(many, *words)
    assert sorted(os.listdir(many.workspace / "datasets")) == before
    assert np.array_equal(many.open("sim-q").manifest.folds, tiny_manifest("Q")[0].folds)
