"""A chromosome's medial axis: the line from tip to tip, how wide and how bent the body is along it.

A principal curve (Hastie & Stuetzle 1989) is begun twice, from the skeleton's longest path and from the body's principal
axis, and the better one is kept: the skeleton alone follows one chromatid of a splayed body, the principal axis alone
cuts across a strong bend. All lengths are pixels of the image; points are (row, column), pixel centres at whole numbers.
On drawn arcs length is right within 4 %; the stiff line flattens `bend` by up to 0.04 and `turn` by up to a third.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.preprocess import foreground_mask
from benchmark.errors import InputError
from benchmark.insight import curve
from benchmark.insight.resample import Floats

U8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

DARKEST = 8
"""A picture without a pixel as light as this holds no chromosome."""

LEAST = 16
"""Pixels of the smallest body that has an axis."""

FINE = 2
"""Skeletons are found on a grid this many times finer than the pixels."""

FULL = 0.85
"""A skeleton's end counts from where the body is this part of its usual width: before, it may lead into a corner."""

FORK = 1.5
"""Half widths that are at most left out at either end for that."""

CLOSER = 0.9
"""A line that began as the skeleton is kept where length times distance of the pixels (root mean square) is this much
smaller than for the line that began as the principal axis: splayed chromatids would otherwise pull it into one leg."""

_PAD = 2


class Axis(NamedTuple):
    """The medial axis of the largest body in an image.

    Attributes:
        body: where that body is, (height, width).
        rest: other pieces of foreground, (height, width).
        points: row and column from tip to tip, evenly spaced, (n, 2); the first tip is the upper one (or left, when level).
        along: distance from the first tip at each point, pixels, (n,).
        width: of the body across the axis at each point, pixels, (n,).
        spur: how far the longest side branch of the skeleton stands out of the body, pixels; 0 without one.
    """

    body: Mask
    rest: Mask
    points: Floats
    along: Floats
    width: Floats
    spur: float

    @property
    def length(self) -> float:
        """From tip to tip along the axis, pixels."""
        return float(self.along[-1])

    @property
    def bend(self) -> float:
        """1 - chord / length: 0 for a straight body, 0.36 for a half circle."""
        return max(0.0, 1.0 - float(np.hypot(*(self.points[-1] - self.points[0]))) / self.length)

    @property
    def turn(self) -> float:
        """Largest angle between the directions of the axis at any two places, degrees: 180 for a half circle."""
        steps = np.diff(self.points, axis=0)
        angle = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
        return float(np.degrees(angle.max() - angle.min()))


class Position(NamedTuple):
    """Where each pixel of the body lies; NaN elsewhere.

    Attributes:
        along: 0 at the first tip, 1 at the other, (height, width).
        across: distance from the axis, pixels, negative on its left as one walks to the last tip, (height, width).
    """

    along: Floats
    across: Floats


def trace(image: U8) -> Axis:
    """The axis of the chromosome in a prepared image.

    Args:
        image: light on black, (height, width).

    Raises:
        InputError: when there is nothing light in it, or only a speck.
    """
    if image.ndim != 2:
        raise InputError("not a grey image", found=image.shape, allowed="(height, width)")
    if image.size == 0 or image.max() < DARKEST:
        found = int(image.max()) if image.size else None
        raise InputError(
            "no chromosome in the image", field="lightest pixel", found=found, allowed=f"{DARKEST} or more"
        )
    return trace_mask(foreground_mask(image))


