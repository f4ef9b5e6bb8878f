"""The secondary columns of a pair: other tests, what they assume, and gains by class; shown beside a verdict, never for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmark.arm import Arm
from benchmark.data.manifest import CLASSES
from benchmark.results import Pair, Results
from benchmark.stats import secondary
from benchmark.stats.design import Design
from benchmark.stats.procedures import TEST_TO_TRAIN, by_training


def columns(results: Results, arms: dict[str, Arm], pair: Pair) -> dict[str, Any]:
    """The secondary columns of a pair, as plain data."""
    found: dict[str, Any] = results.memo.get("secondary", pair.hashes, lambda: _secondary(results, arms, pair))
    return found


def _secondary(results: Results, arms: dict[str, Arm], pair: Pair) -> dict[str, Any]:
    design = Design(pair.repeats, pair.blocks)
    gains = by_training(pair.arm, design) - by_training(pair.against, design)
    found = results.experiment(arms, pair)
    right, against = found.arm[0] == found.truth, found.baseline[0] == found.truth
    images = np.bincount(found.group)
    parts = [np.bincount(found.group, weights=one) / images for one in (right, against)]
    columns: dict[str, Any] = {
        "nadeau_bengio_p": secondary.nadeau_bengio(gains, TEST_TO_TRAIN).p,
        "mcnemar": secondary.mcnemar(right, against)._asdict(),
        "conditional_on": "the first repeat: McNemar and almost stochastic order say nothing of another training",
    }
    if pair.groups >= 4:
        columns["almost_stochastic_order"] = secondary.almost_stochastic_order(*parts)
    columns["by_class"] = [
        {
            "class": CLASSES[one.index],
            "gain": one.gain,
            "low": one.low,
            "high": one.high,
            "p_adjusted": one.p_adjusted,
            "adjustment": "Benjamini-Hochberg",
        }
        for one in secondary.per_class(pair.arm, pair.against, design)
    ]
    return columns
