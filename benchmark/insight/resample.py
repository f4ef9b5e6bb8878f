"""Resampling groups: weights of a bootstrap, halves of a domain, and an interval that allows for bias.

The groups (a person, a cell, a photograph) are what was sampled; the images of one are alike. Weights are
whole numbers, how often each group was drawn, in arrays of shape (draws, groups).
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from benchmark.stats.bootstrap import Interval

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_GROUPS = 4
"""Below this many groups of a domain, resampling them says nothing."""

LEVEL = 0.95


def seeds(seed: int, name: str) -> np.random.Generator:
    """A generator that depends on a seed and a name and on nothing else, such as the order of the domains."""
    return np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:8]])


def bootstrap(groups: int, resamples: int, random: np.random.Generator) -> Ints:
    """How often each group is drawn, with replacement, in each resample: (resamples, groups), rows sum to groups.

    A resample of one group alone, which can come up with very few groups, is drawn again: it holds no pair of
    groups, without which there is no unbiased estimate.
    """
    drawn = random.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples).astype(np.int64)
    while len(alone := np.flatnonzero((drawn > 0).sum(axis=1) < 2)):
        drawn[alone] = random.multinomial(groups, np.full(groups, 1.0 / groups), size=len(alone))
    return drawn


def halves(groups: int, count: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Random choices of half of the groups: (count, groups), rows sum to groups // 2."""
    first = np.tile(np.arange(groups) < groups // 2, (count, 1))
    return random.permuted(first, axis=1)


def shuffled(weights: Ints, random: np.random.Generator) -> Ints:
    """What was drawn, in random order: the first m of a row are a sample of it without replacement.

    Args:
        weights: (draws, groups), all rows of one sum.
        random: decides the order.

    Returns:
        Numbers of groups, (draws, drawn).

    Raises:
        ValueError: when the rows have different sums.
    """
    totals = weights.sum(axis=1)
    if len(set(totals.tolist())) != 1:
        raise ValueError("every draw must hold as many groups")
    draws, groups = weights.shape
    dealt = np.repeat(np.tile(np.arange(groups), draws), weights.ravel()).reshape(draws, int(totals[0]))
    return random.permuted(dealt, axis=1)


def counted(order: Ints, groups: int) -> Ints:
    """Weights of numbers of groups: (draws, drawn) gives (draws, groups)."""
    rows = np.arange(len(order))[:, None] * groups
    return np.bincount((rows + order).ravel(), minlength=len(order) * groups).reshape(len(order), groups)


def interval(estimate: float, plain: float, resampled: Floats) -> Interval:
    """The basic bootstrap interval of an estimator that is corrected for bias.

    A resample is a sample of the data at hand, whose true value is the plain one. So the spread of
    (resampled - plain) stands for that of (estimate - truth); a percentile interval would count the bias of
    the plain value once more.

    Args:
        estimate: the corrected estimate.
        plain: the uncorrected value of the data at hand.
        resampled: corrected estimates of the resamples, (resamples,).
    """
    low, high = np.quantile(resampled - plain, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(estimate, float(estimate - high), float(estimate - low))
