"""The microscope: cells within their stain's ranges, polarity, blur, noise and outline."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt
import pytest

from benchmark.data.bands import DYES, Dye, Floats
from benchmark.data.microscope import FINE, STAINS, Cell, draw_cell, expose


def quiet(dye: Dye) -> Cell:
    """A cell without noise or scattered light."""
    return replace(draw_cell(STAINS[dye], np.random.default_rng(0)), read_noise=0.0, shot_noise=0.0, glow=0.0)


def slab() -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Dye 0.5 in the middle of a picture of 40 by 40 pixels, and an outline of everything but a border."""
    dye = np.zeros((40 * FINE, 40 * FINE))
    dye[10 * FINE : 30 * FINE, 10 * FINE : 30 * FINE] = 0.5
    mask = np.zeros((40, 40), dtype=bool)
    mask[2:-2, 2:-2] = True
    return dye, mask


@pytest.mark.parametrize("dye", DYES)
def test_cells_stay_within_their_stain(dye: Dye) -> None:
    stain = STAINS[dye]
    cells = [draw_cell(stain, np.random.default_rng(seed)) for seed in range(100)]
    for field in fields(Cell):
        allowed = getattr(stain, field.name)
        if isinstance(allowed, tuple):
            low, high = (0.0, allowed[1]) if field.name == "splay" else allowed
            drawn = [getattr(cell, field.name) for cell in cells]
            assert low <= min(drawn) < max(drawn) <= high, field.name


@pytest.mark.parametrize("dye", DYES)
def test_condensed_cells_are_wide_and_lose_bands(dye: Dye) -> None:
    cells = [draw_cell(STAINS[dye], np.random.default_rng(seed)) for seed in range(200)]
    length = [cell.length for cell in cells]
    assert np.corrcoef(length, [cell.width for cell in cells])[0, 1] < -0.8
    assert np.corrcoef(length, [cell.resolution for cell in cells])[0, 1] < -0.8


def test_fluorescence_is_light_on_black() -> None:
    dye, mask = slab()
    cell = replace(quiet("Q"), exposure=200.0)
    pixels = expose(dye, mask, cell, np.random.default_rng(0))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (40, 40)
    assert pixels[20, 20] == 100
    assert (pixels[~mask] == 0).all()


def test_absorption_is_dark_on_white() -> None:
    dye, mask = slab()
    pixels = expose(dye, mask, replace(quiet("G"), exposure=2.0), np.random.default_rng(0))
    assert pixels[20, 20] == round(255 * np.exp(-1.0))
    assert (pixels[~mask] == 255).all()


def test_light_is_clipped_and_does_not_wrap() -> None:
    dye, mask = slab()
    assert expose(10 * dye, mask, replace(quiet("Q"), exposure=200.0), np.random.default_rng(0)).max() == 255


def test_blur_widens_an_edge() -> None:
    dye, mask = slab()
    steps = []
    for blur in (0.8, 1.6):
        cell = replace(quiet("Q"), exposure=400.0, blur=blur)
        row = expose(dye, mask, cell, np.random.default_rng(0))[20].astype(float)
        steps.append(np.abs(np.diff(row)).max())
    assert steps[1] < 0.7 * steps[0]


def test_noise_has_the_strength_that_was_asked_for() -> None:
    dye, mask = slab()
    cell = replace(quiet("Q"), exposure=255.0, read_noise=3.0, shot_noise=8.0)
    stack = np.stack([expose(dye, mask, cell, np.random.default_rng(seed)) for seed in range(40)]).astype(float)
    inner = stack[:, 16:24, 16:24]
    assert inner.std() == pytest.approx(np.hypot(3.0, 8.0 * np.sqrt(0.5)), rel=0.1)


def test_scattered_light_reaches_far() -> None:
    dye, mask = slab()
    cell = replace(quiet("Q"), exposure=400.0, blur=1.0)
    plain, glowing = (expose(dye, mask, replace(cell, glow=glow), np.random.default_rng(0)) for glow in (0.0, 0.3))
    assert plain[20, 5] == 0
    assert glowing[20, 5] > 3
