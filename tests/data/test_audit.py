"""Each planted breach is named; a clean pair of datasets passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from benchmark.data import frame_leak, split_checks
from benchmark.data import manifest as manifests
from benchmark.data.audit import audit
from benchmark.data.audit_report import SHOWN, Check, Report, outcome
from benchmark.data.card import Card
from benchmark.data.importers import IMPORTERS, members
from benchmark.data.manifest import CLASSES, Entry, Manifest
from benchmark.data.preprocess import Preprocess, unify
from benchmark.data.store import Dataset, Store, render
from benchmark.errors import InputError

HOW = Preprocess(size=64)
CELLS = 10


def make_card(name: str, stain: str) -> Card:
    return Card.model_validate(
        {
            "name": name, "title": name, "stain": stain, "layout": "simulated", "group": "cell",
            "polarity": "light-on-dark" if stain == "Q" else "dark-on-light",
            "description": "made up", "citation": (), "terms": "none",
            "counts": {"images": 1, "cells": 0, "cases": 0},
        }
    )  # fmt: skip


def crop(seed: list[int], label: int) -> np.ndarray:
    """Light on dark; length by class, texture its own."""
    height, width = 76 - 2 * label, 20
    y, x = np.mgrid[-1 : 1 : complex(height), -1 : 1 : complex(width)]
    body = ndimage.gaussian_filter((np.abs(x) ** 3 + np.abs(y) ** 4 < 0.9).astype(float), 0.7)
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 1, (height, width)), 1.5)
    return np.pad((np.clip(150 + 30 * texture / texture.std(), 60, 250) * body).astype(np.uint8), 4)


def make(folder: Path, name: str, stain: str, change: Callable[[dict[str, np.ndarray]], None] | None = None) -> Dataset:
    """Ten cells of 24 images, with sound folds; `change` may alter the pixels before they are stored."""
    number = 1 if stain == "Q" else 2
    pixels = {
        f"c{cell}-{label:02d}": crop([number, cell, label], label)
        for cell in range(CELLS)
        for label in range(len(CLASSES))
    }
    if change is not None:
        change(pixels)
    if stain == "G":
        pixels = {image: 255 - values for image, values in pixels.items()}
    entries = []
    for image, values in pixels.items():
        cell, label = image[1:].split("-")
        fold = int(cell) % 5
        validation_of = (fold - 1) % 5 if int(cell) >= 5 else -1
        height, width = values.shape
        sha = manifests.pixel_hash(values)
        entries.append(Entry(image, CLASSES[int(label)], f"c{cell}", "", width, height, sha, fold, validation_of))
    return Store(folder).write(make_card(name, stain), manifests.build(entries, "cell"), pixels)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    folder = tmp_path_factory.mktemp("clean")
    return make(folder, "q", "Q"), make(folder, "g", "G")


def prepared(*datasets: Dataset) -> dict[str, np.ndarray]:
    return {dataset.card.name: render(dataset, HOW) for dataset in datasets}


def failed(report: Report) -> dict[tuple[str, tuple[str, ...]], Check]:
    return {(check.name, check.datasets): check for check in report.checks if not check.passed}


def moved(manifest: Manifest, **changes: tuple[int, int]) -> Manifest:
    """The manifest with other (fold, validation_of) for some images."""
    entries = tuple(
        entry._replace(
            fold=changes[entry.image.replace("-", "_")][0], validation_of=changes[entry.image.replace("-", "_")][1]
        )
        if entry.image.replace("-", "_") in changes
        else entry
        for entry in manifest.entries
    )
    return Manifest(entries, manifest.group_by)


# --- the whole audit


def test_clean_datasets_pass_and_progress_is_told(clean: tuple[Dataset, Dataset]) -> None:
    told: list[tuple[int, int]] = []
    report = audit(clean, prepared(*clean), progress=lambda done, total: told.append((done, total)))
    assert report.ok, report.text()
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (len(report.checks), len(report.checks))
    assert {total for _, total in told} == {len(report.checks)}
    assert "All checks passed." in report.text()


def test_every_planted_breach_of_pictures_is_named(tmp_path: Path, clean: tuple[Dataset, Dataset]) -> None:
    """One audit, four breaches: within a dataset and between two, exact and near."""

    def plant(pixels: dict[str, np.ndarray]) -> None:
        shifted = np.pad(pixels["c0-05"], ((1, 0), (1, 0)))[:-1, :-1]
        pixels["c1-05"] = np.clip(shifted * 1.1, 0, 255).astype(np.uint8)
        pixels["c3-07"] = pixels["c2-07"].copy()

    def plant_other(pixels: dict[str, np.ndarray]) -> None:
        first = clean[0]
        position = {entry.image: number for number, entry in enumerate(first.manifest.entries)}
        pixels["c4-03"] = np.asarray(
            Image.fromarray(first.pixels(position["c6-03"])).rotate(2, Image.Resampling.BICUBIC, expand=True)
        )
        pixels["c4-09"] = 255 - first.pixels(position["c8-09"])

    first, second = make(tmp_path, "q", "Q", plant), make(tmp_path, "g", "G", plant_other)
    breaches = failed(audit([first, second], prepared(first, second)))
    assert set(breaches) == {
        ("no equal images across a split", ("q",)),
        ("no near-duplicate images across a split", ("q",)),
        ("no equal images between datasets", ("q", "g")),
        ("no near-duplicate images between datasets", ("q", "g")),
    }
    assert breaches["no equal images across a split", ("q",)].offenders == ("c2-07 = c3-07",)
    near = breaches["no near-duplicate images across a split", ("q",)]
    assert sorted(line.split(" (")[0] for line in near.offenders) == ["c0-05 ~ c1-05", "c2-07 ~ c3-07"]
    assert breaches["no equal images between datasets", ("q", "g")].offenders == ("c8-09 = c4-09",)
    between = breaches["no near-duplicate images between datasets", ("q", "g")].offenders
    assert [line.split(" (")[0] for line in between if "c6-03" in line] == ["c6-03 ~ c4-03"]


def test_duplicate_within_one_side_is_no_breach(tmp_path: Path) -> None:
    def plant(pixels: dict[str, np.ndarray]) -> None:
        pixels["c0-06"] = pixels["c0-05"].copy()

    dataset = make(tmp_path, "q", "Q", plant)
    report = audit([dataset], prepared(dataset))
    assert report.ok
    equal = next(check for check in report.checks if check.name == "no equal images across a split")
    assert equal.notes == ("1 more sets of equal images stay on one side",)


def test_copied_metaphase_is_named(tmp_path: Path) -> None:
    def plant(pixels: dict[str, np.ndarray]) -> None:
        for label in range(len(CLASSES)):
            source = pixels[f"c0-{label:02d}"].astype(float)
            noise = np.random.default_rng(label).normal(0, 6, source.shape)
            pixels[f"c1-{label:02d}"] = np.clip(source * 0.9 + noise * (source > 20), 0, 255).astype(np.uint8)

    dataset = make(tmp_path, "q", "Q", plant)
    breach = failed(audit([dataset], prepared(dataset)))["no copied cell across a split", ("q",)]
    assert breach.count == 1
    assert breach.offenders[0].startswith("cell c0 ~ cell c1 (")


def test_shared_images_are_no_breach_where_a_card_declares_them(tmp_path: Path) -> None:
    """Two datasets of one stain may be source and target: only what is declared can never be."""
    first, second = make(tmp_path, "one", "Q"), make(tmp_path, "two", "Q")
    assert not audit([first, second], prepared(first, second)).ok
    second = replace(second, card=second.card.model_copy(update={"overlaps": ("one",)}))
    report = audit([first, second], prepared(first, second))
    assert report.ok
    equal = next(check for check in report.checks if check.name == "no equal images between datasets")
    assert (equal.count, len(equal.offenders)) == (240, SHOWN)
    assert "240 found" in report.text()


def test_broken_preprocessing_leaks_the_cell(tmp_path: Path, clean: tuple[Dataset, Dataset]) -> None:
    """A preprocessing that keeps each cell's own offset on the canvas; and one that keeps its background."""
    dataset = clean[0]
    cells = np.array([int(entry.cell[1:]) for entry in dataset.manifest.entries])
    good = render(dataset, HOW)
    offset = np.stack([np.roll(image, cell - 5, axis=1) for image, cell in zip(good, cells, strict=True)])
    background = np.maximum(good, (3 * cells[:, None, None]).astype(np.uint8))
    for images in (offset, background):
        report = audit([dataset], {"q": images})
        breach = failed(report)["frame does not tell the cell", ("q",)]
        assert breach.figures["prepared_accuracy"] > 2 * breach.figures["chance"]
        assert breach.figures["prepared_p"] < frame_leak.ALPHA
        assert breach.offenders == ("all 240 images",)
        assert "BREACH" in report.text()


