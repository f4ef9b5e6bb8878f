"""Preprocessing tells nothing of the frame and keeps what it promises of scale and contrast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from scipy import ndimage

from benchmark.data import preprocess
from benchmark.data.preprocess import Preprocess, cut, foreground_mask, place, render_cell, unify, upright_angle

HOW = Preprocess(size=64)


def chromosome(height: int = 60, width: int = 14, angle: float = 0.0, seed: int = 0) -> np.ndarray:
    """A light, banded bar on black, cropped to its own bounding box."""
    random = np.random.default_rng(seed)
    bands = 120 + 60 * np.sin(np.arange(height) / 3.0 + random.uniform(0, 6))
    bar = np.repeat(bands[:, None], width, axis=1) + random.normal(0, 4, (height, width))
    picture = Image.fromarray(np.clip(bar, 60, 250).astype(np.uint8))
    pixels = np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR, expand=True))
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()


def on_canvas(pixels: np.ndarray, height: int, width: int, top: int, left: int) -> np.ndarray:
    canvas = np.zeros((height, width), dtype=np.uint8)
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return canvas


@settings(max_examples=30, deadline=None)
@given(
    angle=st.sampled_from([0.0, 0.5, 3.0, 30.0, -75.0]),
    extra=st.tuples(st.integers(0, 90), st.integers(0, 90)),
    place_at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    upright=st.booleans(),
)
def test_canvas_leaves_no_trace(
    angle: float, extra: tuple[int, int], place_at: tuple[float, float], upright: bool
) -> None:
    """Cropped tight or anywhere on any canvas, a chromosome is prepared to the same bytes."""
    how = Preprocess(size=64, upright=upright)
    tight = chromosome(angle=angle)
    height, width = tight.shape[0] + extra[0], tight.shape[1] + extra[1]
    loose = on_canvas(tight, height, width, round(place_at[0] * extra[0]), round(place_at[1] * extra[1]))
    assert (render_cell([tight], "light-on-dark", how) == render_cell([loose], "light-on-dark", how)).all()


def test_polarities_meet() -> None:
    pixels = on_canvas(chromosome(angle=20), 90, 70, 5, 8)
    light = render_cell([pixels], "light-on-dark", HOW)
    dark = render_cell([255 - pixels], "dark-on-light", HOW)
    assert (light == dark).all()
    assert light.max() > 150


def test_unknown_polarity_is_refused() -> None:
    with pytest.raises(ValueError, match="light-on-dark, dark-on-light"):
        unify(np.zeros((2, 2), np.uint8), "sideways")


@pytest.mark.parametrize("angle", [-80, -45, -10, 0, 15, 60, 89])
def test_principal_axis_is_stood_upright(angle: int) -> None:
    prepared = render_cell([on_canvas(chromosome(angle=angle), 90, 90, 12, 12)], "light-on-dark", HOW)[0]
    ys, xs = np.nonzero(prepared > 40)
    assert np.ptp(ys) > 2.5 * np.ptp(xs)
    assert abs(upright_angle(foreground_mask(prepared))) < 2.0


def test_not_upright_keeps_the_orientation() -> None:
    lying = on_canvas(chromosome(angle=90), 90, 90, 12, 12)
    prepared = render_cell([lying], "light-on-dark", Preprocess(size=64, upright=False))[0]
    ys, xs = np.nonzero(prepared > 40)
    assert np.ptp(xs) > 2.5 * np.ptp(ys)


def test_round_mask_is_not_turned() -> None:
    y, x = np.mgrid[-20:21, -20:21]
    assert upright_angle(x**2 + y**2 < 300) == 0.0
    assert upright_angle((x == 0) & (y < -18)) == 0.0, "two pixels have no axis"


def length_of(image: np.ndarray) -> int:
    return int(np.ptp(np.flatnonzero(image.any(axis=1)))) + 1


def test_longest_of_the_cell_sets_the_scale() -> None:
    long, short = chromosome(80), chromosome(40)
    images = render_cell([long, short], "light-on-dark", HOW)
    assert length_of(images[0]) == pytest.approx(64 * 0.92, abs=2)
    assert length_of(images[1]) == pytest.approx(64 * 0.92 / 2, abs=2)
    alone = render_cell([short], "light-on-dark", HOW)
    assert length_of(alone[0]) == pytest.approx(64 * 0.92, abs=2)


@pytest.mark.parametrize(("exponent", "part"), [(0.0, 1.0), (0.5, 0.5**0.5), (1.0, 0.5)])
def test_exponent_between_filling_and_proportion(exponent: float, part: float) -> None:
    how = Preprocess(size=64, exponent=exponent)
    images = render_cell([chromosome(80), chromosome(39)], "light-on-dark", how)
    assert length_of(images[1]) == pytest.approx(64 * 0.92 * part, abs=2)


def test_contrast_modes() -> None:
    bright, dim = chromosome(), (chromosome() * 0.5).astype(np.uint8)
    highest = {
        mode: render_cell([bright, dim], "light-on-dark", Preprocess(size=64, contrast=mode))
        .max(axis=(1, 2))
        .astype(int)
        for mode in ("none", "cell", "image")
    }
    assert highest["none"][0] == pytest.approx(bright.max(), abs=12)
    assert highest["none"][1] == pytest.approx(bright.max() / 2, abs=12)
    assert highest["cell"][0] > 1.6 * highest["cell"][1], "within a cell the ratio is kept"
    assert highest["image"][0] == pytest.approx(highest["image"][1], abs=8)


def test_exposure_does_not_tell_the_cell() -> None:
    cell = [chromosome(70, seed=1), chromosome(50, seed=2), chromosome(30, seed=3)]
    darker = [(pixels * 0.6).astype(np.uint8) for pixels in cell]
    first, second = (render_cell(images, "light-on-dark", HOW).astype(int) for images in (cell, darker))
    inside = (first > 60) & (second > 60)
    assert np.abs(first - second)[inside].mean() < 4


def test_prepared_image_is_centred_with_a_free_border() -> None:
    images = render_cell([chromosome(80), chromosome(31)], "light-on-dark", HOW)
    for image in images:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        assert abs((rows[0] + rows[-1]) / 2 - 31.5) <= 1.0
        assert abs((columns[0] + columns[-1]) / 2 - 31.5) <= 1.0
    assert not images[:, [0, -1], :].any()
    assert not images[:, :, [0, -1]].any()


def test_specks_go_and_holes_are_filled() -> None:
    pixels = on_canvas(chromosome(), 100, 60, 10, 10)
    pixels[90:92, 50:52] = 255
    pixels[30:33, 14:17] = 0
    mask = foreground_mask(pixels)
    assert not mask[90:92, 50:52].any()
    assert mask[30:33, 14:17].all()


def test_second_large_part_is_kept() -> None:
    pixels = on_canvas(chromosome(30), 100, 60, 10, 10)
    pixels[70:90, 10:24] = 180
    _, count = ndimage.label(foreground_mask(pixels))
    assert count == 2


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 20)])
def test_flat_images_are_survived(value: int, shape: tuple[int, int]) -> None:
    for polarity in ("light-on-dark", "dark-on-light"):
        images = render_cell([np.full(shape, value, np.uint8)], polarity, HOW)
        assert images.shape == (1, 64, 64)
        assert images.dtype == np.uint8


def test_thin_object_survives_turning() -> None:
    pixels = np.zeros((40, 40), dtype=np.uint8)
    pixels[np.arange(5, 35), np.arange(5, 35)] = 220
    assert render_cell([pixels], "light-on-dark", HOW)[0].max() > 60


def test_place_never_exceeds_the_square() -> None:
    item = cut(chromosome(70, 60), "light-on-dark", upright=False)
    assert place(item, Preprocess(size=16, margin=0.0), 10, 200.0).shape == (16, 16)


def test_digest_follows_every_setting_and_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [
        HOW,
        Preprocess(size=65),
        Preprocess(size=64, upright=False),
        Preprocess(size=64, exponent=0.5),
        Preprocess(size=64, contrast="none"),
        Preprocess(size=64, margin=0.1),
    ]
    digests = {variant.digest() for variant in variants}
    assert len(digests) == len(variants)
    assert Preprocess(size=64).digest() == HOW.digest()
    monkeypatch.setattr(preprocess, "VERSION", preprocess.VERSION + 1)
    assert HOW.digest() not in digests


@pytest.mark.parametrize(
    "wrong", [{"size": 8}, {"size": 64, "exponent": 2}, {"size": 64, "margin": 0.5}, {"size": 64, "x": 1}]
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Preprocess.model_validate(wrong)
