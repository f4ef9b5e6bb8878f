"""Finding the same chromosome twice, where mere look-alikes abound.

Two chromosomes of one class look alike; a copy shares its texture too. Hence three steps, each on
images whose bounding box is scaled to `SIDE` pixels, in four orientations (as is, mirrored, upside
down, both):

1. candidates: the `NEIGHBOURS` nearest images by band-passed correlation, so that the work grows
   with the number of images and not of pairs, whose perceptual hashes (64 bits of the DCT) differ
   in at most `HASH_BITS`;
2. confirmation: one is aligned to the other (affine, least squares) and the fine texture inside
   both is correlated: at least `SIMILAR` is a copy;
3. copied cells: two cells of which at least `SHARED` of the images (`SHARED_OF_FEW` among few cells) are each
   other's nearest neighbour are one metaphase, even where single images were altered too much for step 2.

The thresholds were measured on both real datasets at 64 pixels (8,280 images, 18.5 million pairs of
different groups). The most similar look-alikes reach 0.920 (Q-band) and 0.910 (G-band), so that
0.94 calls none of them a copy; at 160 and 224 pixels 0.916 and 0.901. At 32 pixels the texture is gone
and look-alikes reach 0.965: hence `MIN_SIDE`. Planted copies, 200 a kind, are found this often (Q, G):
moved by half a pixel 90 %, 100 %; 20 % brighter or darker 94 %, 99 %; noise of 4 grey levels 78 %, 99 %;
turned by 2 degrees 88 %, 98 %, by 37 degrees 88 %, 98 %; JPEG of quality 60 86 %, 99 %; gamma 0.8 80 %,
97 %; 80 % of the size 72 %, 94 %; a pixel cut off each side 98 %, 99 %. What is missed was mostly cut out
differently by preprocessing, or too small. Of a metaphase that is twice in the Q-band set (cells 002
and 111, other exposures), 27 of 46 images are found one by one and 30 are mutual nearest neighbours;
no other two cells share more than 6. Both datasets, alone and together, take half a minute of one core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import fft, ndimage

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SIDE = 48
"""Side, in pixels, of the square that every bounding box is scaled to."""
MIN_SIDE = 64
"""Side of the smallest prepared images that carry enough texture."""
NEIGHBOURS = 2
HASH_BITS = 16
SIMILAR = 0.94
SHARED = 1 / 3
SHARED_OF_FEW = 1 / 2
"""The same where there are fewer than `FEW` cells: of 10 to 12 real cells two that are not copies share up to 38 %, of 30 up to 23 %."""
FEW = 30

_CHUNK = 1024
_STEPS = 6
_STRIDE = 2
_RESEMBLING = 0.88
"""Band-passed correlation below which no alignment is tried."""
_TRUST = 0.25
"""Largest affine change that an alignment may make; beyond it the start is kept."""


@dataclass(frozen=True)
class Looks:
    """What is compared of n images.

    Args:
        boxes: bounding boxes scaled to (n, SIDE, SIDE), float32, 0-255.
        smooth: `boxes` smoothed, for alignment.
        coarse: band-passed, normalised rows (4, n, d), one block an orientation.
        hashes: perceptual hashes (4, n) in the four orientations.
    """

    boxes: F32
    smooth: F32
    coarse: F32
    hashes: U64

    def __len__(self) -> int:
        return len(self.boxes)


class Neighbours(NamedTuple):
    """Nearest images between two sets of n and m.

    Args:
        nearest: for each of n, up to `NEIGHBOURS` positions in m, best first; -1: none. (n, k)
        back: for each of m, its nearest position in n; -1: none. (m,)
    """

    nearest: Ints
    back: Ints


class Pair(NamedTuple):
    """Two images that are copies of each other: positions, differing hash bits, texture correlation."""

    first: int
    second: int
    bits: int
    similarity: float


class CellPair(NamedTuple):
    """Two cells that are one metaphase: of the smaller one's `images`, `shared` are mutual nearest neighbours."""

    first: str
    second: str
    shared: int
    images: int


