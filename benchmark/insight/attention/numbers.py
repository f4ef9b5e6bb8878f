"""A map in numbers: how attention lies on a chromosome and along its medial axis.

Let A be the map at the size of the image, not below 0 and of sum 1, and the *body* the chromosome's foreground. The axis is cut
into 16 parts of equal length; *density* of a part is the sum of A over its pixels, over their number.

- ``background``: sum of A off the body.
- ``outline``: sum of A over pixels of the body at most a 32nd of the image's side from its edge (2 pixels of 64).
- ``coverage``: a part is covered where its density is at least half the mean density. Of the parts of each half of the axis the
  covered ones are counted, and the lesser share of the two is taken: 1 where both ends are looked at throughout, 0 where one is ignored.
- ``evenness``: entropy of the densities over that of even ones: 1 where every part gets as much, 0 where one gets all.
- ``bands``: rank correlation (Spearman) of density and band contrast over the parts but the first and last, where brightness falls
  for another reason. Band contrast of a part is the difference of its two neighbours' mean grey: the steepness of a band's edge.

A part without a pixel, which short chromosomes may have, is left out. Halves stand for the arms: at 64 pixels the constriction
between the arms is not seen reliably, and in five classes one arm is next to nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.errors import InputError
from benchmark.insight.attention.faithful import enlarged
from benchmark.insight.axis import positions, trace
from benchmark.insight.resample import Floats

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
U8 = npt.NDArray[np.uint8]

MEASURES = ("background", "outline", "coverage", "evenness", "bands")

PARTS = 16
FEWEST_PARTS = 8
"""Parts with pixels that a chromosome must have to be measured."""

EDGE = 1 / 32
"""Depth of the outline, in sides of the image."""

COVERED = 0.5
"""Density of a covered part, in mean densities."""


class Chromosome(NamedTuple):
    """What of an image the numbers need.

    Attributes:
        body: where the chromosome is, (size, size).
        outline: the part of it near its edge, (size, size).
        part: number of the part of the axis of each pixel, -1 off the body, (size, size).
        pixels: of each part, (PARTS,).
        contrast: band contrast of each part, grey levels; NaN where there is none, (PARTS,).
    """

    body: Mask
    outline: Mask
    part: Ints
    pixels: Ints
    contrast: Floats


def chromosome(image: U8) -> Chromosome | None:
    """Find the axis of a prepared image, (size, size); None where it has none or is too short to be measured."""
    from scipy import ndimage

    try:
        axis = trace(image)
    except InputError:
        return None
    along = positions(axis).along
    part = np.where(axis.body, np.minimum(np.nan_to_num(along) * PARTS, PARTS - 1), -1).astype(np.int64)
    pixels = np.bincount(part[axis.body], minlength=PARTS)
    if (pixels > 0).sum() < FEWEST_PARTS:
        return None
    depth = ndimage.distance_transform_edt(np.pad(axis.body, 1))[1:-1, 1:-1]
    outline = axis.body & (depth <= max(1.0, EDGE * len(image)))
    grey = np.bincount(part[axis.body], image[axis.body].astype(np.float64), PARTS) / np.where(pixels, pixels, np.nan)
    contrast = np.full(PARTS, np.nan)
    contrast[1:-1] = np.abs(grey[2:] - grey[:-2])
    return Chromosome(axis.body, outline, part, pixels, contrast)


def measure(found: Chromosome, marked: Floats32) -> Floats:
    """The numbers of one map, in the order of `MEASURES`, (5,); NaN where one is not defined.

    Args:
        found: the chromosome.
        marked: map at the size of the image, not below 0, (size, size). One that is 0 throughout, or on the body, has no numbers.
    """
    total = float(marked.sum(dtype=np.float64))
    values = np.full(len(MEASURES), np.nan)
    if not total > 0:
        return values
    share = marked.astype(np.float64) / total
    held = np.bincount(found.part[found.body], share[found.body], PARTS)
    values[0], values[1] = max(0.0, 1.0 - held.sum()), share[found.outline].sum()
    there = found.pixels > 0
    density = np.where(there, held / np.maximum(found.pixels, 1), np.nan)
    if not np.nansum(density) > 0:
        return values
    covered = np.where(there, density >= COVERED * np.nanmean(density), np.nan)
    values[2] = min(np.nanmean(covered[: PARTS // 2]), np.nanmean(covered[PARTS // 2 :]))
    parts = density[there] / density[there].sum()
    values[3] = -(parts * np.log(np.where(parts > 0, parts, 1.0))).sum() / np.log(there.sum())
    values[4] = _agreement(density, found.contrast)
    return values


def _agreement(density: Floats, contrast: Floats) -> float:
    from scipy import stats

    both = np.isfinite(density) & np.isfinite(contrast)
    x, y = density[both], contrast[both]
    if both.sum() < FEWEST_PARTS - 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(stats.spearmanr(x, y)[0])


def even(found: Chromosome, side: int) -> Floats:
    """The numbers of a map that marks the body evenly, as far as cells of this size can, (5,).

    Cells are as large as several pixels, so that no map keeps off the background; this is the scale to read the numbers on.

    Args:
        found: the chromosome.
        side: cells on a side of the map.
    """
    size = len(found.body)
    edges = np.linspace(0, size, side + 1)
    weights = np.clip(np.minimum(edges[1:, None], np.arange(size) + 1) - np.maximum(edges[:-1, None], np.arange(size)), 0, None)
    cells = weights @ found.body @ weights.T
    return measure(found, enlarged(cells[None].astype(np.float32), size)[0])


def table(found: list[Chromosome | None], grids: Floats32, size: int) -> Floats:
    """The numbers of many maps, (n, 5); NaN for a chromosome that cannot be measured.

    Args:
        found: of each image.
        grids: maps, (n, side, side).
        size: of the images, pixels.
    """
    rows = [
        np.full(len(MEASURES), np.nan) if one is None else measure(one, marked)
        for one, marked in zip(found, enlarged(grids, size), strict=True)
    ]
    return np.stack(rows)
