"""From what was computed of a unit to its entry in the report: sanity, faithfulness, the gate."""

from __future__ import annotations

from typing import Literal

import numpy as np

from benchmark.insight.attention import contrast
from benchmark.insight.attention.contrast import Found, Sample
from benchmark.insight.attention.sanity import SAME, rank_correlation, structural_similarity
from benchmark.insight.attention.schema import Faith, Faithfulness, Mean, Sanity, Step, Unit
from benchmark.insight.attention.unit import CASCADE, Looked, correlations
from benchmark.insight.resample import Floats, Ints

RULE = (
    "with all weights shuffled, the rank correlation of a protocol's maps with those of the trained network must stay "
    f"below {SAME}: the upper end of the 95 % interval of its mean over images; with too few groups for an interval, the mean"
)


def finite(value: float) -> float | None:
    """The number, or None for what is none."""
    return float(value) if np.isfinite(value) else None


def span(found: Found) -> dict[str, float | None]:
    """Value and interval for the report."""
    return {"value": found.value, "low": finite(found.low), "high": finite(found.high)}


def _of(looked: Looked, rows: Ints) -> Sample:
    """The rows of one unit as a sample of one training."""
    return Sample(looked.trained.groups[rows], np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64))


def sanity(looked: Looked) -> Sanity:
    """How much of the maps is left when what was learned is gone."""
    own = correlations(looked)
    mean = contrast.mean(own, _of(looked, looked.rows))
    highest = mean.high if np.isfinite(mean.high) else mean.value
    size = looked.trained.images.shape[1]
    some = looked.maps[np.searchsorted(looked.rows, looked.sample)]
    steps = [
        Step(
            part=part, rank=float(rank_correlation(some, changed).mean()),
            ssim=float(structural_similarity(some, changed, size).mean()),
        )
        for part, changed in zip(CASCADE, looked.cascade, strict=True)
    ]  # fmt: skip
    return Sanity(
        rank=Mean(**span(mean)), ssim=steps[-1].ssim, failed=int((own > SAME).sum()), passed=bool(highest < SAME),
        cascade=tuple(steps),
    )  # fmt: skip


def faith(found: Found) -> Faith:
    """Whether maps are better than random ones."""
    if not (np.isfinite(found.low) and np.isfinite(found.high)) or found.low <= 0 <= found.high:
        return "not decided"
    return "holds" if found.low > 0 else "does not hold"


def faithfulness(looked: Looked) -> tuple[Faithfulness, ...]:
    """Deletion and insertion against random maps."""
    gains, rows = looked.curves.gains(), _of(looked, looked.sample)
    kinds: tuple[tuple[Literal["deletion", "insertion"], Floats, Floats], ...] = (
        ("deletion", looked.curves.deletion, looked.curves.random_deletion),
        ("insertion", looked.curves.insertion, looked.curves.random_insertion),
    )
    found = []
    for number, (kind, curve, random) in enumerate(kinds):
        mean = contrast.mean(gains[:, number], rows)
        found.append(
            Faithfulness(
                kind=kind, verdict=faith(mean), curve=tuple(curve.mean(axis=0).tolist()),
                random=tuple(random.mean(axis=0).tolist()), **span(mean),
            )
        )  # fmt: skip
    return tuple(found)


def unit(looked: Looked, repeats_itself: float) -> Unit:
    """A unit's entry.

    Args:
        looked: of the unit.
        repeats_itself: part of the recorded predictions that the loaded network gives again.
    """
    one = looked.trained
    return Unit(
        protocol=one.place.protocol, fold=one.place.fold, repeat=one.place.repeat, key=one.key,
        checkpoint=one.record["checkpoint"], macro_f1=one.record["scores"]["macro_f1"], repeats_itself=repeats_itself,
        layer=looked.layer.name, cells=looked.layer.side, images=len(looked.rows),
        empty=int((looked.maps.max(axis=(1, 2)) <= 0).sum()), sanity=sanity(looked), faithfulness=faithfulness(looked),
    )  # fmt: skip