def trace_mask(mask: Mask) -> Axis:
    """The axis of the largest body of a mask; arguments and errors as `trace`."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask, structure=np.ones((3, 3), int))
    areas = np.bincount(labels.ravel(), minlength=2)[1:]
    if areas.max() < LEAST:
        allowed = f"{LEAST} or more"
        raise InputError("too small for an axis", field="pixels of the largest body", found=int(areas.max()), allowed=allowed)  # fmt: skip
    body = labels == 1 + int(areas.argmax())
    corner = np.argwhere(body).min(axis=0)
    deep, skeleton = _skeleton(body[np.ix_(body.any(1), body.any(0))])
    path, spur = _longest(skeleton, deep)
    half = float(np.median(deep[tuple(path.T)])) / FINE
    points = curve.fit(curve.principal(body), body, half)
    line = _coarse(_without_forks(path, deep / FINE, half), corner)
    if len(line) > 2 and curve.length(line) > half:
        bent = curve.fit(line, body, half)
        if curve.misfit(bent, body) < CLOSER * curve.misfit(points, body):
            points = bent
    points = curve.fit(points, body, half)
    if curve.length(points) < 1.0:
        raise InputError("found no axis", field="pixels of the largest body", found=int(areas.max()))
    if tuple(points[-1]) < tuple(points[0]):
        points = points[::-1]
    along = curve.distances(points)
    rest = np.asarray(mask & ~body, dtype=np.bool_)
    return Axis(np.asarray(body), rest, points, along, curve.width(points, body, 4.0 * half), spur)


def positions(axis: Axis) -> Position:
    """Where each pixel of the body lies along and across the axis: the nearest point of the axis decides."""
    from scipy.spatial import cKDTree

    pixels = np.argwhere(axis.body).astype(np.float64)
    headings = curve.tangents(axis.points)
    nearest = cKDTree(axis.points).query(pixels)[1]
    offset, tangent = pixels - axis.points[nearest], headings[nearest]
    place = np.clip((axis.along[nearest] + (offset * tangent).sum(1)) / axis.length, 0.0, 1.0)
    side = offset[:, 1] * tangent[:, 0] - offset[:, 0] * tangent[:, 1]
    along, across = np.full(axis.body.shape, np.nan), np.full(axis.body.shape, np.nan)
    along[axis.body] = place
    across[axis.body] = -side
    return Position(along, across)


def _skeleton(body: Mask) -> tuple[Floats, Mask]:
    """Depth below the outline and skeleton on the fine grid, with a free border."""
    from scipy import ndimage
    from skimage.morphology import skeletonize

    soft = ndimage.zoom(np.pad(body, _PAD).astype(float), FINE, order=1, grid_mode=True, mode="grid-constant")
    fine = ndimage.binary_fill_holes(soft >= 0.5)
    thin = skeletonize(fine)  # type: ignore[no-untyped-call]  # scikit-image says no types for it
    return np.asarray(ndimage.distance_transform_edt(fine)), np.asarray(thin, dtype=np.bool_)


def _coarse(path: npt.NDArray[np.int64], corner: npt.NDArray[np.int64]) -> Floats:
    """From the fine grid of a body whose box begins at `corner` to pixels of the image."""
    return np.asarray((path + 0.5) / FINE - 0.5 - _PAD + corner, dtype=np.float64)


def _longest(skeleton: Mask, deep: Floats) -> tuple[npt.NDArray[np.int64], float]:
    """The longest path through a skeleton, (n, 2), and how far the longest branch off it leaves the body, pixels."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    nodes = np.argwhere(skeleton)
    number = np.full(skeleton.shape, -1)
    number[skeleton] = np.arange(len(nodes))
    rows, columns, costs = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = number[nodes[:, 0] + down, nodes[:, 1] + right]
        linked = np.flatnonzero(other >= 0)
        rows.append(linked)
        columns.append(other[linked])
        costs.append(np.full(len(linked), np.hypot(down, right)))
    size = (len(nodes), len(nodes))
    graph = coo_array((np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), shape=size).tocsr()

    def distances(start: int) -> tuple[Floats, npt.NDArray[np.int64]]:
        far, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
        return np.where(np.isfinite(far), far, -1.0), before

    first = int(distances(int(distances(0)[0].argmax()))[0].argmax())
    far, before = distances(first)
    chain = [int(far.argmax())]
    while chain[-1] != first:
        chain.append(int(before[chain[-1]]))
    off, _, root = dijkstra(graph, directed=False, indices=chain, min_only=True, return_predecessors=True)
    sticks_out = off - np.where(root >= 0, deep[tuple(nodes[np.maximum(root, 0)].T)], 0.0)
    return nodes[chain], max(0.0, float(sticks_out[np.isfinite(off)].max())) / FINE


def _without_forks(path: npt.NDArray[np.int64], deep: Floats, half: float) -> npt.NDArray[np.int64]:
    """The path between the places near its ends where the body has reached its usual width."""
    most = int(FORK * half * FINE)
    full = deep[tuple(path.T)] >= FULL * half
    head = int(np.argmax(full[:most])) if full[:most].any() else most
    tail = int(np.argmax(full[::-1][:most])) if full[::-1][:most].any() else most
    return path[head : len(path) - tail]
