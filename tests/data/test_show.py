"""Pictures hold what they promise; what cannot be drawn is said in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from benchmark.data import manifest as manifests
from benchmark.data import show
from benchmark.data.card import Card
from benchmark.data.manifest import CLASSES, Entry
from benchmark.data.preprocess import Preprocess
from benchmark.data.store import Dataset, Store, render
from benchmark.errors import InputError


def make(
    folder: Path,
    *,
    polarity: str = "light-on-dark",
    simulated: bool = False,
    cells: tuple[tuple[str, str], ...] = (("", "c1"),),
    skip: tuple[str, ...] = ("Y",),
    width: int = 12,
) -> Dataset:
    """Two images of each class in every (case, cell), but one X for a man, and none of `skip`."""
    entries, pixels = [], {}
    for case, cell in cells:
        for number, label in enumerate(CLASSES):
            for copy in range(0 if label in skip else 1 if label in "XY" and "Y" not in skip else 2):
                name = f"{case}-{cell}-{number:02d}-{copy}"
                values = np.zeros((60 - 2 * number, width + 4), np.uint8)
                values[2:-2, 2:-2] = 120 + 5 * number
                values = values if polarity == "light-on-dark" else (255 - values).astype(np.uint8)
                pixels[name] = values
                sha = manifests.pixel_hash(values)
                entries.append(Entry(name, label, cell, case, values.shape[1], values.shape[0], sha, 0, -1))
    card = Card.model_validate(
        {
            "name": "made-up", "title": "Made up", "stain": "Q", "layout": "simulated", "group": "cell",
            "polarity": polarity, "simulated": simulated, "description": "", "citation": (), "terms": "",
            "counts": {"images": 1, "cells": 0, "cases": 0},
        }
    )  # fmt: skip
    return Store(folder).write(card, manifests.build(entries, "cell"), pixels)


def ink(picture: Image.Image, dark: bool = True) -> np.ndarray:
    """Where something is drawn."""
    values = np.asarray(picture)
    return values > 60 if dark else values < 195


def test_layout_names_every_class_once() -> None:
    names = [name for row in show.KARYOGRAM for _, labels in row for name in labels]
    assert sorted(names) == sorted(CLASSES)
    assert "".join(group for row in show.KARYOGRAM for group, _ in row) == "ABCDEFG"


def test_karyogram_draws_every_chromosome_on_the_page(tmp_path: Path) -> None:
    """Each class has its own grey value in the made-up cell, so that each is found again, and in its row."""
    dataset = make(tmp_path)
    values = np.asarray(show.draw_karyogram(dataset, "c1"))
    gain = 235 / np.median([120 + 5 * n for n, label in enumerate(CLASSES) if label != "Y" for _ in range(2)])
    middle = []
    for row in show.KARYOGRAM:
        rows = []
        for _, labels in row:
            for label in labels:
                if label == "Y":
                    continue
                grey = min(255, int((120 + 5 * CLASSES.index(label)) * gain))
                if grey == 255:
                    continue
                found = np.nonzero(values == grey)
                assert len(found[0]) > 150, label
                rows.append(np.median(found[0]))
        middle.append(np.mean(rows) if rows else np.nan)
    known = [value for value in middle if not np.isnan(value)]
    assert known == sorted(known)
    assert len(known) >= 3


def test_karyogram_keeps_proportions_and_bottoms_on_one_line(tmp_path: Path) -> None:
    values = np.asarray(show.draw_karyogram(make(tmp_path), "c1"))
    parts, _ = ndimage.label(values[80:280] > 60)
    boxes = [box for box in ndimage.find_objects(parts) if box[0].stop - box[0].start > 50]
    assert len(boxes) == 10, "1 to 5, two of each"
    boxes.sort(key=lambda box: box[1].start)
    bottoms = [box[0].stop for box in boxes]
    assert max(bottoms) - min(bottoms) <= 2
    assert max(bottoms) < 198, "above the line of names"
    heights = [box[0].stop - box[0].start for box in boxes]
    for number, height in enumerate(heights):
        assert height / heights[0] == pytest.approx((56 - 2 * (number // 2)) / 56, abs=0.03)


@pytest.mark.parametrize("width", [12, 58])
def test_wide_chromosomes_stay_on_the_page_and_apart(tmp_path: Path, width: int) -> None:
    dataset = make(tmp_path, width=width)
    drawn = ink(show.draw_karyogram(dataset, "c1"))
    assert drawn.shape[1] == show.PAGE
    assert not drawn[:, :20].any()
    assert not drawn[:, -20:].any()


def test_dark_stains_are_drawn_dark_on_white(tmp_path: Path) -> None:
    light, dark = make(tmp_path / "a"), make(tmp_path / "b", polarity="dark-on-light")
    for draw in (lambda dataset: show.draw_karyogram(dataset, "c1"), show.draw_contact_sheet):
        assert np.median(np.asarray(draw(light))) == 0
        assert np.median(np.asarray(draw(dark))) == 255
        assert ink(draw(dark), dark=False).sum() > 5000


@pytest.mark.parametrize("polarity", ["light-on-dark", "dark-on-light"])
def test_simulated_is_marked(tmp_path: Path, polarity: str) -> None:
    real = make(tmp_path / "a", polarity=polarity)
    simulated = make(tmp_path / "b", polarity=polarity, simulated=True)
    for draw in (lambda dataset: show.draw_karyogram(dataset, "c1"), show.draw_contact_sheet):
        first, second = np.asarray(draw(real)), np.asarray(draw(simulated))
        changed = np.nonzero(first != second)
        assert len(changed[0]) > 1000
        assert changed[0].max() < 60, "the mark is in the title"
        assert changed[1].min() > first.shape[1] - 200


def test_missing_classes_and_men_are_drawn(tmp_path: Path) -> None:
    full = show.draw_karyogram(make(tmp_path / "a", skip=()), "c1")
    without = show.draw_karyogram(make(tmp_path / "b", skip=("Y", "13")), "c1")
    assert ink(full).sum() > ink(without).sum()


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["1", "X", "X"], "female (XX)"),
        (["X", "Y"], "male (XY)"),
        (["Y"], "male (X missing, Y)"),
        (["X", "X", "Y"], "male (XXY)"),
        (["X"], "sex not told (one X, no Y)"),
        (["1"], "sex not told (no X, no Y)"),
    ],
)
def test_sex(labels: list[str], text: str) -> None:
    assert show.sex(labels) == text


def test_unknown_cell_lists_some_known(tmp_path: Path) -> None:
    dataset = make(tmp_path, cells=tuple(("", f"c{number}") for number in range(11)))
    with pytest.raises(InputError) as caught:
        show.draw_karyogram(dataset, "c99")
    assert "'c99'" in str(caught.value)
    assert "c0, c1, c10, c2" in str(caught.value)
    assert "and 3 more" in str(caught.value)


def test_cell_of_several_cases_must_be_named_with_its_case(tmp_path: Path) -> None:
    dataset = make(tmp_path, cells=(("p1", "c1"), ("p2", "c1"), ("p2", "c2")))
    with pytest.raises(InputError, match="p1/c1, p2/c1"):
        show.draw_karyogram(dataset, "c1")
    whole = np.asarray(show.draw_karyogram(dataset, "p2/c2"))
    assert (np.asarray(show.draw_karyogram(dataset, "c2")) == whole).all()


def test_dataset_without_cells_has_no_karyogram(tmp_path: Path) -> None:
    dataset = make(tmp_path, cells=(("", ""),))
    with pytest.raises(InputError, match="cells of this dataset are not known"):
        show.draw_karyogram(dataset, "c1")
    assert show.draw_contact_sheet(dataset).width > 500


def test_contact_sheet_has_a_row_a_class_and_as_many_examples_as_there_are(tmp_path: Path) -> None:
    dataset = make(tmp_path)
    step = show.TILE + 2
    drawn = ink(show.draw_contact_sheet(dataset, per_class=3))
    top, left = 36 + 40, 36 + 44
    second = left + 3 * step + 36 + 44
    for number, label in enumerate(CLASSES):
        x0, y0 = (left, top + number * step) if number < 12 else (second, top + (number - 12) * step)
        tiles = [drawn[y0 : y0 + show.TILE, x0 + column * step : x0 + column * step + show.TILE] for column in range(3)]
        assert [bool(tile.any()) for tile in tiles] == [label != "Y", label != "Y", False], label


def test_contact_sheet_of_prepared_images(tmp_path: Path) -> None:
    dataset = make(tmp_path, polarity="dark-on-light")
    prepared = render(dataset, Preprocess(size=64))
    sheet = show.draw_contact_sheet(dataset, images=prepared)
    assert np.median(np.asarray(sheet)) == 0, "prepared images are light on black for every stain"
    with pytest.raises(InputError, match="not the prepared images"):
        show.draw_contact_sheet(dataset, images=prepared[:-1])


def test_contact_sheet_draws_by_seed(tmp_path: Path) -> None:
    dataset = make(tmp_path, cells=tuple(("", f"c{number}") for number in range(6)))
    prepared = np.random.default_rng(0).integers(0, 255, (len(dataset.manifest), 20, 20)).astype(np.uint8)
    one, again, other = (
        show.draw_contact_sheet(dataset, images=prepared, seed=seed, per_class=2) for seed in (1, 1, 2)
    )
    assert (np.asarray(one) == np.asarray(again)).all()
    assert (np.asarray(one) != np.asarray(other)).any()


@pytest.mark.parametrize("count", [0, 41])
def test_contact_sheet_refuses_unreasonable_counts(tmp_path: Path, count: int) -> None:
    with pytest.raises(InputError, match="1 to 40"):
        show.draw_contact_sheet(make(tmp_path), per_class=count)


def test_written_pictures_are_whole_pngs(tmp_path: Path) -> None:
    dataset = make(tmp_path)
    prepared = render(dataset, Preprocess(size=64))
    show.karyogram(dataset, "c1", tmp_path / "new" / "cell.png")
    show.contact_sheet(dataset, tmp_path / "new" / "sheet.png", images=prepared, per_class=3, seed=4)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["cell.png", "sheet.png"]
    drawn = show.draw_karyogram(dataset, "c1"), show.draw_contact_sheet(dataset, images=prepared, per_class=3, seed=4)
    for name, picture in zip(("cell", "sheet"), drawn, strict=True):
        with Image.open(tmp_path / "new" / f"{name}.png") as read:
            assert read.format == "PNG"
            assert (np.asarray(read) == np.asarray(picture)).all()


def test_path_that_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        show.karyogram(make(tmp_path), "c1", tmp_path)
