"""What is measured of one image: of the original crop, before it is turned, scaled and stretched for a network.

Lengths are pixels of that crop, light on black. Nothing depends on which way the chromosome lies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.preprocess import foreground_mask
from benchmark.errors import InputError
from benchmark.insight.axis import DARKEST, Axis, Mask, positions, trace_mask
from benchmark.insight.resample import Floats

U8 = npt.NDArray[np.uint8]

VERSION = 1
"""Raised whenever what is measured of some pixels changes."""

FINE, COARSE = 0.08, 0.2
"""Standard deviations of the two smoothings between which fine structure lies, widths of the body."""

BESIDE = 1.5
"""Half widths from the axis beyond which a pixel of the body is taken for another's."""

NOWHERE = float("nan")


class Measures(NamedTuple):
    """Of one image; NaN throughout where it holds no body that has an axis.

    Attributes:
        length: of the axis, pixels.
        width: median across the axis, pixels.
        area: of the body, pixels.
        bend: 1 - chord / length.
        turn: largest angle between two directions of the axis, degrees.
        sharpness: natural logarithm of fine structure's share of the variation inside the body.
        contrast: (light - dark) / (light + dark) inside the body, of the 90th and 10th percentiles.
        cut: length of the longest run of the body along a side of the frame, in widths, times its lightness against the body's.
        foreign: part of the foreground that is no part of the body or lies far from its axis.
    """

    length: float = NOWHERE
    width: float = NOWHERE
    area: float = NOWHERE
    bend: float = NOWHERE
    turn: float = NOWHERE
    sharpness: float = NOWHERE
    contrast: float = NOWHERE
    cut: float = NOWHERE
    foreign: float = NOWHERE


def measure(light: U8) -> Measures:
    """Everything about one crop.

    Args:
        light: the original crop, light on black (`benchmark.data.preprocess.unify`), (height, width).
    """
    if light.max() < DARKEST:
        return Measures()
    mask = foreground_mask(light)
    try:
        axis = trace_mask(mask)
    except InputError:
        return Measures()
    width = float(np.median(axis.width))
    inside = _inside(axis.body)
    dark, middle, bright = (float(v) for v in np.percentile(light[inside], [10, 50, 90]))
    return Measures(
        axis.length, width, float(axis.body.sum()), axis.bend, axis.turn, _sharpness(light, axis.body, inside, width),
        (bright - dark) / max(bright + dark, 1.0), _cut(light, mask, width, middle), _foreign(axis, width),
    )  # fmt: skip


def _inside(body: Mask) -> Mask:
    """The body without its rim, where the outline is no structure of the chromosome's."""
    from scipy import ndimage

    for depth in (2, 1):
        inner = ndimage.binary_erosion(body, iterations=depth)
        if inner.sum() >= 0.25 * body.sum():
            return np.asarray(inner, dtype=np.bool_)
    return body


def smooth_within(values: Floats, body: Mask, sigma: float) -> Floats:
    """Gaussian smoothing that does not look beyond the body, (height, width)."""
    from scipy import ndimage

    weight = ndimage.gaussian_filter(body.astype(float), sigma, mode="constant")
    return np.asarray(
        ndimage.gaussian_filter(np.where(body, values, 0.0), sigma, mode="constant") / np.maximum(weight, 1e-6)
    )


def _sharpness(light: U8, body: Mask, inside: Mask, width: float) -> float:
    grey = light.astype(np.float64)
    band = smooth_within(grey, body, max(0.6, FINE * width)) - smooth_within(grey, body, max(1.5, COARSE * width))
    return float(np.log((band[inside].std() + 1e-3) / (grey[inside].std() + 1e-3)))


def _cut(light: U8, mask: Mask, width: float, middle: float) -> float:
    """Two sides of a chromosome touch a tight frame in a few dim pixels; a cut lies along it, as wide and light as the body."""
    sides = ((mask[0], light[0]), (mask[-1], light[-1]), (mask[:, 0], light[:, 0]), (mask[:, -1], light[:, -1]))
    return max((_run(on, grey) for on, grey in sides), default=0.0) / max(width * middle, 1.0)


def _run(on: npt.NDArray[np.bool_], grey: U8) -> float:
    """Summed grey of the lightest unbroken run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
    return max((float(grey[a:b].sum()) for a, b in zip(edges[::2], edges[1::2], strict=True)), default=0.0)


def _foreign(axis: Axis, width: float) -> float:
    across = np.abs(positions(axis).across[axis.body])
    far = int((across > BESIDE * 0.5 * width).sum())
    return (float(axis.rest.sum()) + far) / float(axis.body.sum() + axis.rest.sum())
