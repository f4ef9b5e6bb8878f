"""Whether a map shows the network or only the picture: the same map under shuffled weights (Adebayo et al., NeurIPS 2018).

A map that hardly changes when all that was learned is gone says nothing of what was learned; an edge detector makes such
maps. The rule: a map *fails* when the rank correlation of its cells with those under shuffled weights, mean over the draws,
is above 0.5, that is when a quarter or more of the ranks' variance is the picture's alone. The maps of a unit fail, and none
of its numbers is evidence, when the 95 % interval of the mean correlation reaches 0.5. Adebayo et al. give no threshold; the
first networks looked at lay at 0.0, far from this one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmark.insight.attention.faithful import enlarged
from benchmark.insight.resample import Floats

Floats32 = npt.NDArray[np.float32]

SAME = 0.5
"""Rank correlation above which a map is the same as without what was learned."""


def rank_correlation(first: Floats32, second: Floats32) -> Floats:
    """Spearman correlation of the cells of pairs of maps, (n, side, side) each gives (n,).

    Two maps without any difference between cells are the same, 1. One of them alone without has nothing in common with the
    other, 0: it no longer says anything.
    """
    from scipy import stats

    a, b = (one.reshape(len(one), -1) for one in (first, second))
    flat = np.stack([np.ptp(one, axis=1) == 0 for one in (a, b)])
    ranked = [stats.rankdata(one, axis=1) for one in (a, b)]
    centred = [one - one.mean(axis=1, keepdims=True) for one in ranked]
    spread = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    found = (centred[0] * centred[1]).sum(1) / np.where(spread > 0, spread, 1.0)
    return np.where(flat.all(axis=0), 1.0, np.where(flat.any(axis=0), 0.0, found))


def structural_similarity(first: Floats32, second: Floats32, size: int) -> Floats:
    """SSIM (Wang et al. 2004) of pairs of maps at the size of the image, each with its largest value 1, (n,)."""
    from skimage.metrics import structural_similarity as ssim

    compare: Callable[..., float] = ssim

    def scaled(grids: Floats32) -> Floats32:
        large = enlarged(grids, size)
        return np.asarray(large / np.maximum(large.max(axis=(1, 2), keepdims=True), 1e-30), dtype=np.float32)

    return np.array([compare(a, b, data_range=1.0) for a, b in zip(scaled(first), scaled(second), strict=True)])
