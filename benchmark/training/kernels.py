"""Loops that training on a processor lacks, compiled by Numba when `loops` is first asked for them.

PyTorch goes over a batch of maps more often than it need: a batch norm five times forward and back, the ReLU behind it three times
more, and oneDNN has no fast form of a depthwise convolution's gradient for its weights. Each loop here goes once over images that
are channels last, with the channels innermost, so that the compiler handles eight or more of them at a time.

Sums are taken in blocks: within one in single precision, over blocks in double. Nothing is fused or reordered that IEEE 754
does not allow (no `fastmath`), and every channel is summed by itself: results are the same on every run, and do not depend on how
wide the processor's vectors are. To compile takes some seconds; what comes out is kept beside the sources, or in
`NUMBA_CACHE_DIR`. An image brings its own (`READY`), for the processor that it was built on. Where sources cannot be written and
nothing was brought, or for another processor, it is compiled again in every process: a container's scratch space is its unit's.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Single = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]

READY = "KARYOBENCH_LOOPS"
"""Variable that names a folder which Numba filled when the image was built."""

BLOCK = 64
"""Rows that are summed in single precision."""

PLACES = 256
"""Likewise of a convolution, or one image."""


def norm_forward(
    rows: Single,
    weight: Single,
    bias: Single,
    epsilon: float,
    moments: Double,
    affine: Single,
    scratch: Single,
    out: Single,
) -> None:
    """Batch norm in training (Ioffe & Szegedy 2015): normalise every channel by its own mean and variance.

    Args:
        rows: (images × places, channels).
        weight: (channels,).
        bias: likewise.
        epsilon: added to the variance.
        moments: gets mean and variance (with n, not n - 1, below), (2, channels).
        affine: gets scale and shift, of which `out` is made, (2, channels).
        scratch: any (3, channels).
        out: gets rows × scale + shift; like `rows`.
    """
    count, channels = rows.shape
    total, squares, some, some_squares, near = moments[0], moments[1], scratch[0], scratch[1], scratch[2]
    for c in range(channels):
        total[c] = squares[c] = 0
        near[c] = rows[0, c]  # squares of differences from any one value lose less than squares
    for first in range(0, count, BLOCK):
        for c in range(channels):
            some[c] = some_squares[c] = 0
        for row in range(first, min(first + BLOCK, count)):
            for c in range(channels):
                away = rows[row, c] - near[c]
                some[c] += away
                some_squares[c] += away * away
        for c in range(channels):
            total[c] += some[c]
            squares[c] += some_squares[c]
    for c in range(channels):
        off = total[c] / count
        mean, variance = near[c] + off, max(squares[c] / count - off * off, 0.0)
        scale = weight[c] / math.sqrt(variance + epsilon)
        moments[0, c], moments[1, c] = mean, variance
        affine[0, c], affine[1, c] = scale, bias[c] - mean * scale
    scales, shifts = affine[0], affine[1]
    for row in range(count):
        for c in range(channels):
            out[row, c] = rows[row, c] * scales[c] + shifts[c]


def norm_backward(
    rows: Single,
    above: Single,
    epsilon: float,
    moments: Double,
    affine: Single,
    low: float,
    high: float,
    sums: Double,
    scratch: Single,
    of_rows: Single,
    of_weight: Single,
    of_bias: Single,
) -> None:
    """Gradients of a batch norm whose answer was clamped afterwards: where it was, none flows back.

    Args:
        rows: as of `norm_forward`.
        above: gradient of the clamped answer; like `rows`.
        epsilon: as of `norm_forward`.
        moments: that it gave.
        affine: likewise.
        low: what the answer was clamped to; minus infinity if it was not.
        high: likewise, or infinity.
        sums: any (2, channels).
        scratch: any (3, channels).
        of_rows: gets the gradient of the rows.
        of_weight: likewise, (channels,).
        of_bias: likewise.
    """
    count, channels = rows.shape
    scales, shifts, means, some, some_along = affine[0], affine[1], scratch[0], scratch[1], scratch[2]
    total, along = sums[0], sums[1]
    nothing = np.float32(0)
    for c in range(channels):
        means[c] = moments[0, c]
        total[c] = along[c] = 0
    for first in range(0, count, BLOCK):
        for c in range(channels):
            some[c] = some_along[c] = 0
        for row in range(first, min(first + BLOCK, count)):
            for c in range(channels):
                value, flow = rows[row, c], above[row, c]
                answer = value * scales[c] + shifts[c]
                flow = nothing if (answer <= low) | (answer >= high) else flow
                some[c] += flow
                some_along[c] += flow * (value - means[c])
        for c in range(channels):
            total[c] += some[c]
            along[c] += some_along[c]
    shared, slopes = some, some_along
    for c in range(channels):
        inverse = 1.0 / math.sqrt(moments[1, c] + epsilon)
        of_bias[c] = total[c]
        of_weight[c] = along[c] * inverse
        shared[c] = scales[c] * total[c] / count
        slopes[c] = scales[c] * along[c] * inverse * inverse / count
    for row in range(count):
        for c in range(channels):
            value, flow = rows[row, c], above[row, c]
            answer = value * scales[c] + shifts[c]
            flow = nothing if (answer <= low) | (answer >= high) else flow
            of_rows[row, c] = flow * scales[c] - shared[c] - slopes[c] * (value - means[c])


def depthwise_weights(
    images: Single, above: Single, down: int, across: int, top: int, left: int, some: Single, found: Double
) -> None:
    """Gradient of the weights of a depthwise convolution.

    Args:
        images: its input, (n, height, width, channels).
        above: gradient of its answer, (n, height of the answer, its width, channels).
        down: its stride from row to row.
        across: from column to column.
        top: padding above the images; as much below.
        left: likewise.
        some: any, like `found`.
        found: the gradient is added to it, (height of the kernel, its width, channels).
    """
    count, high, wide, channels = images.shape
    answers, columns = above.shape[1], above.shape[2]
    together = max(1, PLACES // (answers * columns))
    for first in range(0, count, together):
        for i in range(found.shape[0]):
            for j in range(found.shape[1]):
                tap, whole = some[i, j], found[i, j]
                for c in range(channels):
                    tap[c] = 0
                for image in range(first, min(first + together, count)):
                    for row in range(answers):
                        y = row * down + i - top
                        if y < 0 or y >= high:
                            continue
                        for column in range(columns):
                            x = column * across + j - left
                            if x < 0 or x >= wide:
                                continue
                            seen, flow = images[image, y, x], above[image, row, column]
                            for c in range(channels):
                                tap[c] += seen[c] * flow[c]
                for c in range(channels):
                    whole[c] += tap[c]


SIGNATURES: dict[Callable[..., None], str] = {
    norm_forward: "void(f4[:,::1], f4[::1], f4[::1], f8, f8[:,::1], f4[:,::1], f4[:,::1], f4[:,::1])",
    norm_backward: "void(f4[:,::1], f4[:,::1], f8, f8[:,::1], f4[:,::1], f4, f4, f8[:,::1], f4[:,::1], f4[:,::1], f4[::1], f4[::1])",
    depthwise_weights: "void(f4[:,:,:,::1], f4[:,:,:,::1], i8, i8, i8, i8, f4[:,:,::1], f8[:,:,::1])",
}


class Loops(NamedTuple):
    """The loops of this module, compiled."""

    norm_forward: Callable[..., None]
    norm_backward: Callable[..., None]
    depthwise_weights: Callable[..., None]


@contextmanager
def caching() -> Iterator[bool]:
    """Say whether Numba is to keep what it compiles, or to look for it.

    Numba reads from folders alone that it can write, so what an image brings is copied to where there is room for a moment.

    Raises:
        OSError: when there is none.
    """
    brought = os.environ.get(READY, "")
    if not os.path.isdir(brought):
        yield bool(os.environ.get("NUMBA_CACHE_DIR")) or os.access(Path(__file__).parent, os.W_OK)
        return
    import numba

    config: Any = numba.config
    before = config.CACHE_DIR
    with TemporaryDirectory(prefix="karyobench-") as copy:
        shutil.copytree(brought, copy, dirs_exist_ok=True)
        config.CACHE_DIR = copy
        try:
            yield True
        finally:
            config.CACHE_DIR = before


def compiled(loop: Callable[..., None], signature: str, kept: bool) -> Callable[..., None]:
    """A loop, for arguments of these types alone.

    Args:
        loop: of plain Python.
        signature: as Numba writes it.
        kept: whether it is read from where Numba keeps it, or written there.
    """
    from numba import njit  # half a second that only training on a processor needs

    found: Callable[..., None] = njit(signature, cache=kept)(loop)
    return found


@cache
def loops() -> Loops:
    """All of them; the first call of a process compiles them, or reads what was compiled before.

    Raises:
        ImportError: when Numba does not fit this Python or this NumPy.
        OSError: when what an image brings cannot be copied.
    """
    with caching() as kept:
        return Loops(*(compiled(loop, signature, kept) for loop, signature in SIGNATURES.items()))