def test_group_crossing_and_untested_image_fail_the_audit(clean: tuple[Dataset, Dataset]) -> None:
    dataset = clean[0]
    broken = Dataset(dataset.card, moved(dataset.manifest, c0_00=(1, 0), c7_03=(-1, -1)), dataset.folder)
    report = audit([broken], prepared(dataset))
    breaches = failed(report)
    groups = breaches["groups stay on one side", ("q",)]
    assert groups.count == 48, "every image of both cells"
    assert "c0-00: cell c0 stands on 2 sides" in groups.offenders
    assert breaches["every image tested once", ("q",)].offenders == ("c7-03: tested in no fold",)


def test_wrong_inputs_are_refused(clean: tuple[Dataset, Dataset]) -> None:
    images = prepared(*clean)
    with pytest.raises(InputError, match="given twice"):
        audit([clean[0], clean[0]], images)
    with pytest.raises(InputError, match="no prepared images"):
        audit(clean, {"q": images["q"]})
    with pytest.raises(InputError, match=r"uint8 \(240, size, size\)"):
        audit(clean, {**images, "g": images["g"][:-1]})
    with pytest.raises(InputError, match="different tracks"):
        audit(clean, {**images, "g": np.zeros((240, 80, 80), np.uint8)})
    with pytest.raises(InputError, match="at least 64"):
        audit(clean, {name: values[:, :32, :32] for name, values in images.items()})


