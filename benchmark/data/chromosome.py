"""Drawing one banded chromosome as a karyotyping program would hand it over.

A curved axis is drawn; every point of a supersampled grid finds its nearest axis point and with it a
position along the chromosome and a distance across; two sister chromatids are laid around the axis
with the dye of the bands, sometimes with a piece of a neighbour; the microscope does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from benchmark.data.bands import Floats, Homologue, check_dye, homologue
from benchmark.data.microscope import FINE, STAINS, U8, Cell, draw_cell, expose
from benchmark.errors import InputError

Mask = npt.NDArray[np.bool_]

CHROMOSOME_1 = 248.956422
"""Megabases of the longest chromosome, to which a cell's scale refers."""

STEP = 0.5
"""Distance of axis points, pixels."""

SHORT = 25.0
"""Chromosomes up to this length are too stiff for a strong bend, pixels."""

BAND_STEP = 0.1
"""Sampling of bands before they are smeared, megabases."""


@dataclass(frozen=True)
class Axis:
    """The medial line from the tip of the short arm to that of the long arm.

    Args:
        points: x and y in pixels, shape (n, 2).
        tangents: unit vectors, shape (n, 2).
        along: distance from the first tip, pixels, shape (n,).
    """

    points: Floats
    tangents: Floats
    along: Floats

    @property
    def length(self) -> float:
        """Pixels."""
        return float(self.along[-1])


def render_chromosome(
    label: str,
    stain: str,
    rng: np.random.Generator | int,
    *,
    cell: Cell | None = None,
    copy: Homologue | None = None,
) -> U8:
    """Draw one chromosome, short arm up.

    Args:
        label: class name, 1-22, X or Y.
        stain: `Q` (light on black) or `G` (dark on white).
        rng: a generator, or a seed for one.
        cell: the cell's conditions; drawn when not given.
        copy: one person's homologue; drawn when not given.

    Returns:
        uint8 grey values, shape (height, width), cropped tight.

    Raises:
        InputError: for an unknown label or stain, or a cell or homologue of another one.
    """
    dye = check_dye(stain)
    random = np.random.default_rng(rng)
    cell = cell or draw_cell(STAINS[dye], random)
    copy = copy or homologue(label, dye, random)
    for field, found, wanted in (("cell", cell.dye, dye), ("copy", copy.stain, dye), ("copy", copy.label, label)):
        if found != wanted:
            raise InputError("belongs to another one", field=field, found=found, allowed=wanted)
    axis = draw_axis(copy, cell, random)
    dyes, mask = _lay(axis, copy, cell, random)
    return _crop(expose(dyes, mask, cell, random), mask, random)


def draw_axis(copy: Homologue, cell: Cell, rng: np.random.Generator) -> Axis:
    """A smooth random line: a general bend, a wave, a kink at the centromere, sometimes a strong bend.

    Its length is proportional to the homologue's up to the cell's `jitter`; the line from tip to tip
    is tilted by at most the cell's `tilt`.

    Args:
        copy: the homologue.
        cell: the cell's conditions.
        rng: the picture's own random numbers.
    """
    jitter = np.exp(cell.jitter * np.clip(rng.standard_normal(), -2, 2))
    length = cell.length * copy.length / CHROMOSOME_1 * float(jitter)
    along = np.linspace(0.0, length, max(8, round(length / STEP) + 1))
    part, kink = along / length, copy.centromere / copy.length
    bend, wave, snap = rng.standard_normal(3).clip(-2.5, 2.5)
    angle = (
        np.radians(cell.bend)
        * np.sqrt(length / cell.length)
        * (bend * (part - 0.5) + 0.3 * wave * np.sin(2 * np.pi * part) + 0.35 * snap * np.tanh((part - kink) / 0.08))
    )
    strong, turn, centre = rng.random(), rng.uniform(60, 170) * rng.choice([-1.0, 1.0]), rng.uniform(0.3, 0.7)
    if strong < cell.strong_bend and length > SHORT:
        angle = angle + 0.5 * np.radians(turn) * np.tanh((part - centre) / 0.3)
    tilt = np.radians(rng.uniform(-cell.tilt, cell.tilt))
    angle = angle + tilt - np.arctan2(np.sin(angle).sum(), np.cos(angle).sum())
    tangents = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return Axis(np.cumsum(tangents * (along[1] - along[0]), axis=0), tangents, along)


