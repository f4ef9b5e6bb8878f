"""Plain statistics of images, without any network: how power falls with fineness, and which greys there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.insight.measure import Measure
from benchmark.insight.resample import Floats, Ints

U8 = npt.NDArray[np.uint8]
GREYS = 256
BATCH = 512
QUANTUM = 1.0 / (12 * 255.0**2)
"""Variance that rounding to 256 greys leaves in a pixel of 0 to 1: the least power an image is taken to have."""


class Texture(NamedTuple):
    """Sums over the images of each group.

    Attributes:
        number: images, (groups,).
        spectrum: log10 of the share of power at each radius, (groups, radii).
        greys: share of pixels at each grey, (groups, 256).
        plain: mean, standard deviation (grey levels) and entropy (bits) of the greys of an image, (groups, 3).
    """

    number: Floats
    spectrum: Floats
    greys: Floats
    plain: Floats


def radii(size: int) -> Floats:
    """Radii of a spectrum, in cycles an image side: 1 to half the side."""
    return np.arange(1, size // 2 + 1, dtype=np.float64)


def spectra(images: U8) -> Floats:
    """Log10 of the share of power at each radius, averaged around the circle.

    A Hann window keeps the frame's edge from counting as a line. The share, so that contrast does not count.

    Args:
        images: (n, size, size).

    Returns:
        (n, size // 2)
    """
    size = images.shape[1]
    line = np.hanning(size + 2)[1:-1]
    window = np.outer(line, line)
    across = np.fft.rfftfreq(size) * size
    radius = np.rint(np.hypot(np.fft.fftfreq(size)[:, None] * size, across)).astype(int).ravel()
    twice = np.tile(np.where((across == 0) | (across == size / 2), 1.0, 2.0), size)
    bins, inside = len(radii(size)), (radius >= 1) & (radius <= size // 2)
    onto = np.zeros((len(radius), bins))
    onto[np.flatnonzero(inside), radius[inside] - 1] = twice[inside]
    onto /= onto.sum(axis=0)
    found = []
    for start in range(0, len(images), BATCH):
        light = images[start : start + BATCH].astype(np.float64) / 255.0
        light -= (light * window).sum(axis=(1, 2), keepdims=True) / window.sum()
        power = np.abs(np.fft.rfft2(light * window)).reshape(len(light), -1) ** 2
        rings = power @ onto + QUANTUM * (window**2).sum()
        found.append(np.log10(rings / rings.sum(axis=1, keepdims=True)))
    return np.concatenate(found)


def greys(images: U8) -> Floats:
    """Share of pixels at each grey: (n, size, size) gives (n, 256)."""
    found = []
    for start in range(0, len(images), BATCH):
        some = images[start : start + BATCH].reshape(len(images[start : start + BATCH]), -1)
        place = some + GREYS * np.arange(len(some))[:, None]
        counts = np.bincount(place.ravel(), minlength=GREYS * len(some)).reshape(len(some), GREYS)
        found.append(counts / some.shape[1])
    return np.concatenate(found)


def plain(shares: Floats) -> Floats:
    """Mean, standard deviation and entropy in bits of each histogram: (n, 256) gives (n, 3)."""
    level = np.arange(GREYS)
    mean = shares @ level
    spread = np.sqrt(np.clip(shares @ level**2 - mean**2, 0.0, None))
    entropy = -(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    return np.stack([mean, spread, entropy], axis=1)


def texture(images: U8, groups: Ints) -> Texture:
    """All of it, summed by group.

    Args:
        images: (n, size, size).
        groups: number of the group of each image, (n,), from 0 without gaps.
    """
    count = int(groups.max()) + 1
    shares = greys(images)

    def summed(rows: Floats) -> Floats:
        total = np.zeros((count, rows.shape[1]))
        np.add.at(total, groups, rows)
        return total

    number = np.bincount(groups).astype(np.float64)
    return Texture(number, summed(spectra(images)), summed(shares), summed(plain(shares)))


def slope(spectrum: Floats) -> Floats:
    """By what power of the radius power falls: the least-squares slope in a log-log plot.

    The outer quarter of the radii is left out, where resizing has smoothed. Photographs have about -2
    (Field 1987).

    Args:
        spectrum: log10, (..., radii).

    Returns:
        (...,)
    """
    count = max(3, spectrum.shape[-1] * 3 // 4)
    x = np.log10(np.arange(1, count + 1))
    x -= x.mean()
    return np.asarray(spectrum[..., :count] @ x / (x @ x), dtype=np.float64)


class _OfTexture(Measure):
    def __init__(self, textures: Sequence[Texture]) -> None:
        self._textures = list(textures)

    def _mean(self, field: str, a: int, weights: Ints) -> Floats:
        own = self._textures[a]
        return np.asarray((weights @ getattr(own, field)) / (weights @ own.number)[:, None], dtype=np.float64)


class Spectrum(_OfTexture):
    """Root mean square of the difference of two mean spectra, in powers of ten."""

    key, title = "spectrum", "power spectrum"
    meaning = "how differently coarse and fine structure are mixed, root mean square in powers of ten"

    def between(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """No correction."""
        apart = self._mean("spectrum", a, wa) - self._mean("spectrum", b, wb)
        return np.asarray(np.sqrt((apart**2).mean(axis=1)), dtype=np.float64)


class Slope(_OfTexture):
    """Difference of the slopes of two mean spectra."""

    key, title = "slope", "slope of the spectrum"
    meaning = "how differently fast power falls towards fine structure"

    def between(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """No correction."""
        return np.abs(slope(self._mean("spectrum", a, wa)) - slope(self._mean("spectrum", b, wb)))


class Intensity(_OfTexture):
    """Earth mover's distance of two histograms of grey, as a part of the way from black to white."""

    key, title = "intensity", "histogram of greys"
    meaning = "how far the greys of one must be moved to become the other's, as a part of black to white"

    def between(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """No correction."""
        apart = self._mean("greys", a, wa) - self._mean("greys", b, wb)
        return np.asarray(np.abs(np.cumsum(apart, axis=1)[:, :-1]).sum(axis=1) / (GREYS - 1), dtype=np.float64)
