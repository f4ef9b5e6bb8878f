"""Loops that training on a processor lacks, in plain Python; `benchmark.training.kernels` compiles them.

PyTorch goes over a batch of maps more often than it need: a batch norm five times forward and back, the ReLU behind it three times
more, and oneDNN has no fast form of a depthwise convolution's gradient for its weights, nor of one with a stride. Each loop here goes
once over images that are channels last, with the channels innermost, so that the compiler handles eight or more of them at a time.

Sums are taken in blocks: within one in single precision, over blocks in double. Nothing is fused or reordered that IEEE 754
does not allow (no `fastmath`), and every channel is summed by itself: results are the same on every run, and do not depend on how
wide the processor's vectors are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Single = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]

BLOCK = 64
"""Rows that are summed in single precision."""

PLACES = 256
"""Likewise of a convolution, or one image."""

AHEAD = 1024
"""How many numbers ahead memory is asked for: a processor does so by itself within a page alone (Intel's optimization manual)."""


def fetch(rows: Single, row: int) -> None:
    """Ask for a row, of (n, channels), that is read or written soon; it is not waited for, and there may be no such row."""


def norm_sums(rows: Single, near: Single, total: Double, squares: Double, scratch: Single) -> None:
    """Add what mean and variance of every channel are made of.

    Args:
        rows: (images × places, channels), or some of them.
        near: a value a channel, (channels,): squares of differences from any one value lose less than squares.
        total: differences from `near` are added to it, (channels,).
        squares: likewise their squares.
        scratch: any (2, channels).
    """
    count, channels = rows.shape
    some, some_squares, ahead = scratch[0], scratch[1], AHEAD // channels
    for first in range(0, count, BLOCK):
        for c in range(channels):
            some[c] = some_squares[c] = 0
        for row in range(first, min(first + BLOCK, count)):
            fetch(rows, row + ahead)
            for c in range(channels):
                away = rows[row, c] - near[c]
                some[c] += away
                some_squares[c] += away * away
        for c in range(channels):
            total[c] += some[c]
            squares[c] += some_squares[c]


def norm_moments(
    near: Single,
    total: Double,
    squares: Double,
    count: int,
    weight: Single,
    bias: Single,
    epsilon: float,
    moments: Double,
    affine: Single,
) -> None:
    """From sums to mean and variance of every channel, and to scale and shift.

    Args:
        near: as of `norm_sums`, like the two that follow.
        total: likewise.
        squares: likewise.
        count: rows that were summed.
        weight: of the norm, (channels,).
        bias: likewise.
        epsilon: added to the variance.
        moments: gets mean and variance, with n below, (2, channels).
        affine: gets scale, shift, and the mean in single precision, (3, channels).
    """
    for c in range(len(near)):
        off = total[c] / count
        mean, variance = near[c] + off, squares[c] / count - off * off
        variance = 0.0 if variance < 0 else variance
        scale = weight[c] / np.sqrt(variance + epsilon)
        moments[0, c], moments[1, c] = mean, variance
        affine[0, c], affine[1, c], affine[2, c] = scale, bias[c] - mean * scale, mean


def norm_apply(rows: Single, affine: Single, low: float, high: float, out: Single) -> None:
    """Scale and shift every channel, and clamp.

    Args:
        rows: (images × places, channels).
        affine: scale and shift, (2, channels).
        low: what is less becomes this; minus infinity for nothing.
        high: likewise what is more, or infinity.
        out: gets the answer; like `rows`.
    """
    count, channels = rows.shape
    scales, shifts, ahead = affine[0], affine[1], AHEAD // channels
    for row in range(count):
        fetch(rows, row + ahead)
        fetch(out, row + ahead)
        for c in range(channels):
            answer = rows[row, c] * scales[c] + shifts[c]
            answer = low if answer < low else answer
            out[row, c] = high if answer > high else answer


def norm_backward_sums(
    rows: Single, above: Single, affine: Single, low: float, high: float, sums: Double, scratch: Single
) -> None:
    """Add what the gradients of a batch norm, whose answer was clamped, are made of: where it was, none flows back.

    Args:
        rows: that were normalised, (images × places, channels), or some of them.
        above: gradient of the clamped answer; like `rows`.
        affine: scale and shift that the answer was made with, and the mean of the rows, (3, channels).
        low: what the answer was clamped to; minus infinity if it was not.
        high: likewise, or infinity.
        sums: gradients are added, and gradients × (rows − means), (2, channels).
        scratch: any (2, channels).
    """
    count, channels = rows.shape
    scales, shifts, means = affine[0], affine[1], affine[2]
    some, some_along, total, along = scratch[0], scratch[1], sums[0], sums[1]
    nothing, ahead = np.float32(0), AHEAD // channels
    for first in range(0, count, BLOCK):
        for c in range(channels):
            some[c] = some_along[c] = 0
        for row in range(first, min(first + BLOCK, count)):
            fetch(rows, row + ahead)
            fetch(above, row + ahead)
            for c in range(channels):
                value, flow = rows[row, c], above[row, c]
                answer = value * scales[c] + shifts[c]
                flow = nothing if (answer <= low) | (answer >= high) else flow
                some[c] += flow
                some_along[c] += flow * (value - means[c])
        for c in range(channels):
            total[c] += some[c]
            along[c] += some_along[c]


def norm_slopes(sums: Double, variance: Double, epsilon: float, count: int, affine: Single, slopes: Single) -> None:
    """What the gradients of a batch norm are made of, from their sums.

    Args:
        sums: as of `norm_backward_sums`.
        variance: of every channel, (channels,).
        epsilon: was added to it.
        count: rows that were summed.
        affine: as of `norm_backward_sums`.
        slopes: gets the gradients of weight and bias, what is taken off every gradient of a channel, and what for every unit
            that its value is above the mean, (4, channels).
    """
    for c in range(len(variance)):
        inverse = 1.0 / np.sqrt(variance[c] + epsilon)
        each = affine[0, c] / np.float32(count)
        slopes[0, c], slopes[1, c] = sums[1, c] * inverse, sums[0, c]
        slopes[2, c], slopes[3, c] = each * sums[0, c], each * (sums[1, c] * (inverse * inverse))


def norm_backward_apply(
    rows: Single, above: Single, affine: Single, low: float, high: float, slopes: Single, out: Single
) -> None:
    """Gradient of the rows of a batch norm.

    Args:
        rows: as of `norm_backward_sums`, like the four that follow.
        above: likewise.
        affine: likewise.
        low: likewise.
        high: likewise.
        slopes: of `norm_slopes`.
        out: gets the gradient; like `rows`.
    """
    count, channels = rows.shape
    scales, shifts, means, shared, along = affine[0], affine[1], affine[2], slopes[2], slopes[3]
    nothing, ahead = np.float32(0), AHEAD // channels
    for row in range(count):
        fetch(rows, row + ahead)
        fetch(above, row + ahead)
        fetch(out, row + ahead)
        for c in range(channels):
            value, flow = rows[row, c], above[row, c]
            answer = value * scales[c] + shifts[c]
            flow = nothing if (answer <= low) | (answer >= high) else flow
            out[row, c] = flow * scales[c] - shared[c] - along[c] * (value - means[c])


def depthwise(images: Single, taps: Single, down: int, across: int, top: int, left: int, out: Single) -> None:
    """A depthwise convolution.

    Args:
        images: (n, height, width, channels).
        taps: its weights, (height of the kernel, its width, channels).
        down: its stride from row to row.
        across: from column to column.
        top: padding above the images; below and to the right as much as the answer needs.
        left: likewise.
        out: gets the answer, (n, height of the answer, its width, channels).
    """
    count, high, wide, channels = images.shape
    for image in range(count):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                place = out[image, row, column]
                for c in range(channels):
                    place[c] = 0
                for i in range(taps.shape[0]):
                    y = row * down + i - top
                    if y < 0 or y >= high:
                        continue
                    for j in range(taps.shape[1]):
                        x = column * across + j - left
                        if x < 0 or x >= wide:
                            continue
                        seen, tap = images[image, y, x], taps[i, j]
                        for c in range(channels):
                            place[c] += seen[c] * tap[c]


def depthwise_images(above: Single, taps: Single, down: int, across: int, top: int, left: int, out: Single) -> None:
    """Gradient of what a depthwise convolution took.

    Args:
        above: gradient of its answer, (n, height of the answer, its width, channels).
        taps: as of `depthwise`, like the four that follow.
        down: likewise.
        across: likewise.
        top: likewise.
        left: likewise.
        out: gets the gradient of the images, (n, height, width, channels).
    """
    answers, columns, channels = above.shape[1], above.shape[2], above.shape[3]
    for image in range(len(above)):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                place = out[image, y, x]
                for c in range(channels):
                    place[c] = 0
                for i in range((y + top) % down, taps.shape[0], down):
                    row = (y + top - i) // down
                    if row < 0 or row >= answers:
                        continue
                    for j in range((x + left) % across, taps.shape[1], across):
                        column = (x + left - j) // across
                        if column < 0 or column >= columns:
                            continue
                        flow, tap = above[image, row, column], taps[i, j]
                        for c in range(channels):
                            place[c] += flow[c] * tap[c]


def depthwise_weights(
    images: Single, above: Single, down: int, across: int, top: int, left: int, some: Single, found: Double
) -> None:
    """Gradient of the weights of a depthwise convolution.

    Args:
        images: its input, (n, height, width, channels).
        above: gradient of its answer, (n, height of the answer, its width, channels).
        down: its stride from row to row.
        across: from column to column.
        top: padding above the images.
        left: likewise.
        some: any, like `found`.
        found: the gradient is added to it, (height of the kernel, its width, channels).
    """
    count, high, wide, channels = images.shape
    answers, columns = above.shape[1], above.shape[2]
    together = max(1, PLACES // (answers * columns))
    for first in range(0, count, together):
        some[:] = 0
        for image in range(first, min(first + together, count)):
            for row in range(answers):
                for i in range(found.shape[0]):
                    y = row * down + i - top
                    if y < 0 or y >= high:
                        continue
                    for j in range(found.shape[1]):  # one row of each stays in the innermost cache meanwhile
                        tap = some[i, j]
                        for column in range(columns):
                            x = column * across + j - left
                            if x < 0 or x >= wide:
                                continue
                            seen, flow = images[image, y, x], above[image, row, column]
                            for c in range(channels):
                                tap[c] += seen[c] * flow[c]
        for i in range(found.shape[0]):
            for j in range(found.shape[1]):
                tap, whole = some[i, j], found[i, j]
                for c in range(channels):
                    whole[c] += tap[c]