def smooth_noise(count: int, width: float, rng: np.random.Generator) -> Floats:
    """A random curve of `count` samples, mean 0, standard deviation about 1, correlated over `width` samples."""
    noise = ndimage.gaussian_filter1d(rng.standard_normal(count), width, mode="reflect")
    return np.asarray(noise * np.sqrt(2.0 * np.sqrt(np.pi) * width), dtype=np.float64)


def _bands_along(axis: Axis, copy: Homologue, cell: Cell, rng: np.random.Generator) -> tuple[Floats, Floats, float]:
    """Dye and relative width at the axis points, and the centromere's distance from the first tip.

    The arms are stretched unevenly by some per cent, as spreading does, and bands are smeared.
    """
    count = len(axis.along)
    rate = np.exp(cell.stretch * smooth_noise(count, count / 8, rng).clip(-2, 2))
    place = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]))])
    place *= copy.length / place[-1]
    fine = np.arange(0.5 * BAND_STEP, copy.length, BAND_STEP)
    index, sigma = copy.at(fine), cell.resolution / BAND_STEP
    taken = copy.dye * np.exp(cell.unsteady * rng.standard_normal(len(copy.dye)).clip(-2, 2))
    specific = cell.offset * 0.6 + (1.0 - cell.offset) * taken[index]
    dye = ndimage.gaussian_filter1d(specific, sigma, mode="nearest", truncate=3.0)
    thin = ndimage.gaussian_filter1d(copy.thin[index], sigma, mode="nearest", truncate=3.0)
    centromere = float(np.interp(copy.centromere, place, axis.along))
    return np.interp(place, fine, dye), np.interp(place, fine, thin), centromere


def _lay(axis: Axis, copy: Homologue, cell: Cell, rng: np.random.Generator) -> tuple[Floats, Mask]:
    """Dye on the fine grid, and the outline in pixels."""
    half = 0.5 * cell.width * (0.9 + 0.1 * axis.length / cell.length)
    pad = half * (1.3 + cell.splay) + cell.halo + 3.0 * cell.blur + 2.0
    low = axis.points.min(0) - pad
    width, height = np.ceil(axis.points.max(0) + pad - low).astype(int)
    x = low[0] + (np.arange(width * FINE) + 0.5) / FINE
    y = low[1] + (np.arange(height * FINE) + 0.5) / FINE
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    image, covered = _chromatids(grid, axis, copy, cell, half, rng)
    grain = ndimage.gaussian_filter(rng.standard_normal(image.shape), FINE, truncate=3.0)
    image *= (1.0 + cell.grain * 2.0 * np.sqrt(np.pi) * FINE * grain).clip(0.2, 1.8)
    away = ndimage.distance_transform_edt(_mean(covered) <= 0.25)
    mask = away <= cell.halo
    if rng.random() < cell.debris:
        piece = _neighbour(grid, axis, half, rng)
        image += piece
        mask |= (_mean(piece) > 0.1) & (away <= rng.uniform(0.5, 6.0))
    return image, mask


