import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data import imports, manifest
from benchmark.data.card import Card
from benchmark.data.store import Store
from benchmark.errors import InputError, IntegrityError

NUMBERS = [*(f"{n}{copy}" for n in range(1, 23) for copy in "ab"), "23", "24"]


def card(**changes: object) -> Card:
    base = {
        "name": "bioimlab-q", "title": "t", "stain": "Q", "polarity": "light-on-dark", "layout": "bioimlab", "group": "cell",
        "description": "d", "citation": ["c"], "terms": "t", "counts": {"images": 460, "cells": 10, "cases": 0},
    }  # fmt: skip
    return Card.model_validate({**base, **changes})


def bmp(seed: int) -> bytes:
    random = np.random.default_rng(seed)
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (20, 9), dtype=np.uint8)).save(file, "BMP")
    return file.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Ten cells in the BioImLab layout."""
    for cell in range(1, 11):
        folder = tmp_path / "raw" / str(cell)
        folder.mkdir(parents=True)
        for number, name in enumerate(NUMBERS):
            (folder / f"{cell} {name}.bmp").write_bytes(bmp(cell * 100 + number))
    return tmp_path / "raw"


@pytest.fixture
def committed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> manifest.Manifest:
    """The tree's manifest, as if it were the committed one."""
    decoded = imports.decode(card(), tree, lambda done, total: None)
    made = imports.new_manifest(card(), imports.entries(decoded.images.values()), tree)
    monkeypatch.setattr(manifest, "shipped", lambda name, group: made)
    return made


def bring(tmp_path: Path, tree: Path, made: Card | None = None) -> Store:
    store = Store(tmp_path / "workspace")
    imports.import_archive(store, made or card(), tree, lambda done, total: None)
    return store


def test_a_whole_import_verifies_and_keeps_the_committed_folds(
    tmp_path: Path, tree: Path, committed: manifest.Manifest
) -> None:
    dataset = bring(tmp_path, tree).open("bioimlab-q")
    assert dataset.manifest == committed and list(dataset.altered()) == []
    assert dataset.pixels(0).shape == (20, 9)


def test_what_is_missing_extra_altered_or_undecodable_is_named_and_nothing_is_imported(
    tmp_path: Path, tree: Path, committed: manifest.Manifest
) -> None:
    (tree / "3" / "3 7a.bmp").unlink()
    (tree / "4" / "4 23b.bmp").write_bytes(bmp(1))
    (tree / "5" / "5 1a.bmp").write_bytes(bmp(2))
    (tree / "6" / "6 2b.bmp").write_bytes(b"BM nothing")
    with pytest.raises(IntegrityError) as caught:
        bring(tmp_path, tree)
    text = str(caught.value)
    assert "2 missing: 003-07a, 006-02b" in text and "1 extra: 004-23b" in text and "1 altered: 005-01a" in text
    assert "1 undecodable: 6/6 2b.bmp" in text
    assert not Store(tmp_path / "workspace").has("bioimlab-q")


def test_a_failed_import_leaves_the_earlier_one(tmp_path: Path, tree: Path, committed: manifest.Manifest) -> None:
    bring(tmp_path, tree)
    (tree / "5" / "5 1a.bmp").write_bytes(bmp(2))
    with pytest.raises(IntegrityError):
        bring(tmp_path, tree)
    assert list(Store(tmp_path / "workspace").open("bioimlab-q").altered()) == []


def test_the_same_image_twice_is_named(tmp_path: Path, tree: Path) -> None:
    double = tree / "copy" / "7"
    double.mkdir(parents=True)
    (double / "7 1a.bmp").write_bytes((tree / "7" / "7 1a.bmp").read_bytes())
    with pytest.raises(InputError, match="the same image twice; found '007-01a'"):
        bring(tmp_path, tree)
    assert len(imports.decode(card(), tree, lambda done, total: None, folder="copy").images) == 1


@pytest.mark.parametrize("counts", [
    {"images": 459, "cells": 10, "cases": 0}, {"images": 460, "cells": 11, "cases": 0}, {"images": 460, "cells": 10, "cases": 2},
])  # fmt: skip
def test_without_a_committed_manifest_the_cards_counts_must_fit(
    tmp_path: Path, tree: Path, counts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "shipped", lambda name, group: None)
    with pytest.raises(InputError, match="not the number the card names"):
        bring(tmp_path, tree, card(counts=counts))


def test_without_a_committed_manifest_folds_are_drawn_by_whole_groups(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "shipped", lambda name, group: None)
    found = bring(tmp_path, tree).open("bioimlab-q").manifest
    for cell in set(found.cells):
        assert len(set(found.folds[found.cells == cell])) == 1
    assert sorted(set(found.folds)) == [0, 1, 2, 3, 4]


def test_an_archive_of_something_else_says_so(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "holiday.bmp").write_bytes(bmp(0))
    with pytest.raises(
        InputError, match=r"no image in the layout 'bioimlab' can be read \(.*holiday.bmp: name outside"
    ):
        bring(tmp_path, tmp_path / "other")


def test_a_simulated_dataset_has_the_committed_folds(tmp_path: Path) -> None:
    from benchmark.data import card as cards

    store, made = Store(tmp_path), cards.load("sim-g")
    found = imports.render_simulated(store, made, lambda done, total: None).manifest
    wanted = manifest.shipped("sim-g", "case")
    assert wanted is not None
    assert (found.folds == wanted.folds).all() and (found.validation_of == wanted.validation_of).all()
    assert [(e.image, e.label, e.case) for e in found.entries] == [(e.image, e.label, e.case) for e in wanted.entries]
