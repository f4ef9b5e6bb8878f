"""A map in numbers: how attention lies on a chromosome and along its medial axis.

Let A be the map at the size of the image, not below 0 and of sum 1, and the *body* the chromosome's foreground. E is the *even map*: the
body itself, averaged over the map's cells and enlarged as the map is. Cells are several pixels wide, so that no map keeps off the
background or reaches the tips in full; E is what a map that marks every part of the chromosome alike can show. The axis is
cut into 16 parts of equal length; *density* of a part is the sum of A over its pixels, over that of E.

- ``background``: sum of A off the body.
- ``outline``: sum of A over pixels of the body at most a 32nd of the image's side from its edge (2 pixels of 64).
- ``coverage``: a part is covered where its density is at least half the mean density. Of the parts of each half of the axis the
  covered ones are counted, and the lesser share of the two is taken: 1 where both ends are looked at throughout, 0 where one is ignored.
- ``evenness``: entropy of the densities over that of even ones: 1 where every part gets as much, 0 where one gets all.
- ``bands``: rank correlation (Spearman) of density and band contrast over the parts but two at each end, where brightness falls
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

FEWEST_CONTRASTS = 6
"""Parts with a band contrast that a rank correlation takes."""

ROUNDING = 1e-6

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
        contrast: band contrast of each part, grey levels; NaN where there is none, (PARTS,).
    """

    body: Mask
    outline: Mask
    part: Ints
    contrast: Floats


def chromosome(image: U8) -> Chromosome | None:
    """Find the axis of a prepared image, (size, size); None where it has none or is too short to be measured."""
    from scipy import ndimage

    try:
        axis = trace(image)
    except InputError:
        return None
    along = np.nan_to_num(positions(axis).along)
    part = np.where(axis.body, np.minimum(along * PARTS, PARTS - 1), -1).astype(np.int64)
    pixels = np.bincount(part[axis.body], minlength=PARTS)
    if (pixels > 0).sum() < FEWEST_PARTS:
        return None
    depth = ndimage.distance_transform_edt(np.pad(axis.body, 1))[1:-1, 1:-1]
    outline = axis.body & (depth <= max(1.0, EDGE * len(image)))
    grey = np.bincount(part[axis.body], image[axis.body].astype(np.float64), PARTS) / np.where(pixels, pixels, np.nan)
    contrast = np.full(PARTS, np.nan)
    contrast[2:-2] = np.abs(grey[3:-1] - grey[1:-3])
    return Chromosome(axis.body, outline, part, contrast)


def even(found: Chromosome, side: int) -> Floats32:
    """The even map of a chromosome, (size, size).

    Args:
        found: the chromosome.
        side: cells on a side of the map.
    """
    size = len(found.body)
    edges, pixel = np.linspace(0, size, side + 1), np.arange(size)
    weights = np.clip(np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel), 0, None)
    return np.asarray(enlarged((weights @ found.body @ weights.T)[None].astype(np.float32), size)[0])


def measure(found: Chromosome, marked: Floats32, flat: Floats32) -> Floats:
    """The numbers of one map, in the order of `MEASURES`, (5,); NaN where one is not defined.

    Args:
        found: the chromosome.
        marked: map at the size of the image, not below 0, (size, size). One that is 0 throughout, or on the body, has no numbers.
        flat: the even map.
    """
    total = float(marked.sum(dtype=np.float64))
    values = np.full(len(MEASURES), np.nan)
    if not total > 0:
        return values
    share = marked.astype(np.float64) / total
    held, usual = (np.bincount(found.part[found.body], one[found.body], PARTS) for one in (share, flat))
    values[0], values[1] = max(0.0, 1.0 - held.sum()), share[found.outline].sum()
    density = np.where(usual > 0, held / np.where(usual > 0, usual, 1.0), np.nan)
    if not np.nansum(density) > 0:
        return values
    covered = np.where(usual > 0, density >= COVERED * np.nanmean(density), np.nan)
    values[2] = min(np.nanmean(covered[: PARTS // 2]), np.nanmean(covered[PARTS // 2 :]))
    parts = density[usual > 0] / density[usual > 0].sum()
    values[3] = -(parts * np.log(np.where(parts > 0, parts, 1.0))).sum() / np.log(len(parts))
    values[4] = _agreement(density, found.contrast)
    return values


def _agreement(density: Floats, contrast: Floats) -> float:
    from scipy import stats

    both = np.isfinite(density) & np.isfinite(contrast)
    x, y = density[both], contrast[both]
    if both.sum() < FEWEST_CONTRASTS or np.ptp(x) <= ROUNDING * x.max() or np.ptp(y) == 0:
        return float("nan")
    return float(stats.spearmanr(x, y)[0])


def table(found: list[Chromosome | None], grids: Floats32, size: int) -> Floats:
    """The numbers of many maps, (n, 5); NaN for a chromosome that cannot be measured.

    Args:
        found: of each image.
        grids: maps, (n, side, side).
        size: of the images, pixels.
    """
    side = grids.shape[1]
    rows = [
        np.full(len(MEASURES), np.nan) if one is None else measure(one, marked, even(one, side))
        for one, marked in zip(found, enlarged(grids, size), strict=True)
    ]
    return np.stack(rows)


def even_table(found: list[Chromosome | None], side: int) -> Floats:
    """The numbers of the even maps themselves, (5,), means over chromosomes: the scale to read numbers on; 0 for ``bands``."""
    rows = [measure(one, flat, flat) for one in found if one is not None for flat in [even(one, side)]]
    return np.append(np.mean(np.stack(rows)[:, :-1], axis=0), 0.0) if rows else np.full(len(MEASURES), np.nan)