def looks(images: U8) -> Looks:
    """Describe prepared images.

    Args:
        images: uint8 (n, height, width), light on black.
    """
    boxes = np.stack([_box(image) for image in images]) if len(images) else np.zeros((0, SIDE, SIDE), np.float32)
    smooth = ndimage.gaussian_filter(boxes, (0, 1, 1))
    band = smooth - ndimage.gaussian_filter(boxes, (0, 4, 4))
    coarse = np.stack([_rows(turned[_SPARSE]) for turned in _turns(band)])
    hashes = np.stack([perceptual_hash(turned) for turned in _turns(boxes)])
    return Looks(boxes, smooth, coarse, hashes)


def perceptual_hash(images: F32) -> U64:
    """64-bit DCT hash of each image (n, height, width): the 8 x 8 lowest frequencies against their median."""
    low = fft.dctn(images, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(images), 64)
    bits = low > np.median(low[:, 1:], axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def neighbours(first: Looks, second: Looks, apart: Callable[[slice], Mask] | None = None) -> Neighbours:
    """Nearest neighbours by band-passed correlation, the best of four orientations.

    Args:
        first: n images.
        second: m images, possibly the same object.
        apart: for a slice of rows of `first`, which of the m images may be compared, (rows, m).
    """
    n, m, k = len(first), len(second), min(NEIGHBOURS, len(second))
    nearest = np.full((n, k), -1, dtype=np.int64)
    back, back_value = np.full(m, -1, dtype=np.int64), np.full(m, -2.0, dtype=np.float32)
    for start in range(0, n, _CHUNK):
        rows = slice(start, min(start + _CHUNK, n))
        values = first.coarse[0, rows] @ second.coarse[0].T
        for turned in second.coarse[1:]:
            np.maximum(values, first.coarse[0, rows] @ turned.T, out=values)
        if apart is not None:
            values[~apart(rows)] = -2.0
        top = np.argpartition(-values, k - 1, axis=1)[:, :k]
        best = np.take_along_axis(values, top, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        top, best = np.take_along_axis(top, order, axis=1), np.take_along_axis(best, order, axis=1)
        nearest[rows] = np.where(best > -2.0, top, -1)
        winner = values.argmax(axis=0)
        value = values[winner, np.arange(m)]
        better = value > back_value
        back[better], back_value[better] = winner[better] + start, value[better]
    return Neighbours(nearest, back)


def copies(first: Looks, second: Looks, found: Neighbours) -> list[Pair]:
    """Steps 1 and 2: the pairs among `found` that are copies, most similar first.

    Where `first` is `second`, each pair is reported once, the lower position first.
    """
    pairs = {(i, int(j)) for i, row in enumerate(found.nearest) for j in row if j >= 0}
    if first is second:
        pairs = {(min(pair), max(pair)) for pair in pairs}
    result = []
    for i, j in sorted(pairs):
        bits = int(np.bitwise_count(first.hashes[0, i] ^ second.hashes[:, j]).min())
        if bits > HASH_BITS:
            continue
        resemblance = second.coarse[:, j] @ first.coarse[0, i]
        if resemblance.max() < _RESEMBLING:
            continue
        turn = int(resemblance.argmax())
        moved = _align(first.smooth[i], _turns(second.smooth[j])[turn], _turns(second.boxes[j])[turn])
        similarity = texture_correlation(first.boxes[i], moved)
        if similarity >= SIMILAR:
            result.append(Pair(i, j, bits, similarity))
    return sorted(result, key=lambda pair: -pair.similarity)


def copied_cells(first: Sequence[str], second: Sequence[str], found: Neighbours, same: bool) -> list[CellPair]:
    """Step 3: pairs of cells that are one metaphase, most shared first.

    Args:
        first: cell of each of the n images; empty where not known.
        second: cell of each of the m images.
        found: neighbours between the two.
        same: whether both are one dataset, so that each pair of cells is met from both sides.
    """
    sizes_first, sizes_second = Counter(first), Counter(second)
    shared: Counter[tuple[str, str]] = Counter()
    for i, j in enumerate(found.nearest[:, 0] if found.nearest.size else ()):
        if j < 0 or found.back[j] != i or not first[i] or not second[j] or (same and i > j):
            continue
        pair = (first[i], second[j])
        shared[(min(pair), max(pair)) if same else pair] += 1
    least = SHARED if min(len(sizes_first), len(sizes_second)) >= FEW else SHARED_OF_FEW
    result = []
    for (a, b), count in shared.items():
        images = min(sizes_first[a], sizes_second[b])
        if count >= max(4, least * images):
            result.append(CellPair(a, b, count, images))
    return sorted(result, key=lambda pair: (-pair.shared, pair.first, pair.second))


def texture_correlation(first: F32, second: F32) -> float:
    """Correlation of the fine texture well inside both of two aligned boxes (SIDE, SIDE).

    0 where they share too little to tell.
    """
    inside = (first > 0.1 * first.max()) & (second > 0.1 * second.max())
    inside = ndimage.binary_erosion(inside, iterations=2)
    if int(inside.sum()) < 20:
        return 0.0
    a, b = _fine(first)[inside], _fine(second)[inside]
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-6 else 0.0


def _fine(box: F32) -> F32:
    return np.asarray(ndimage.gaussian_filter(box, 1.0) - ndimage.gaussian_filter(box, 2.0), dtype=np.float32)


def _box(image: U8) -> F32:
    canvas = np.zeros((SIDE, SIDE), dtype=np.float32)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    if len(rows) == 0:
        return canvas
    crop = Image.fromarray(np.ascontiguousarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]))
    factor = SIDE / max(crop.size)
    width, height = (max(1, round(side * factor)) for side in crop.size)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    small = crop.resize((width, height), Image.Resampling.BILINEAR)
    canvas[top : top + height, left : left + width] = np.asarray(small)
    return canvas