def _mean(fine: npt.NDArray[np.generic]) -> Floats:
    """From the fine grid to pixels."""
    blocks = fine.reshape(fine.shape[0] // FINE, FINE, fine.shape[1] // FINE, FINE)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)


def _chromatids(
    grid: Floats, axis: Axis, copy: Homologue, cell: Cell, half: float, rng: np.random.Generator
) -> tuple[Floats, Mask]:
    """Dye of both sister chromatids, and where they are, on a grid of shape (height, width, 2).

    The thickness of a round rod is what the light passes; each chromatid ends in a round cap, the
    two are not quite alike, and both are drawn together at the centromere.
    """
    dye, thin, centromere = _bands_along(axis, copy, cell, rng)
    points = grid.reshape(-1, 2)
    reach = half * 1.15 * (1.0 + cell.splay) + 1.0
    distance, found = cKDTree(axis.points).query(points, distance_upper_bound=reach)
    close = np.flatnonzero(np.isfinite(distance))
    nearest = found[close]
    offset, tangent = points[close] - axis.points[nearest], axis.tangents[nearest]
    along = axis.along[nearest] + (offset * tangent).sum(1)
    across = offset[:, 0] * tangent[:, 1] - offset[:, 1] * tangent[:, 0]

    count, spacing = len(axis.along), axis.along[1] - axis.along[0]
    from_centre = np.abs(axis.along - centromere)
    waist = 1.0 - rng.uniform(0.35, 0.6) * np.exp(-((from_centre / (0.45 * half)) ** 2))
    apart = half * waist * (cell.split + cell.splay * np.tanh(from_centre / (2.0 * half)))
    laid, covered = np.zeros(len(close)), np.zeros(len(close), dtype=bool)
    for side in (-1.0, 1.0):
        place = along + rng.normal(0.0, 0.3)
        wobble = 1.0 + 0.06 * smooth_noise(count, 3.0 / spacing, rng).clip(-2, 2)
        radius = half * (1.0 - cell.split) * waist * thin * wobble
        uneven = (1.0 + cell.grain * smooth_noise(count, 1.5 / spacing, rng)).clip(0.2, 1.8)
        longer = rng.normal(0.0, 0.3)
        tip = (np.minimum(place, axis.length - place) + longer).clip(0.0)
        cap = np.sqrt(1.0 - (1.0 - tip / (0.8 * half)).clip(0.0, 1.0) ** 2)
        broad = np.maximum(np.interp(place, axis.along, radius) * cap, 1e-6)
        inside = 1.0 - ((across - side * np.interp(place, axis.along, apart)) / broad) ** 2
        laid = np.maximum(laid, np.sqrt(inside.clip(0.0)) * np.interp(place, axis.along, dye * uneven))
        covered |= inside > 0.0
    image, where = np.zeros(len(points)), np.zeros(len(points), dtype=bool)
    image[close], where[close] = laid, covered
    return image.reshape(grid.shape[:2]), where.reshape(grid.shape[:2])


def _neighbour(grid: Floats, axis: Axis, half: float, rng: np.random.Generator) -> Floats:
    """Dye of a neighbouring chromosome's end that touches or crosses this one, on the grid."""
    where = int(rng.integers(len(axis.points)))
    tangent = axis.tangents[where]
    normal = np.array([tangent[1], -tangent[0]]) * rng.choice([-1.0, 1.0])
    start = axis.points[where] + normal * half * rng.uniform(-0.8, 1.3)
    slant = rng.uniform(-0.9, 0.9)
    heading = np.cos(slant) * normal + np.sin(slant) * tangent
    offset = grid - start
    out, sideways = offset @ heading, offset[..., 0] * heading[1] - offset[..., 1] * heading[0]
    distance = np.hypot(np.minimum(out, 0.0), sideways) / (half * rng.uniform(0.7, 1.0))
    banded = 0.5 + 0.25 * np.sin(out / rng.uniform(1.2, 2.5) + rng.uniform(0.0, 6.0))
    return np.asarray(np.sqrt((1.0 - distance**2).clip(0.0)) * banded, dtype=np.float64)


def _crop(pixels: U8, mask: Mask, rng: np.random.Generator) -> U8:
    """Cut tight around the outline, with one to three pixels of background where there are any."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    margin = int(rng.integers(1, 4))
    return np.ascontiguousarray(
        pixels[
            max(0, rows[0] - margin) : rows[-1] + 1 + margin,
            max(0, columns[0] - margin) : columns[-1] + 1 + margin,
        ]
    )
