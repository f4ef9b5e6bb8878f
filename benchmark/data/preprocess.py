"""From a raw crop to the square, light-on-black image that every model sees.

The steps are the same for every submission and are part of a unit's key:

1. polarity unified to light on black;
2. foreground found, specks and touching debris dropped, cropped tight, so that neither the
   canvas nor its size can tell the cell;
3. turned upright by the smallest rotation that stands the principal axis vertical (optional);
4. scaled. `scale` is relative to the longest chromosome of the same cell, which whoever
   karyotypes a cell knows; `exponent` below 1 gives small chromosomes more pixels than strict
   proportion would and keeps the order of sizes;
5. contrast stretched, per cell, so that exposure does not tell the cell;
6. centred on a black square of `size` pixels.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

U8 = npt.NDArray[np.uint8]

VERSION = 2
"""Raised whenever the pixels that `render` gives for some input change."""


_BORDER = 3
"""Pixels kept around the foreground while it is turned: more than the two it is widened by."""


class Preprocess(BaseModel):
    """What a track asks of preprocessing; hashed into the key of every unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(ge=16, le=1024, description="side of the square image, pixels")
    upright: bool = Field(True, description="stand the principal axis vertical")
    exponent: float = Field(
        1.0, ge=0.0, le=1.0, description="1: sizes proportional within a cell; 0: each fills the frame"
    )
    contrast: Literal["none", "cell", "image"] = Field("cell", description="over what contrast is stretched")
    margin: float = Field(0.04, ge=0.0, lt=0.5, description="free border, as a part of the side")

    def digest(self) -> str:
        """Hash of the settings and of the code version that interprets them (16 hex digits)."""
        text = json.dumps({"version": VERSION, **self.model_dump()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Foreground(BaseModel):
    """A cropped chromosome and what scaling needs to know of it."""

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    pixels: U8
    length: int
    bright: float


def unify(pixels: U8, polarity: str) -> U8:
    """Light on black, whatever the stain's convention.

    Args:
        pixels: grey values, shape (height, width).
        polarity: `light-on-dark` or `dark-on-light`.

    Raises:
        ValueError: for another polarity.
    """
    if polarity == "light-on-dark":
        return pixels
    if polarity == "dark-on-light":
        return (255 - pixels).astype(np.uint8)
    raise ValueError(f"polarity {polarity!r}; allowed: light-on-dark, dark-on-light")


def foreground_level(pixels: U8) -> float:
    """Grey value from which on a pixel of a light-on-black image counts as chromosome."""
    return max(8.0, 0.15 * float(pixels.max()))


def foreground_mask(pixels: U8) -> npt.NDArray[np.bool_]:
    """Where the chromosome is, in a light-on-black image.

    A pixel counts from 15 % of the image's brightest on (at least 8 of 255); holes are filled and
    components smaller than a tenth of the largest are dropped. An image without any such pixel
    is all foreground, so that nothing is lost silently.
    """
    threshold = foreground_level(pixels)
    from scipy import ndimage  # takes long to import, and a plan needs no pixel

    mask = ndimage.binary_fill_holes(pixels >= threshold)
    labels, count = ndimage.label(mask, structure=np.ones((3, 3), int))
    if count == 0:
        return np.ones(pixels.shape, dtype=bool)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept = areas >= 0.1 * areas.max()
    kept[0] = False
    return np.asarray(kept[labels], dtype=bool)


def upright_angle(mask: npt.NDArray[np.bool_]) -> float:
    """Degrees, counter-clockwise and in (-90, 90], that stand the mask's principal axis vertical.

    A nearly round mask (axes within 20 %) is left as it is: its axis is noise.
    """
    ys, xs = np.nonzero(mask)
    if len(ys) < 3:
        return 0.0
    covariance = np.cov(np.stack([xs, ys]).astype(float))
    values, vectors = np.linalg.eigh(covariance)
    if values[1] <= 1.44 * values[0]:
        return 0.0
    x, y = vectors[:, 1]
    if y < 0:
        x, y = -x, -y
    return -float(np.degrees(np.arctan2(x, y)))


def cut(pixels: U8, polarity: str, upright: bool) -> Foreground:
    """Steps 1 to 3: unify, find, turn and crop one image.

    The foreground is first cut out with a border of its own, so that neither the room around it
    nor the point it is turned about depends on the canvas: the same chromosome on any black canvas gives
    the same bytes.
    """
    light = unify(pixels, polarity)
    mask = foreground_mask(light)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = slice(rows[0], rows[-1] + 1 + 2 * _BORDER), slice(columns[0], columns[-1] + 1 + 2 * _BORDER)
    light, mask = np.pad(light, _BORDER)[window], np.pad(mask, _BORDER)[window]
    from PIL import Image
    from scipy import ndimage

    clean = np.where(ndimage.binary_dilation(mask, iterations=2), light, 0).astype(np.uint8)
    if upright:
        angle = upright_angle(mask)
        if abs(angle) > 1.0:
            clean = np.asarray(Image.fromarray(clean).rotate(angle, Image.Resampling.BICUBIC, expand=True))
            turned = Image.fromarray(mask.astype(np.uint8) * 255)
            mask = np.asarray(turned.rotate(angle, Image.Resampling.BILINEAR, expand=True)) > 127
            if not mask.any():
                mask = foreground_mask(clean)
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    top, bottom = max(0, rows[0] - 1), min(clean.shape[0], rows[-1] + 2)
    left, right = max(0, columns[0] - 1), min(clean.shape[1], columns[-1] + 2)
    crop = np.ascontiguousarray(clean[top:bottom, left:right])
    inside = clean[mask]
    return Foreground(pixels=crop, length=max(crop.shape), bright=float(np.percentile(inside, 99)))


def place(item: Foreground, how: Preprocess, cell_length: int, cell_bright: float) -> U8:
    """Steps 4 to 6: scale, stretch and centre one chromosome.

    Args:
        item: the cropped chromosome.
        how: the track's settings.
        cell_length: length in raw pixels of the longest chromosome of the cell.
        cell_bright: brightness of the cell (median of its chromosomes' 99th percentiles).

    Returns:
        uint8 array of shape (size, size).
    """
    from PIL import Image

    usable = how.size * (1.0 - 2.0 * how.margin)
    shown = usable * (item.length / cell_length) ** how.exponent
    factor = min(shown, usable) / item.length
    height, width = item.pixels.shape
    target = (
        min(how.size, max(1, round(width * factor))),
        min(how.size, max(1, round(height * factor))),
    )
    small = np.asarray(Image.fromarray(item.pixels).resize(target, Image.Resampling.BICUBIC), dtype=np.float32)
    if how.contrast != "none":
        bright = cell_bright if how.contrast == "cell" else item.bright
        small = small * (230.0 / max(bright, 1.0))
    canvas = np.zeros((how.size, how.size), dtype=np.uint8)
    top, left = (how.size - target[1]) // 2, (how.size - target[0]) // 2
    canvas[top : top + target[1], left : left + target[0]] = np.clip(small + 0.5, 0, 255).astype(np.uint8)
    return canvas


def render_cell(images: list[U8], polarity: str, how: Preprocess) -> U8:
    """All chromosomes of one cell, rendered on a common scale.

    Args:
        images: raw crops, each (height, width) uint8.
        polarity: the dataset's polarity.
        how: the track's settings.

    Returns:
        uint8 array of shape (len(images), size, size).
    """
    cuts = [cut(image, polarity, how.upright) for image in images]
    longest = max(item.length for item in cuts)
    bright = float(np.median([item.bright for item in cuts]))
    return np.stack([place(item, how, longest, bright) for item in cuts])