def _turns(images: F32) -> list[F32]:
    """The four orientations of the last two axes."""
    return [images, images[..., ::-1, :], images[..., ::-1], images[..., ::-1, ::-1]]


def _rows(images: F32) -> F32:
    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), dtype=np.float32)


_GRID = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64) - (SIDE - 1) / 2
_SPARSE = (slice(None), slice(None, None, _STRIDE), slice(None, None, _STRIDE))


def _warp(image: F32, matrix: F64, grid: F64) -> F32:
    """Sample `image` at the points of `grid` (2, n) moved by a (2, 3) affine matrix about the centre; (n,)."""
    points = matrix[:, :2] @ grid + (matrix[:, 2:] + (SIDE - 1) / 2)
    return np.asarray(ndimage.map_coordinates(image, points, order=1, mode="constant"), dtype=np.float32)


def _align(target: F32, smooth: F32, box: F32) -> F32:
    """`box` warped onto `target` by the affine map that fits its smoothed version best.

    Inverse compositional Gauss-Newton on a sparse grid: derivatives are taken once, of the target.
    """
    slope_y, slope_x = (np.gradient(target, axis=axis)[_SPARSE[1:]].ravel() for axis in (0, 1))
    grid = _GRID[_SPARSE].reshape(2, -1)
    y, x = grid
    design = np.stack([slope_y * y, slope_y * x, slope_y, slope_x * y, slope_x * x, slope_x], axis=1)
    solve = np.linalg.pinv(design.T @ design) @ design.T
    wanted = target[_SPARSE[1:]].ravel()
    centre, spread = float(wanted.mean()), float(wanted.std())
    start = np.eye(3)
    matrix = start
    for _ in range(_STEPS):
        seen = _warp(smooth, matrix[:2], grid)
        seen = (seen - seen.mean()) * (spread / max(float(seen.std()), 1e-6)) + centre
        step = np.vstack([(solve @ (seen - wanted)).reshape(2, 3), np.zeros(3)])
        if abs(np.linalg.det(start + step)) < 0.1:
            break
        matrix = matrix @ np.linalg.inv(start + step)
        if np.abs(step).max() < 1e-2:
            break
    change = np.abs(matrix - start)
    if change[:, :2].max() > _TRUST or change[:, 2].max() > _TRUST * SIDE / 2:
        matrix = start
    return _warp(box, matrix[:2], _GRID.reshape(2, -1)).reshape(SIDE, SIDE)
