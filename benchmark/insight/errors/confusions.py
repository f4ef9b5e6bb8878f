"""Confusions between chromosomes that look alike, as named groups, and the commonest pairs."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.insight import estimate
from benchmark.insight.estimate import Counts, Found
from benchmark.insight.outputs import Outputs

LOOKALIKES: dict[str, tuple[str, ...]] = {
    "8/X": ("8", "X"), "21/22": ("21", "22"), "13/14/15": ("13", "14", "15"), "9/11": ("9", "11"),
}  # fmt: skip
"""Chromosomes of like length and like place of the centromere that people confuse too."""

Bools = npt.NDArray[np.bool_]


class Confusion(NamedTuple):
    """Errors within one group of look-alikes by one protocol.

    Attributes:
        errors: images a repeat.
        share: of all errors; None where a repeat holds no error.
        chance: that share if every error of a chromosome fell evenly on the 23 other classes.
        rate: of the images of the group's classes.
    """

    errors: float
    share: Found | None
    chance: float | None
    rate: Found | None


def _inside(group: str, own: Outputs) -> Bools:
    return np.isin(own.truth, [CLASSES.index(one) for one in LOOKALIKES[group]])


def _counts(own: Outputs, protocol: str, group: str) -> Counts:
    """Errors within the group, among its images."""
    member = [CLASSES.index(one) for one in LOOKALIKES[group]]
    inside = _inside(group, own)
    within = own.wrong[protocol] & inside & np.isin(own.said[protocol], member)
    under = np.broadcast_to(inside, within.shape)
    return Counts(estimate.by_group(within, own.column, own.groups), estimate.by_group(under, own.column, own.groups))


def confusion(own: Outputs, protocol: str, group: str) -> Confusion:
    """One group of look-alikes."""
    counts = _counts(own, protocol, group)
    errors = estimate.by_group(own.wrong[protocol], own.column, own.groups)
    total = float(own.wrong[protocol].sum())
    even = (own.wrong[protocol] & _inside(group, own)).sum() * (len(LOOKALIKES[group]) - 1) / (len(CLASSES) - 1)
    return Confusion(
        float(counts.over.sum(axis=1).mean()), estimate.ratio(Counts(counts.over, errors), own.blocks),
        float(even) / total if total else None, estimate.ratio(counts, own.blocks),
    )  # fmt: skip


def change(own: Outputs, group: str, first: str, second: str) -> Found | None:
    """Rate of such errors under the first protocol minus that under the second."""
    return estimate.ratios([(1, _counts(own, first, group)), (-1, _counts(own, second, group))], own.blocks)


def commonest(own: Outputs, protocol: str, number: int = 10) -> list[tuple[str, str, float]]:
    """The commonest pairs of classes that are taken for each other, and how often a repeat."""
    pairs: Counter[tuple[int, int]] = Counter()
    for wrong, said in zip(own.wrong[protocol], own.said[protocol], strict=True):
        pairs.update(
            (min(a, b), max(a, b)) for a, b in zip(own.truth[wrong].tolist(), said[wrong].tolist(), strict=True)
        )
    ordered = sorted(pairs.items(), key=lambda one: (-one[1], one[0]))[:number]
    return [(CLASSES[a], CLASSES[b], count / own.repeats) for (a, b), count in ordered]
