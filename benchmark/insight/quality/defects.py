"""Defects that are planted in good images, so that a flag can be tested where the truth is known.

Each takes a crop, light on black, and gives another crop. Their strength is drawn: from what is hardly seen to what nobody
would miss.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.data.preprocess import foreground_mask
from benchmark.insight.axis import Mask
from benchmark.insight.quality.measures import smooth_within

U8 = npt.NDArray[np.uint8]
Plant = Callable[[U8, U8, np.random.Generator], U8]
"""(crop, another crop of the same cell, random numbers) -> crop with the defect."""


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _bytes(values: npt.NDArray[np.floating]) -> U8:
    return np.asarray(np.rint(values).clip(0, 255), dtype=np.uint8)


def _across(mask: Mask) -> float:
    """About how wide the body is, pixels."""
    box = mask[_box(mask)]
    return float(box.sum() / max(box.shape))


def _rim(mask: Mask) -> npt.NDArray[np.float64]:
    """1 inside the body, falling to 0 over its outer three pixels, so that the outline stays as it is."""
    from scipy import ndimage

    return np.asarray(np.minimum(ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] / 3.0, 1.0))


def blurred(crop: U8, other: U8, random: np.random.Generator) -> U8:
    """Out of focus, with the camera's noise put on again and the same outline cut out."""
    from scipy import ndimage

    mask = foreground_mask(crop)
    grey = crop.astype(np.float64)
    noise = grey - smooth_within(grey, mask, 0.7)
    soft = ndimage.gaussian_filter(grey, random.uniform(0.12, 0.3) * _across(mask))
    strength = 1.4826 * float(np.median(np.abs(noise[mask])))
    return _bytes(np.where(mask, soft + strength * random.standard_normal(crop.shape), grey))


def faded(crop: U8, other: U8, random: np.random.Generator) -> U8:
    """Bands as light as the chromosome's middle grey, but for 25 to 60 % of the difference."""
    mask = foreground_mask(crop)
    middle, left = float(np.median(crop[mask])), random.uniform(0.25, 0.6)
    return _bytes(crop + _rim(mask) * (1.0 - left) * (middle - crop.astype(np.float64)))


def cut(crop: U8, other: U8, random: np.random.Generator) -> U8:
    """The frame runs across the body: 10 to 35 % of its longer side are missing."""
    mask = foreground_mask(crop)
    rows, columns = _box(mask)
    lying = columns.stop - columns.start > rows.stop - rows.start
    turned, along = (crop.T, columns) if lying else (crop, rows)
    missing = max(1, round(random.uniform(0.1, 0.35) * (along.stop - along.start)))
    left = turned[: along.stop - missing] if random.random() < 0.5 else turned[along.start + missing :]
    return np.ascontiguousarray(left.T if lying else left)


def neighboured(crop: U8, other: U8, random: np.random.Generator) -> U8:
    """The end of another chromosome of the cell lies against the body, or a little apart."""
    mask = foreground_mask(crop)
    body = crop[_box(mask)]
    piece = np.rot90(other[_box(foreground_mask(other))], int(random.integers(4)))
    piece = piece[: max(3, round(random.uniform(0.3, 0.6) * len(piece)))]
    lying = body.shape[1] > body.shape[0]
    body, pad = body.T if lying else body, max(piece.shape)
    canvas = np.pad(body, pad)
    touched = foreground_mask(canvas)
    row = pad + int(random.integers(max(1, len(body) - len(piece) // 2)))
    lines = touched[row : row + len(piece)].any(0)
    gap = int(random.integers(-2, 3))
    column = (int(np.flatnonzero(lines)[-1]) + 1 if lines.any() else pad + body.shape[1]) + gap
    canvas = np.pad(canvas, ((0, 0), (0, pad)))
    place = canvas[row : row + len(piece), column : column + piece.shape[1]]
    np.maximum(place, piece[: place.shape[0], : place.shape[1]], out=place)
    found = canvas[_box(canvas > 0)]
    return np.ascontiguousarray(np.pad(found.T if lying else found, 2))


def rescaled(crop: U8, other: U8, random: np.random.Generator) -> U8:
    """Larger or smaller than its cell by a factor of 1.25 to 1.7 in length."""
    factor = random.uniform(1.25, 1.7)
    factor = factor if random.random() < 0.5 else 1 / factor
    size = max(4, round(crop.shape[1] * factor)), max(4, round(crop.shape[0] * factor))
    return np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.BICUBIC))


def bent(crop: U8, other: U8, random: np.random.Generator) -> U8:
    """Laid along a parabola, so that the ends turn by 60 to 120 degrees against each other."""
    from scipy import ndimage

    mask = foreground_mask(crop)
    rows, columns = _box(mask)
    lying = columns.stop - columns.start > rows.stop - rows.start
    turned, along = (crop.T, columns) if lying else (crop, rows)
    length = along.stop - along.start
    deep = 0.25 * np.tan(np.radians(0.5 * random.uniform(60, 120))) * length
    pad = int(np.ceil(deep)) + 2
    wide = np.pad(turned, ((0, 0), (pad, pad))).astype(np.float64)
    row, column = np.mgrid[: wide.shape[0], : wide.shape[1]].astype(np.float64)
    off = np.clip(2 * (row - along.start) / max(length - 1, 1) - 1, -1, 1) ** 2
    side = 1.0 if random.random() < 0.5 else -1.0
    moved = ndimage.map_coordinates(wide, [row, column - side * deep * (off - 0.5)], order=1, mode="constant")
    return np.ascontiguousarray(_bytes(moved.T if lying else moved))


DEFECTS: dict[str, Plant] = {
    "blurred": blurred, "faded": faded, "cut": cut, "neighbour": neighboured, "scale": rescaled, "bent": bent,
}  # fmt: skip
"""By the name of the flag that should find it."""
