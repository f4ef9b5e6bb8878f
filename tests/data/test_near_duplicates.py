"""A copy is found under every harmless change; look-alikes are not called copies."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from benchmark.data import near_duplicates
from benchmark.data.near_duplicates import Neighbours, looks, neighbours
from benchmark.data.preprocess import Preprocess, render_cell

HOW = Preprocess(size=64)


def crop(seed: int, shape_seed: int = 0) -> np.ndarray:
    """A raw light-on-black crop: silhouette and bands by `shape_seed`, fine texture by `seed`."""
    height, width = 70, 22
    y, x = np.mgrid[-1 : 1 : complex(height), -1 : 1 : complex(width)]
    body = (np.abs(x) ** 3 + np.abs(y) ** 4 < 0.9).astype(float)
    bands = np.random.default_rng(shape_seed).normal(0, 1, 8)
    shade = 130 + 35 * ndimage.zoom(bands, height / 8, order=1)[:height, None]
    texture = ndimage.gaussian_filter(np.random.default_rng(1000 + seed).normal(0, 1, (height, width)), 1.3)
    values = np.clip(shade + 18 * texture / texture.std(), 60, 250) * ndimage.gaussian_filter(body, 0.7)
    return np.pad(values.astype(np.uint8), 4)


def prepared(crops: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([render_cell([item], "light-on-dark", HOW) for item in crops])


def jpeg(pixels: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(buffer))


def turned(degrees: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda p: np.asarray(Image.fromarray(p).rotate(degrees, Image.Resampling.BICUBIC, expand=True))


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "one pixel shift": lambda p: np.pad(p, ((1, 0), (1, 0)))[:-1, :-1],
    "half a pixel shift": lambda p: ndimage.shift(p.astype(float), (0.5, 0.5), order=1).astype(np.uint8),
    "brighter": lambda p: np.clip(p * 1.2, 0, 255).astype(np.uint8),
    "darker": lambda p: (p * 0.8).astype(np.uint8),
    "noise": lambda p: np.clip(p + np.random.default_rng(5).normal(0, 3, p.shape), 0, 255).astype(np.uint8),
    "turned by 2 degrees": turned(2),
    "turned by 37 degrees": turned(37),
    "upside down": lambda p: p[::-1, ::-1].copy(),
    "mirrored": lambda p: p[:, ::-1].copy(),
    "smaller": lambda p: np.asarray(Image.fromarray(p).resize((p.shape[1] * 8 // 10, p.shape[0] * 8 // 10))),
    "saved as JPEG": jpeg,
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copy_is_found(change: str) -> None:
    originals = [crop(seed, shape_seed=seed % 3) for seed in range(12)]
    images = prepared([*originals, CHANGES[change](originals[7])])
    found = looks(images)
    pairs = near_duplicates.copies(found, found, neighbours(found, found, lambda rows: ~np.eye(13, dtype=bool)[rows]))
    assert [(pair.first, pair.second) for pair in pairs] == [(7, 12)]
    assert pairs[0].similarity >= near_duplicates.SIMILAR
    assert pairs[0].bits <= near_duplicates.HASH_BITS


def test_look_alikes_are_no_copies() -> None:
    """Twenty images of one silhouette and one band pattern differ in their texture alone."""
    found = looks(prepared([crop(seed) for seed in range(20)]))
    near = neighbours(found, found, lambda rows: ~np.eye(20, dtype=bool)[rows])
    aligned = []
    correlate = near_duplicates.texture_correlation
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            near_duplicates, "texture_correlation", lambda a, b: aligned.append(correlate(a, b)) or aligned[-1]
        )
        assert near_duplicates.copies(found, found, near) == []
    assert len(aligned) > 10, "the candidates do look alike: it is their texture that tells"


def test_copy_between_two_sets_is_found() -> None:
    first, second = looks(prepared([crop(1), crop(2)])), looks(prepared([crop(3), crop(4), turned(2)(crop(2))]))
    pairs = near_duplicates.copies(first, second, neighbours(first, second))
    assert [(pair.first, pair.second) for pair in pairs] == [(1, 2)]


def test_neighbours_respect_what_may_be_compared() -> None:
    found = looks(prepared([crop(1), crop(1), crop(2)]))
    free = neighbours(found, found, lambda rows: ~np.eye(3, dtype=bool)[rows])
    assert free.nearest[0, 0] == 1
    assert free.back[1] == 0
    apart = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]], dtype=bool)
    kept = neighbours(found, found, lambda rows: apart[rows])
    assert kept.nearest[0].tolist() == [2, -1]
    assert kept.back[1] == 2


def test_neighbours_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    found = looks(prepared([crop(seed, seed % 4) for seed in range(9)]))
    whole = neighbours(found, found, lambda rows: ~np.eye(9, dtype=bool)[rows])
    monkeypatch.setattr(near_duplicates, "_CHUNK", 2)
    parts = neighbours(found, found, lambda rows: ~np.eye(9, dtype=bool)[rows])
    assert (whole.nearest == parts.nearest).all()
    assert (whole.back == parts.back).all()


def test_blank_images_are_no_copies_of_each_other() -> None:
    found = looks(np.zeros((3, 64, 64), dtype=np.uint8))
    near = neighbours(found, found, lambda rows: ~np.eye(3, dtype=bool)[rows])
    assert near_duplicates.copies(found, found, near) == []


def mutual(pairs: int, size: int) -> Neighbours:
    """Images i and i + size are mutual nearest neighbours for the first `pairs` i; nobody else is."""
    nearest = np.full(2 * size, -1, dtype=np.int64)
    nearest[:pairs], nearest[size : size + pairs] = np.arange(size, size + pairs), np.arange(pairs)
    return Neighbours(nearest[:, None], nearest.copy())


@pytest.mark.parametrize(("others", "pairs", "found"), [
    (28, 15, False), (28, 16, True), (28, 46, True), (27, 16, False), (0, 22, False), (0, 23, True),
])  # fmt: skip
def test_cells_are_one_metaphase_from_a_third_of_the_images_on_and_from_a_half_among_few(
    others: int, pairs: int, found: bool
) -> None:
    cells = ["a"] * 46 + ["b"] * 46
    whole = [*cells, *(f"other {number}" for number in range(others))]
    nearest = mutual(pairs, 46)
    alone = np.full(others, -1)
    found_of = Neighbours(np.concatenate([nearest.nearest, alone[:, None]]), np.concatenate([nearest.back, alone]))
    result = near_duplicates.copied_cells(whole, whole, found_of, same=True)
    assert result == ([("a", "b", pairs, 46)] if found else [])


def test_a_few_images_are_no_metaphase() -> None:
    cells = ["a"] * 3 + ["b"] * 3
    assert near_duplicates.copied_cells(cells, cells, mutual(3, 3), same=True) == []


def test_one_sided_neighbours_are_no_metaphase() -> None:
    nearest = np.concatenate([np.arange(10, 20), np.full(10, 0)])
    cells = ["a"] * 10 + ["b"] * 10
    one_sided = Neighbours(nearest[:, None], np.concatenate([np.full(10, 10), np.full(10, 3)]))
    assert near_duplicates.copied_cells(cells, cells, one_sided, same=True) == []


def test_unknown_cells_are_no_metaphase() -> None:
    assert near_duplicates.copied_cells([""] * 40, [""] * 40, mutual(20, 20), same=True) == []


def test_alignment_undoes_a_small_affine_change() -> None:
    """Shifted, sheared and scaled by amounts that ruin the texture's agreement until they are undone."""
    box = looks(prepared([crop(1)])).boxes[0]
    matrix, middle = np.array([[1.04, 0.03], [-0.02, 0.95]]), np.full(2, 23.5)
    changed = ndimage.affine_transform(box, matrix, middle - matrix @ middle + np.array([1.3, -0.8]), order=1)
    smooth = ndimage.gaussian_filter(changed, 1)
    moved = near_duplicates._align(ndimage.gaussian_filter(box, 1), smooth, changed)
    assert near_duplicates.texture_correlation(box, changed) < 0.8
    assert near_duplicates.texture_correlation(box, moved) > near_duplicates.SIMILAR


def test_texture_correlation_needs_a_shared_inside() -> None:
    left, right = np.zeros((48, 48), np.float32), np.zeros((48, 48), np.float32)
    left[:, :20], right[:, 28:] = 200, 200
    assert near_duplicates.texture_correlation(left, right) == 0.0


def test_hash_of_another_brightness_is_the_same() -> None:
    image = looks(prepared([crop(1)])).boxes
    assert near_duplicates.perceptual_hash(image)[0] == near_duplicates.perceptual_hash(0.5 * image)[0]
