"""What a stain, a metaphase and a camera do to the picture of a chromosome.

A `Stain` holds ranges, a `Cell` one draw of them that all chromosomes of a metaphase share. `expose`
turns dye into grey values: point spread, scattered light, then fluorescence (light adds up) or
absorption (Beer-Lambert), the sensor's noise, and the outline along which the crop is cut out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmark.data.bands import Dye, Floats

U8 = npt.NDArray[np.uint8]
Range = tuple[float, float]

FINE = 2
"""Supersampling: grid points per pixel and axis."""


@dataclass(frozen=True)
class Stain:
    """What is typical of a stain; ranges are drawn from once per cell, uniformly.

    Args:
        dye: the stain's letter.
        length: chromosome 1 from tip to tip, pixels.
        jitter: standard deviation of a chromosome's log length about its share of the cell's.
        stretch: the same of the local stretch along its axis.
        width: both chromatids of a chromosome 1 of middling length, pixels.
        blur: standard deviation of the point spread, pixels.
        glow: part of the light that is scattered widely.
        resolution: standard deviation of the smearing of bands along the axis, megabases.
        exposure: Q: grey values of dye 1; G: optical density (natural logarithm) of dye 1.
        offset: share of a band's dye that is unspecific, which flattens contrast.
        unsteady: standard deviation of the log dye of a band between chromosomes of a cell.
        read_noise: grey values, independent of the light.
        shot_noise: grey values at full light; grows with its square root.
        grain: relative standard deviation of the chromatin's own unevenness.
        split: distance of a chromatid from the axis, as a part of the half width.
        splay: how far the chromatids part at the tips, as a part of the half width.
        bend: standard deviation of the turn from tip to tip of a chromosome 1, degrees.
        strong_bend: chance of a chromosome that is bent by 60 to 170 degrees.
        tilt: largest rotation, degrees.
        debris: chance of a piece of a neighbour.
        halo: pixels by which the outline is wider than the chromosome.
    """

    dye: Dye
    length: Range
    jitter: float
    stretch: float
    width: Range
    blur: Range
    glow: Range
    resolution: Range
    exposure: Range
    offset: Range
    unsteady: Range
    read_noise: Range
    shot_noise: Range
    grain: Range
    split: Range
    splay: Range
    bend: Range
    strong_bend: float
    tilt: float
    debris: float
    halo: Range


STAINS: dict[Dye, Stain] = {
    "Q": Stain(
        dye="Q", length=(60, 106), jitter=0.06, stretch=0.10, width=(11.5, 14.5), blur=(1.0, 1.7), glow=(0.05, 0.25),
        resolution=(2.5, 5.5), exposure=(130, 300), offset=(0.0, 0.35), unsteady=(0.10, 0.22), read_noise=(2.0, 5.0),
        shot_noise=(4.0, 10.0), grain=(0.07, 0.13), split=(0.36, 0.48), splay=(0.0, 0.2), bend=(15, 50),
        strong_bend=0.08, tilt=45, debris=0.12, halo=(2.0, 4.0),
    ),
    "G": Stain(
        dye="G", length=(76, 128), jitter=0.06, stretch=0.10, width=(13.0, 18.0), blur=(0.75, 1.2), glow=(0.0, 0.06),
        resolution=(1.2, 4.0), exposure=(0.9, 1.8), offset=(0.0, 0.3), unsteady=(0.12, 0.25), read_noise=(0.5, 1.5),
        shot_noise=(1.0, 2.5), grain=(0.10, 0.20), split=(0.34, 0.47), splay=(0.0, 0.5), bend=(10, 35),
        strong_bend=0.05, tilt=8, debris=0.10, halo=(1.0, 2.0),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """The conditions that all chromosomes of one metaphase share; fields and units as in `Stain`."""

    dye: Dye
    length: float
    jitter: float
    stretch: float
    width: float
    blur: float
    glow: float
    resolution: float
    exposure: float
    offset: float
    unsteady: float
    read_noise: float
    shot_noise: float
    grain: float
    split: float
    splay: float
    bend: float
    strong_bend: float
    tilt: float
    debris: float
    halo: float


def draw_cell(stain: Stain, rng: np.random.Generator) -> Cell:
    """Conditions of one metaphase.

    Condensed cells (short chromosomes) are wide, their chromatids part, and they show fewer bands.

    Args:
        stain: the ranges.
        rng: the metaphase's own random numbers.
    """
    condensed = rng.random()

    def between(ends: Range) -> float:
        return float(rng.uniform(*ends))

    def tied(ends: Range) -> float:
        share = 0.7 * condensed + 0.3 * rng.random()
        return ends[0] + share * (ends[1] - ends[0])

    return Cell(
        dye=stain.dye,
        length=stain.length[1] - condensed * (stain.length[1] - stain.length[0]),
        jitter=stain.jitter,
        stretch=stain.stretch,
        width=tied(stain.width),
        blur=between(stain.blur),
        glow=between(stain.glow),
        resolution=tied(stain.resolution),
        exposure=between(stain.exposure),
        offset=between(stain.offset),
        unsteady=between(stain.unsteady),
        read_noise=between(stain.read_noise),
        shot_noise=between(stain.shot_noise),
        grain=between(stain.grain),
        split=between(stain.split),
        splay=tied(stain.splay) * rng.random(),
        bend=between(stain.bend),
        strong_bend=stain.strong_bend,
        tilt=stain.tilt,
        debris=stain.debris,
        halo=between(stain.halo),
    )


def expose(dye: Floats, mask: npt.NDArray[np.bool_], cell: Cell, rng: np.random.Generator) -> U8:
    """Take the picture.

    Args:
        dye: relative dye on the fine grid, shape (FINE * height, FINE * width).
        mask: outline of the crop, pixels, shape (height, width); outside lies plain background.
        cell: the cell's conditions.
        rng: draws the noise.

    Returns:
        uint8 grey values, shape (height, width).
    """
    height, width = mask.shape
    sharp = ndimage.gaussian_filter(dye, cell.blur * FINE, truncate=3.0)
    seen = sharp.reshape(height, FINE, width, FINE).mean(axis=(1, 3))
    seen = (1.0 - cell.glow) * seen + cell.glow * ndimage.gaussian_filter(seen, 4.0 * cell.blur, truncate=3.0)
    light = cell.exposure * seen if cell.dye == "Q" else 255.0 * np.exp(-cell.exposure * seen)
    noise = cell.shot_noise * np.sqrt(light / 255.0) * rng.standard_normal(mask.shape)
    noise += cell.read_noise * rng.standard_normal(mask.shape)
    background = 0.0 if cell.dye == "Q" else 255.0
    grey = np.where(mask, light + noise, background)
    # Rounded twice: values that meet a half only up to the last bits of a platform's exp give one pixel.
    return np.rint(np.round(grey, 3)).clip(0, 255).astype(np.uint8)
