"""Fréchet distance between domains of features, extrapolated to infinitely many groups.

The distance of two Gaussians (Dowson & Landau 1982; Heusel et al. 2017). Estimated from a sample it is too
large, by an amount that falls with one over the sample's size: Chong & Forsyth (2020) take parts of the sample,
draw a line and read it off at infinite size. Here the parts are of groups and not of images, because the
images of one cell or photograph are alike and more of them do not help.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmark.insight.measure import Measure
from benchmark.insight.resample import Floats, Ints, counted, seeds, shuffled

CHUNK = 128
"""Draws at a time, so that their covariances stay small in memory."""

POINT_DRAWS = 40
"""Shuffles that are averaged where one row of weights is asked for; a resample gets one."""


def distance(mean_a: Floats, cov_a: Floats, mean_b: Floats, cov_b: Floats) -> Floats:
    """Squared Fréchet distance of Gaussians: |a - b|² + tr(A + B - 2 (A B)^½).

    The trace of the root is the sum of the roots of the eigenvalues of R' B R with R R' = A, which needs symmetric
    matrices only and no matrix root.

    Args:
        mean_a: (..., d).
        cov_a: (..., d, d), symmetric and not negative.
        mean_b: as `mean_a`.
        cov_b: as `cov_a`.

    Returns:
        (...,)
    """
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))[..., None, :]
    inner = np.linalg.eigvalsh(np.swapaxes(root, -1, -2) @ cov_b @ root)
    traces = np.trace(cov_a, axis1=-2, axis2=-1) + np.trace(cov_b, axis1=-2, axis2=-1)
    rooted = np.sqrt(np.clip(inner, 0.0, None)).sum(axis=-1)
    return np.asarray(((mean_a - mean_b) ** 2).sum(axis=-1) + traces - 2.0 * rooted, dtype=np.float64)


class Frechet(Measure):
    """Of features that are few enough for their covariance to be known.

    Args:
        features: of each domain, (images, d).
        groups: number of the group of each image, (images,), from 0 without gaps.
        seed: of the shuffles.
    """

    key, title = "frechet", "Fréchet distance"
    meaning = "how far apart the clouds of features lie, in place and in shape"

    def __init__(self, features: Sequence[npt.NDArray[np.floating]], groups: Sequence[Ints], seed: int = 0) -> None:
        self.seed = seed
        self._sums = [_moments(np.asarray(x, dtype=np.float64), g) for x, g in zip(features, groups, strict=True)]

    def _gaussian(self, a: int, weights: Ints) -> tuple[Floats, Floats]:
        number, first, second = self._sums[a]
        size = (weights @ number)[:, None]
        mean = (weights @ first) / size
        width = mean.shape[1]
        square = ((weights @ second.reshape(len(number), -1)) / size).reshape(-1, width, width)
        return mean, square - mean[:, :, None] * mean[:, None, :]

    def plain(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """Not extrapolated; too large for a sample."""
        parts = [
            distance(*self._gaussian(a, wa[i : i + CHUNK]), *self._gaussian(b, wb[i : i + CHUNK]))
            for i in range(0, len(wa), CHUNK)
        ]
        return np.concatenate(parts)

    def between(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """Extrapolated; below nothing by chance where the domains are one."""
        shuffles = POINT_DRAWS if len(wa) == 1 else 1
        many = [np.repeat(weights, shuffles, axis=0) for weights in (wa, wb)]
        orders = [
            shuffled(w, seeds(self.seed, f"{side} {a} {b}")) for w, side in zip(many, ("first", "second"), strict=True)
        ]
        sizes, found = [1.0], [np.repeat(self.plain(a, b, wa, wb), shuffles)]
        for chosen in _parts(orders):
            inverse = [order.shape[1] / part.shape[1] for order, part in zip(orders, chosen, strict=True)]
            kept = [counted(part, w.shape[1]) for part, w in zip(chosen, many, strict=True)]
            sizes.append(float(np.mean(inverse)))
            found.append(self.plain(a, b, kept[0], kept[1]))
        line = extrapolate(np.array(sizes), np.stack(found))
        return np.asarray(line.reshape(len(wa), shuffles).mean(axis=1), dtype=np.float64)


def _parts(orders: Sequence[Ints]) -> list[list[Ints]]:
    """Parts of what was drawn, for both sides alike: two halves that share no group, two thirds, five sixths."""

    def cut(low: float, high: float) -> list[Ints]:
        return [order[:, round(low * order.shape[1]) : round(high * order.shape[1])] for order in orders]

    return [cut(0, 1 / 2), cut(1 / 2, 1), cut(0, 2 / 3), cut(1 / 6, 1)]


def extrapolate(inverse: Floats, values: Floats) -> Floats:
    """Where the least-squares line through values over inverse sizes meets inverse size nothing.

    Args:
        inverse: whole sample's size over each part's, (parts,), not all equal.
        values: (parts, draws).

    Returns:
        (draws,)
    """
    centred = inverse - inverse.mean()
    slopes = (centred @ values) / (centred @ centred)
    return np.asarray(values.mean(axis=0) - slopes * inverse.mean(), dtype=np.float64)


def _moments(features: Floats, groups: Ints) -> tuple[Floats, Floats, Floats]:
    """Number, sum and sum of outer products of each group's features."""
    count, width = int(groups.max()) + 1, features.shape[1]
    number = np.bincount(groups, minlength=count).astype(np.float64)
    first, second = np.zeros((count, width)), np.zeros((count, width, width))
    for group in range(count):
        own = features[groups == group]
        first[group], second[group] = own.sum(axis=0), own.T @ own
    return number, first, second
