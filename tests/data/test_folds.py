"""Drawn folds keep groups whole, classes balanced, and validation apart from test."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.data import folds
from benchmark.data.manifest import CLASSES, FOLDS, Entry, Manifest, build
from benchmark.errors import InputError


def manifest_of(groups: int, group_by: str = "cell", men: int = 0, seed: int = 0) -> Manifest:
    """Groups of one to three cells; the first `men` have X and Y, the others two X."""
    random = np.random.default_rng(seed)
    entries = []
    for group in range(groups):
        for cell in range(1 if group_by == "cell" else int(random.integers(1, 4))):
            labels = [label for label in CLASSES[:22] for _ in range(2)] + (["X", "Y"] if group < men else ["X", "X"])
            for number, label in enumerate(labels):
                name = f"g{group:02}-{cell}-{number:02}"
                owner = f"g{group}c{cell}" if group_by == "case" else f"g{group}"
                entries.append(Entry(name, label, owner, f"g{group}", 9, 9, "0" * 64))
    return build(entries, group_by)


@pytest.fixture(scope="module")
def drawn() -> tuple[Manifest, folds.Drawn]:
    manifest = manifest_of(16, "case", men=7)
    return manifest, folds.draw(manifest, attempts=20)


def test_groups_stay_whole(drawn: tuple[Manifest, folds.Drawn]) -> None:
    manifest, result = drawn
    for group in np.unique(manifest.groups):
        inside = manifest.groups == group
        assert len(set(result.fold[inside])) == 1
        assert len(set(result.validation_of[inside])) == 1


def test_every_image_is_tested_once_and_validation_is_of_the_fold_before(drawn: tuple[Manifest, folds.Drawn]) -> None:
    manifest, result = drawn
    assert set(result.fold) == set(range(FOLDS))
    used = result.validation_of >= 0
    assert (result.validation_of[used] == (result.fold[used] - 1) % FOLDS).all()
    split = manifest.with_folds(*result)
    for fold in range(FOLDS):
        parts = [split.part(fold, part) for part in ("train", "validation", "test")]
        assert all(len(part) for part in parts)
        assert sum(len(part) for part in parts) == len(manifest)
        groups = [set(manifest.groups[part]) for part in parts]
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_every_class_is_in_every_training_part(drawn: tuple[Manifest, folds.Drawn]) -> None:
    manifest, result = drawn
    split = manifest.with_folds(*result)
    for fold in range(FOLDS):
        assert set(manifest.labels[split.part(fold, "train")]) == set(manifest.labels)


def test_rare_class_is_spread(drawn: tuple[Manifest, folds.Drawn]) -> None:
    """Seven men of sixteen cases: each fold tests at least one Y."""
    manifest, result = drawn
    y = CLASSES.index("Y")
    assert set(result.fold[manifest.labels == y]) == set(range(FOLDS))


def test_draw_is_more_even_than_one_bare_split(drawn: tuple[Manifest, folds.Drawn]) -> None:
    manifest, result = drawn
    bare = folds._split(manifest.labels, manifest.groups, 0)
    assert folds.imbalance(result.fold, manifest.labels) < folds.imbalance(bare, manifest.labels)


def test_about_half_of_a_fold_is_validation(drawn: tuple[Manifest, folds.Drawn]) -> None:
    _, result = drawn
    for fold in range(FOLDS):
        part = (result.validation_of[result.fold == fold] >= 0).mean()
        assert 0.15 < part < 0.85


def test_same_seed_same_folds(drawn: tuple[Manifest, folds.Drawn]) -> None:
    manifest, result = drawn
    again = folds.draw(manifest, attempts=20)
    assert (again.fold == result.fold).all()
    assert (again.validation_of == result.validation_of).all()


def test_other_seed_other_folds() -> None:
    manifest = manifest_of(20)
    first, second = folds.draw(manifest, seed=0, attempts=2), folds.draw(manifest, seed=50, attempts=2)
    assert (first.fold != second.fold).any()


def test_images_as_groups() -> None:
    manifest = manifest_of(12, "cell")
    by_image = Manifest(manifest.entries, "image")
    result = folds.draw(by_image)
    for label in set(by_image.labels):
        counts = np.bincount(result.fold[by_image.labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        folds.draw(manifest_of(9))
    assert "cell" in str(caught.value)
    assert "found 9" in str(caught.value)
    assert "at least 10" in str(caught.value)


def test_ten_groups_are_enough() -> None:
    manifest = manifest_of(10)
    split = manifest.with_folds(*folds.draw(manifest, attempts=3))
    for fold in range(FOLDS):
        assert len(set(manifest.groups[split.part(fold, "test")])) == 2
        assert len(set(manifest.groups[split.part(fold, "validation")])) == 1


def test_imbalance_is_zero_for_a_perfect_split_and_grows() -> None:
    labels = np.repeat(np.arange(24), FOLDS)
    even = np.tile(np.arange(FOLDS), 24)
    assert folds.imbalance(even, labels) == pytest.approx(0)
    odd = even.copy()
    odd[0] = 1
    worse = odd.copy()
    worse[5] = 1
    assert 0 < folds.imbalance(odd, labels) < folds.imbalance(worse, labels)


def test_imbalance_counts_only_classes_there_are() -> None:
    assert folds.imbalance(np.tile(np.arange(FOLDS), 2), np.repeat([0, 23], FOLDS)) == pytest.approx(0)


def test_many_groups_are_drawn_without_swaps_and_stay_whole_and_even() -> None:
    entries = [
        Entry(f"{group:04d}-{label}", label, f"g{group:04d}", "", 9, 9, "0" * 64)
        for group in range(folds.MANY + 10)
        for label in CLASSES
    ]
    manifest = build(entries, "cell")
    fold, validation_of = folds.draw(manifest)
    assert all(len(set(fold[manifest.groups == name])) == 1 for name in set(manifest.groups))
    assert folds.imbalance(fold, manifest.labels) < 0.01
    assert 0.4 < (validation_of >= 0).mean() < 0.6
