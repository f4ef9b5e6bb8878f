"""Kernel distance (KID) between domains of features: the unbiased squared maximum mean discrepancy.

The kernel is the cubic polynomial (x·y / d + 1)³ (Bińkowski et al. 2018). The unbiased estimate leaves out each
image's pairing with itself; here each group's pairing with itself, since two images of one cell or
photograph are no independent pair either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmark.insight.measure import Measure
from benchmark.insight.resample import Floats, Ints

BLOCK = 1024
"""Rows of the kernel at a time."""


class Kernel(Measure):
    """Of features of any width.

    Args:
        features: of each domain, (images, d).
        groups: number of the group of each image, (images,), from 0 without gaps.
    """

    key, title = "kid", "kernel distance (KID)"
    meaning = "how well a smooth function of the features can tell the two apart"

    def __init__(self, features: Sequence[npt.NDArray[np.floating]], groups: Sequence[Ints]) -> None:
        orders = [np.argsort(g, kind="stable") for g in groups]
        self._features = [np.ascontiguousarray(x[o], dtype=np.float32) for x, o in zip(features, orders, strict=True)]
        self._sizes = [np.bincount(g) for g in groups]
        self._sums: dict[tuple[int, int], Floats] = {}

    def sums(self, a: int, b: int) -> Floats:
        """Sum of the kernel over the images of each group of `a` with each of `b`: (groups, groups)."""
        if (b, a) in self._sums:
            return self._sums[b, a].T
        if (a, b) not in self._sums:
            starts = [np.concatenate([[0], np.cumsum(self._sizes[one])[:-1]]) for one in (a, b)]
            x, y = self._features[a], self._features[b]
            rows = [np.add.reduceat(kernel(x[i : i + BLOCK], y), starts[1], axis=1) for i in range(0, len(x), BLOCK)]
            self._sums[a, b] = np.add.reduceat(np.concatenate(rows), starts[0], axis=0)
        return self._sums[a, b]

    def between(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """Unbiased; below nothing by chance where the domains are one.

        A group that is drawn more than once is not paired with its copies either, so that resamples scatter
        about the estimate itself (Hušková & Janssen 1993).
        """
        return self._own(a, wa) + self._own(b, wb) - 2.0 * self._cross(a, b, wa, wb)

    def _own(self, a: int, weights: Ints) -> Floats:
        sums, sizes = self.sums(a, a), self._sizes[a]
        total, pairs = _form(weights, sums, weights), (weights @ sizes).astype(np.float64) ** 2
        square = weights.astype(np.float64) ** 2
        return np.asarray((total - square @ np.diag(sums)) / (pairs - square @ sizes**2), dtype=np.float64)

    def _cross(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        pairs = (wa @ self._sizes[a]).astype(np.float64) * (wb @ self._sizes[b])
        return _form(wa, self.sums(a, b), wb) / pairs


def kernel(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Floats:
    """(x·y / d + 1)³ of every row of `x` with every row of `y`: (n, d) and (m, d) give (n, m)."""
    inner = np.asarray(x @ y.T, dtype=np.float64) / x.shape[1]
    return np.asarray((inner + 1.0) ** 3, dtype=np.float64)


def _form(left: Ints, middle: Floats, right: Ints) -> Floats:
    return np.asarray(((left @ middle) * right).sum(axis=1), dtype=np.float64)
