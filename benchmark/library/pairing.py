"""The gain of predictions at hand over others: of an ensemble, of two submissions, of a threshold of one's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmark.errors import InputError
from benchmark.findings import LEAST_GROUPS, Finding, told
from benchmark.library.gains import Gain, gain_from
from benchmark.library.predictions import Predictions
from benchmark.results import Pair
from benchmark.stats import generator, verdict
from benchmark.stats.bootstrap import gain_interval
from benchmark.stats.design import Design
from benchmark.wording import sentence


def gain_of(
    arm: Sequence[Predictions], baseline: Sequence[Predictions], *, names: tuple[str, str] | None = None
) -> Gain:
    """Test the gain of predictions at hand over others, one a repeat.

    It is the test of `compare`, for one question that was not registered beforehand: p is adjusted for no other
    question that you ask, and the verdict is marked exploratory.

    Args:
        arm: one a repeat, of all the folds that are compared; `dataclasses.replace` makes one with other logits.
        baseline: what it is held against: as many, in the same order, on the same images.
        names: of the arm and of the baseline; default: their protocols, with the submissions where these differ.

    Raises:
        InputError: when the two are not of the same images in the same order, or there are fewer than two trainings
            or two groups.

    Example:
        ```python
        from benchmark import gain_of, predictions

        arms = {
            name: [
                predictions("tf-efficientnet-lite0", name, "cir-g", repeat=k, track="pocket", workspace="leaderboard")
                for k in range(2)
            ]
            for name in ("two-step", "imagenet")
        }
        gain_of(arms["two-step"], arms["imagenet"]).p_alone
        ```
    """
    first = _paired(arm, baseline)
    column, blocks = _columns(first)
    if len(arm) * len(blocks) < 2 or sum(blocks) < LEAST_GROUPS:
        raise InputError(
            "too little to test a gain on", field="trainings, groups", found=(len(arm) * len(blocks), sum(blocks)),
            allowed="2 or more of each",
        )  # fmt: skip
    said = [np.stack([one.predicted for one in side]) for side in (arm, baseline)]
    counts = generator.tallies(generator.Experiment(first.labels, column, said[0], said[1]), sum(blocks))
    tested = verdict.contrast(*counts, Design(len(arm), blocks))
    [decided] = verdict.decide([tested], exploratory=True)
    protocol, over = names or _named(first, baseline[0])
    places = [(repeat, fold) for repeat in range(len(arm)) for fold in range(len(blocks))]
    pair = Pair(protocol, over, places, blocks, (), lambda: counts)
    found = told(Finding(pair, tested, decided, exploratory=True), lambda: gain_interval(*counts))
    found["sentence"] = sentence(first.submission, first.target, protocol, found)
    row = {"submission": first.submission, "version": "", "track": first.track, "target": first.target}
    return gain_from(row, protocol, found)


def _paired(arm: Sequence[Predictions], baseline: Sequence[Predictions]) -> Predictions:
    """The first of the arm, once all are known to be of the same images."""
    if not arm or len(arm) != len(baseline):
        raise InputError(
            "arm and baseline need as many repeats, one at least", field="repeats", found=(len(arm), len(baseline))
        )
    first = arm[0]
    for one in (*arm, *baseline):
        if one.logits.shape != (len(one.names), len(one.classes)):
            allowed = f"{(len(one.names), len(one.classes))}"
            raise InputError("wrong shape", field="logits", found=one.logits.shape, allowed=allowed)
        for field in ("names", "labels", "groups", "folds"):
            if not np.array_equal(getattr(one, field), getattr(first, field)):
                raise InputError(
                    "arm and baseline are not of the same images in the same order", field=field,
                    found=f"{one.submission}, {one.protocol} on {one.target}, repeat {one.repeat}",
                )  # fmt: skip
    return first


def _columns(first: Predictions) -> tuple[npt.NDArray[np.int64], tuple[int, ...]]:
    """Column of each image's group, groups standing in blocks by fold, and how many groups each fold tests."""
    column = np.empty(len(first.names), dtype=np.int64)
    blocks: list[int] = []
    for fold in np.unique(first.folds):
        here = first.folds == fold
        names, group = np.unique(first.groups[here], return_inverse=True)
        column[here] = group + sum(blocks)
        blocks.append(len(names))
    return column, tuple(blocks)


def _named(arm: Predictions, baseline: Predictions) -> tuple[str, str]:
    if arm.submission == baseline.submission:
        return arm.protocol, baseline.protocol
    return f"{arm.protocol} ({arm.submission})", f"{baseline.protocol} ({baseline.submission})"
