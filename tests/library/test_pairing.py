from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import InputError, Predictions, gain, gain_of, predictions

PUBLISHED = Path(__file__).parents[2] / "leaderboard"


def arms(where: Path, submission: str, target: str, repeats: int = 2, **options: Any) -> list[list[Predictions]]:
    return [
        [predictions(submission, name, target, repeat=repeat, workspace=where, **options) for repeat in range(repeats)]
        for name in ("two-step", "imagenet")
    ]


@pytest.mark.parametrize("target", ["bioimlab-q", "cir-g"])
def test_stored_predictions_give_the_figures_of_the_ledger(target: str) -> None:
    found = gain_of(*arms(PUBLISHED, "tf-efficientnet-lite0", target, track="pocket"))
    wanted = gain("tf-efficientnet-lite0", target, track="pocket", workspace=PUBLISHED)
    for field in (
        "value",
        "low",
        "high",
        "p_alone",
        "smallest",
        "repeats_for_point",
        "trainings",
        "groups",
        "over",
        "interval",
    ):
        assert getattr(found, field) == getattr(wanted, field), field
    assert (found.family, found.exploratory, found.p) == (1, True, wanted.p_alone)
    assert found.sentence.startswith("Exploratory: on chromosomes of new people or cells")


def test_too_few_trainings_withhold_the_verdict_as_in_the_ledger(maker: Any) -> None:
    maker.fill(repeats=1, imagenet=0.6, two_step=0.9)
    where = maker.ledger.folder.parent
    found, wanted = gain_of(*arms(where, "net", "tiny", 1)), gain("net", "tiny", workspace=where)
    assert found.verdict == wanted.verdict == "withheld" and found.needs == wanted.needs
    assert (found.value, found.low, found.high, found.interval) == (wanted.value, wanted.low, wanted.high, "groups")


def test_an_ensemble_can_be_held_against_its_members(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.7)
    two_step, imagenet = arms(maker.ledger.folder.parent, "net", "tiny")
    both = [replace(a, logits=a.logits + b.logits * np.float16(0.5)) for a, b in zip(two_step, imagenet, strict=True)]
    found = gain_of(both, imagenet, names=("both", "one"))
    assert (found.protocol, found.over) == ("both", "one") and found.value > 0
    same = gain_of(two_step, two_step)
    assert same.value == 0 and same.verdict != "better" and same.over == same.protocol == "two-step"


def test_two_submissions_are_named(maker: Any) -> None:
    for name, skill in (("net", 0.9), ("other", 0.6)):
        maker.fill(name=name, two_step=skill, imagenet=0.5)
    where = maker.ledger.folder.parent
    found = gain_of(arms(where, "net", "tiny")[0], arms(where, "other", "tiny")[0])
    assert (found.protocol, found.over, found.verdict) == ("two-step (net)", "two-step (other)", "better")


def test_what_is_not_paired_is_refused(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    arm, baseline = arms(maker.ledger.folder.parent, "net", "tiny")
    with pytest.raises(InputError, match=r"as many repeats, one at least; found \(2, 1\)"):
        gain_of(arm, baseline[:1])
    with pytest.raises(InputError, match=r"found \(0, 0\)"):
        gain_of([], [])
    turned = replace(baseline[1], names=baseline[1].names[::-1])
    with pytest.raises(
        InputError,
        match="names: arm and baseline are not of the same images in the same order; found 'net, imagenet on tiny, repeat 1'",
    ):
        gain_of(arm, [baseline[0], turned])
    with pytest.raises(InputError, match=r"logits: wrong shape; found \(600, 23\); allowed: \(600, 24\)"):
        gain_of(arm, [replace(one, logits=one.logits[:, 1:]) for one in baseline])


def test_one_training_or_one_group_is_too_little(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    one_fold = arms(maker.ledger.folder.parent, "net", "tiny", 1, fold=0)
    with pytest.raises(InputError, match=r"too little to test a gain on; found \(1, 5\)"):
        gain_of(*one_fold)
