"""Pigeonhole bootstrap of macro-F1: trainings and groups are drawn together, each with all it holds.

A cell counts as often as its training was drawn times as often as its group was (Owen, Annals of
Applied Statistics 1:386, 2007). Scores are computed again from the reweighted counts, so that this
check shares no approximation with the jackknife.

*Percentile, not BCa:* the pigeonhole counts the interaction of trainings and groups three times
(McCullagh, Bernoulli 6:285, 2000: no bootstrap of a crossed table is unbiased), an error of scale
that BCa does not touch. The spread is therefore corrected by what the bootstrap itself shows:
drawing trainings alone gives V_T, groups alone V_G, both V_T + V_G + V_rest; the variance of the
mean is V_T + V_G - V_rest = 2 (V_T + V_G) - V_both. Deviations are scaled by its root over that of
V_both, and percentiles are taken.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.stats.design import Design
from benchmark.stats.pseudo import Tally

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

CHUNK = 1 << 16
"""Numbers in one temporary: keeps it inside the processor's cache."""


class Draws(NamedTuple):
    """How often each training and each group was drawn; None stands for once each.

    Args:
        trainings: shape (resamples, repeats, blocks).
        groups: shape (resamples, groups).
    """

    trainings: Floats | None
    groups: Floats | None


def draw(design: Design, resamples: int, seed: int) -> Draws:
    """Draw trainings and groups with replacement; one seed gives every arm the same draws.

    A resample that would leave no image at all is drawn again.
    """
    random = np.random.default_rng(seed)
    kept: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    missing = resamples
    shape = (design.repeats, len(design.blocks))
    while missing:
        trainings = random.multinomial(design.trainings, np.full(design.trainings, 1 / design.trainings), missing)
        groups = random.multinomial(design.groups, np.full(design.groups, 1 / design.groups), missing)
        trainings = trainings.reshape(missing, *shape)
        sizes = np.add.reduceat(groups, design.starts, axis=1)
        good = (trainings * sizes[:, None, :]).sum((1, 2)) > 0
        kept.append((trainings[good], groups[good]))
        missing -= int(good.sum())
    return Draws(*(np.concatenate([part[i] for part in kept]).astype(np.float64) for i in (0, 1)))


def only_trainings(draws: Draws) -> Draws:
    """The same trainings, every group once."""
    return Draws(draws.trainings, None)


def only_groups(draws: Draws) -> Draws:
    """The same groups, every training once."""
    return Draws(None, draws.groups)


def first(draws: Draws, number: int) -> Draws:
    """The first few resamples."""
    return Draws(*(None if part is None else part[:number] for part in draws))


def scores(counts: Tally, design: Design, draws: Draws) -> Floats:
    """Macro-F1 under each resample: the mean over rows, each weighted by the groups it holds.

    Args:
        counts: of one arm, columns in the design's order; every repeat tests the same images.
        design: which training tested which group.
        draws: from `draw`.

    Returns:
        Shape (resamples,).

    Raises:
        ValueError: when the counts are not of the design's shape, repeats differ in their images,
            or nothing is drawn.
    """
    rows, groups, _ = counts.hits.shape
    if (rows, groups) != (design.repeats, design.groups):
        raise ValueError(f"counts of shape {(rows, groups)}, the design is {(design.repeats, design.groups)}")
    if (counts.true != counts.true[:1]).any():
        raise ValueError("repeats hold different images; allowed: every repeat tests the same")
    if draws.trainings is None and draws.groups is None:
        raise ValueError("neither trainings nor groups are drawn; allowed: one of them or both")
    given = draws.trainings if draws.groups is None else draws.groups
    assert given is not None
    # F1 = 2 hits / (claims + true images): whole numbers, so that single precision adds them without error
    table = np.stack([2 * counts.hits, counts.claimed + counts.true], axis=1).transpose(2, 0, 1, 3)
    parts = np.ascontiguousarray(table.reshape(groups, -1), dtype=np.float32)
    true = np.ascontiguousarray(counts.true[0], dtype=np.float32)
    bounds = [*design.starts, groups] if draws.trainings is not None else [0, groups]
    found = np.empty(len(given))
    step = max(1, CHUNK // parts.shape[1])
    for start in range(0, len(found), step):
        part = slice(start, min(start + step, len(found)))
        found[part] = _chunk(parts, true, bounds, draws, part, rows)
    return found


def _chunk(table: Singles, true: Singles, bounds: list[int], draws: Draws, part: slice, rows: int) -> Floats:
    """Scores of some resamples; blocks are the columns between two bounds."""
    resamples, classes = part.stop - part.start, true.shape[1]
    total: Singles | None = None
    for block, (low, high) in enumerate(pairwise(bounds)):
        if draws.groups is None:
            product = np.broadcast_to(table[low:high].sum(0), (resamples, table.shape[1]))
            held, size = np.broadcast_to(true[low:high].sum(0), (resamples, classes)), np.full(resamples, high - low)
        else:
            chosen = draws.groups[part, low:high].astype(np.float32)
            product, held, size = chosen @ table[low:high], chosen @ true[low:high], chosen.sum(1)
        product = product.reshape(resamples, rows, 2, classes)
        times = np.ones((resamples, rows), np.float32)
        if draws.trainings is not None:
            times = draws.trainings[part, :, block].astype(np.float32)
        if len(bounds) == 2:  # how often a training was drawn cancels out of its own F1
            total, present, weight = product, held[:, None, :], times * size[:, None]
            break
        if total is None:
            total = np.zeros(product.shape, np.float32)
            present = np.zeros((resamples, rows, classes), np.float32)
            weight = np.zeros((resamples, rows), np.float32)
        total += product * times[:, :, None, None]
        present = present + held[:, None, :] * times[:, :, None]
        weight = weight + times * size[:, None]
    assert total is not None
    mask = (present > 0).astype(np.float32)
    f1 = total[:, :, 0] / np.maximum(total[:, :, 1], 0.5)  # a count is a whole number: 0.5 stands for none
    by_row = (f1 * mask).sum(2, dtype=np.float64) / np.maximum(mask.sum(2), 1.0)
    return np.asarray((by_row * weight).sum(1) / weight.sum(1, dtype=np.float64))


def corrected(value: float, both: Floats, trainings: Floats, groups: Floats) -> Floats:
    """Resampled values with the pigeonhole's excess spread taken out.

    Args:
        value: the statistic of the data.
        both: its values with trainings and groups drawn, shape (resamples,).
        trainings: with trainings alone drawn.
        groups: with groups alone drawn.

    Returns:
        Shape (resamples,). The variance is never taken below a third of the pigeonhole's, which is
        what is right when all of the variance is interaction.
    """
    whole = float(np.var(both))
    if whole == 0:
        return both
    wanted = 2 * (float(np.var(trainings)) + float(np.var(groups))) - whole
    return np.asarray(value + (both - value) * np.sqrt(max(wanted, whole / 3) / whole))


def two_sided(values: Floats, null: float = 0.0) -> float:
    """Bootstrap p-value: twice the smaller part of the values beyond `null`, never below 2 / (n + 1).

    Raises:
        ValueError: for NaN, which would be beyond nothing.
    """
    if np.isnan(values).any():
        raise ValueError("resampled values hold NaN")
    below = (int((values <= null).sum()) + 1) / (len(values) + 1)
    above = (int((values >= null).sum()) + 1) / (len(values) + 1)
    return min(1.0, 2 * min(below, above))
