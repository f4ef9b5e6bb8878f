"""A principal curve: a smooth line from tip to tip through the middle of a body of pixels (Hastie & Stuetzle 1989)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmark.insight.resample import Floats

Mask = npt.NDArray[np.bool_]

STEP = 0.5
"""Distance of axis points, pixels."""

STIFF, STIFFEST = 0.9, 1.5
"""Standard deviation of the smoothing along the axis: half widths, and at least these pixels."""

TIP = 1.0
"""Half widths at either end that the line only passes straight: there, corners would draw it to themselves."""

BESIDE = 1.6
"""Half widths from the line within which a pixel counts: a neighbour's piece that sticks out does not."""

THIN = 3
"""The fit is made at every so many points: it is much smoother than they are close."""

ROUNDS = 2
"""Times the line is drawn on to the tips and laid through the middle of the pixels beside it."""


def length(points: Floats) -> float:
    """Of a line, pixels."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def even(points: Floats) -> Floats:
    """Points about `STEP` apart on the same line."""
    along = distances(points)
    places = np.linspace(0.0, along[-1], max(3, round(along[-1] / STEP) + 1))
    return np.stack([np.interp(places, along, points[:, i]) for i in (0, 1)], axis=1)


def fit(line: Floats, body: Mask, half: float) -> Floats:
    """A line from tip to tip through the middle of the body, begun from another."""
    points = even(_to_ends(line, body, half))
    for _ in range(ROUNDS):
        points = even(_to_ends(_through_the_middle(points, body, half), body, half))
    return points


def misfit(points: Floats, body: Mask) -> float:
    """Length of a line times the root mean square distance of the body's pixels from it: least for the true axis.

    A line shorter than a square body of as many pixels is taken for as long: a point must not be the best line.
    """
    from scipy.spatial import cKDTree

    return max(length(points), float(np.sqrt(body.sum()))) * float(
        np.sqrt(np.mean(cKDTree(points).query(np.argwhere(body))[0] ** 2))
    )


def _through_the_middle(points: Floats, body: Mask, half: float) -> Floats:
    """A principal curve's step: pixels are assigned to the nearest place on the line, and the line is fitted to them.

    Each point moves to the local linear fit of the pixels' coordinates on their place (Hastie & Stuetzle 1989, with the
    fit of Cleveland 1979, which does not shrink the ends).
    """
    from scipy.spatial import cKDTree

    pixels = np.argwhere(body).astype(np.float64)
    along = distances(points)
    place = _project(pixels, points, along)
    drop = min(round(TIP * half / STEP), len(points) // 2 - 2)
    chosen = along[drop : len(along) - drop : THIN] if drop > 0 and len(along) - 2 * drop > 3 * THIN else along
    off = (place[None] - chosen[:, None]) / max(STIFF * half, STIFFEST)
    near = cKDTree(points).query(pixels)[0] <= BESIDE * half
    weight = np.where(near, np.exp(-0.5 * off**2), 0.0)
    total, first, second = weight.sum(1), (weight * off).sum(1), (weight * off**2).sum(1)
    level, slope = weight @ pixels, (weight * off) @ pixels
    spread = np.maximum(total * second - first**2, 1e-9)
    return np.asarray((second[:, None] * level - first[:, None] * slope) / spread[:, None])


def distances(points: Floats) -> Floats:
    """From the first point along the line, pixels, (n,)."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def _project(pixels: Floats, points: Floats, along: Floats) -> Floats:
    """Place of the nearest point of a line for each pixel, between the points by the tangent, (n,)."""
    from scipy.spatial import cKDTree

    nearest = cKDTree(points).query(pixels)[1]
    beyond = ((pixels - points[nearest]) * tangents(points)[nearest]).sum(1)
    inner = (nearest > 0) & (nearest < len(points) - 1)
    return np.asarray(along[nearest] + np.where(inner, np.clip(beyond, -STEP, STEP), beyond))


def principal(body: Mask) -> Floats:
    """A short piece of the principal axis through the centre."""
    pixels = np.argwhere(body).astype(np.float64)
    vectors = np.linalg.eigh(np.cov(pixels.T))[1]
    centre = pixels.mean(axis=0)
    return np.stack([centre - 0.5 * vectors[:, 1], centre, centre + 0.5 * vectors[:, 1]])


def tangents(points: Floats) -> Floats:
    """Unit vectors along the line, (n, 2)."""
    steps = np.gradient(points, axis=0)
    return np.asarray(steps / np.maximum(np.hypot(*steps.T), 1e-9)[:, None])


def _normals(points: Floats) -> Floats:
    heading = tangents(points)
    return np.stack([-heading[:, 1], heading[:, 0]], axis=1)


def _covered(places: Floats, body: Mask) -> Floats:
    """Part of the body at places between pixels, (..., 2) gives (...)."""
    from scipy import ndimage

    spots = np.moveaxis(places, -1, 0)
    return np.asarray(ndimage.map_coordinates(body.astype(float), spots, order=1, mode="grid-constant"))


def _run(start: Floats, heading: Floats, body: Mask, limit: float) -> Floats:
    """How far one may go from each start, (n, 2), in its direction until the outline, at most `limit` pixels, (n,)."""
    reach = np.arange(0.0, limit + 0.25, 0.25)
    outside = _covered(start[:, None] + reach[None, :, None] * heading[:, None], body) < 0.5
    first = np.where(outside.any(axis=1), outside.argmax(axis=1), len(reach) - 1)
    return np.asarray(np.maximum(reach[first] - 0.125, 0.0), dtype=np.float64)


def _to_ends(line: Floats, body: Mask, half: float) -> Floats:
    """The line drawn on straight, or cut, at both ends where it leaves the body."""
    inside = np.flatnonzero(_covered(line, body) >= 0.5)
    line = line[inside[0] : inside[-1] + 1] if len(inside) > 1 else line
    places = distances(line)
    near = min(len(line) - 1, max(1, int(np.searchsorted(places, half))))
    back = max(0, min(len(line) - 2, int(np.searchsorted(places, places[-1] - half, side="right")) - 1))
    heading = np.stack([line[0] - line[near], line[-1] - line[back]])
    heading /= np.maximum(np.hypot(*heading.T), 1e-9)[:, None]
    ends = line[[0, -1]] + _run(line[[0, -1]], heading, body, float(sum(body.shape)))[:, None] * heading
    return np.concatenate([ends[:1], line, ends[1:]])


def width(points: Floats, body: Mask, limit: float) -> Floats:
    """Width of the body across the line, pixels, (n,)."""
    normals = _normals(points)
    return _run(points, normals, body, limit) + _run(points, -normals, body, limit)