# --- the checks of a manifest


@pytest.fixture
def manifest(clean: tuple[Dataset, Dataset]) -> Manifest:
    return clean[0].manifest


def test_validation_is_grouped_too(manifest: Manifest) -> None:
    """Same test fold, but one image of the cell trains where its mates are validation."""
    check = split_checks.groups("q", moved(manifest, c7_00=(2, -1)))
    assert not check.passed
    assert check.count == 24


def test_known_case_must_not_cross_even_where_the_cell_is_the_group(manifest: Manifest) -> None:
    entries = tuple(entry._replace(case="p1" if entry.cell in {"c0", "c1"} else "") for entry in manifest.entries)
    check = split_checks.groups("q", Manifest(entries, "cell"))
    assert check.count == 48
    assert "case p1" in check.offenders[0]


def test_missing_group_is_a_breach(manifest: Manifest) -> None:
    entries = (manifest.entries[0]._replace(cell=""), *manifest.entries[1:])
    assert split_checks.groups("q", Manifest(entries, "cell")).offenders == ("c0-00: no cell is given",)


def test_image_in_test_and_validation_of_one_fold(manifest: Manifest) -> None:
    check = split_checks.tested_once("q", moved(manifest, c3_02=(3, 3)))
    assert check.offenders == ("c3-02: tested and validation in fold 3",)


def test_empty_part_is_named(manifest: Manifest) -> None:
    entries = tuple(
        entry._replace(validation_of=-1) if entry.validation_of == 2 else entry for entry in manifest.entries
    )
    assert split_checks.tested_once("q", Manifest(entries, "cell")).offenders == ("fold 2: no validation image",)


def test_class_absent_from_training_is_a_breach_and_from_validation_a_note(manifest: Manifest) -> None:
    only_fold_1 = tuple(entry for entry in manifest.entries if entry.label != "Y" or entry.cell == "c1")
    check = split_checks.classes("q", Manifest(only_fold_1, "cell"))
    assert check.offenders == ("class Y is absent from train of fold 1",)
    without = tuple(entry for entry in manifest.entries if entry.label != "X" or entry.cell != "c6")
    check = split_checks.classes("q", Manifest(without, "cell"))
    assert check.passed
    assert check.notes == ("class X is absent from validation of fold 0",)


# --- the frame


def test_frame_prediction_holds_its_error_rate() -> None:
    """Features that say nothing are called a leak in none of ten draws, and p is not always small."""
    cells = np.repeat([f"c{number}" for number in range(8)], 15)
    results = [
        frame_leak.predict_cell(np.random.default_rng(seed).normal(size=(120, 2)), cells, seed) for seed in range(10)
    ]
    assert not any(result.leaks for result in results if result)
    assert np.median([result.p for result in results if result]) > 0.2
    assert results[0] is not None
    assert results[0].chance == pytest.approx(1 / 8, abs=0.02)


@pytest.mark.parametrize(
    ("accuracy", "p", "leaks"), [(0.3, 0.0005, True), (0.3, 0.002, False), (0.19, 0.0005, False), (0.05, 1.0, False)]
)
def test_a_leak_is_significant_and_beyond_the_tolerance(accuracy: float, p: float, leaks: bool) -> None:
    assert frame_leak.Prediction(accuracy, 0.1, p, 10, 500).leaks == leaks


def test_unknown_cells_are_not_tested() -> None:
    assert frame_leak.predict_cell(np.zeros((6, 2)), np.array([""] * 6)) is None


def test_frame_features_know_offset_border_and_background() -> None:
    image = np.full((1, 20, 20), 7, dtype=np.uint8)
    image[0, 4:12, 10:20] = 200
    values = dict(zip(frame_leak.FRAME_FEATURES, frame_leak.frames(image)[0], strict=True))
    assert (values["offset across"], values["offset along"]) == (5.0, -2.0)
    assert (values["darkest"], values["background"], values["corner mean"]) == (7, 7, 7)
    assert values["border maximum"] == 200
    assert values["border filled"] == 1.0


def test_real_canvas_leak_is_shown_raw_and_gone_when_prepared(archives: Path, tmp_path: Path) -> None:
    """Ten cells with the fixed canvas of BioImLab and ten cropped tight."""
    chosen = {*range(38, 42), 43, 44, 46, 47, 48, 49, *range(1, 11)}
    wanted = [
        member
        for member in members(archives / "bioimlab_qband.zip", (".bmp",))
        if int(member.name.rsplit("/", 2)[-2]) in chosen
    ]
    raw = list(IMPORTERS["bioimlab"](wanted))
    cells = np.array([image.cell for image in raw])
    assert len(set(cells)) == 20
    sizes = np.array([image.pixels.shape for image in raw], dtype=float)
    told = frame_leak.predict_cell(sizes, cells)
    assert told is not None
    assert told.leaks
    light = [unify(image.pixels, "light-on-dark") for image in raw]
    squashed = np.stack([np.asarray(Image.fromarray(pixels).resize((64, 64))) for pixels in light])
    told = frame_leak.predict_cell(frame_leak.frames(squashed), cells)
    assert told is not None
    assert told.leaks
    entries = [Entry(i.image, i.label, i.cell, "", *i.pixels.shape[::-1], manifests.pixel_hash(i.pixels)) for i in raw]
    pixels = {image.image: image.pixels for image in raw}
    dataset = Store(tmp_path).write(make_card("q", "Q"), manifests.build(entries, "cell"), pixels)
    told = frame_leak.predict_cell(frame_leak.frames(render(dataset, HOW)), dataset.manifest.cells)
    assert told is not None
    assert not told.leaks


# --- the report


def test_report_cuts_long_lists_and_counts_all() -> None:
    check = outcome("some check", ["q"], "bad", (f"image-{number}" for number in range(45)))
    report = Report(checks=(check, outcome("other", ["q", "g"], "fine", notes=["a note"])))
    assert (check.passed, check.count, len(check.offenders)) == (False, 45, SHOWN)
    text = report.text()
    assert "image-19" in text
    assert "image-20" not in text
    assert "... and 25 more" in text
    assert "q + g" in text
    assert "a note" in text
    assert "1 of 2 checks failed." in text


def test_report_as_json() -> None:
    report = Report(checks=(outcome("check", ["q"], "bad", ["image"], figures={"pairs": 1}),))
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert data["ok"] is False
    assert data["checks"][0]["offenders"] == ["image"]
    assert data["checks"][0]["figures"] == {"pairs": 1}


def test_of_many_cells_some_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = np.repeat([f"c{number}" for number in range(12)], 6)
    features = np.repeat(np.arange(12.0), 6)[:, None]
    whole = frame_leak.predict_cell(features, cells)
    monkeypatch.setattr(frame_leak, "MOST_CELLS", 4)
    some, again = (frame_leak.predict_cell(features, cells) for _ in range(2))
    assert whole is not None and some is not None and some == again
    assert (whole.cells, some.cells, some.images) == (12, 4, 24) and some.leaks and some.accuracy == 1.0
