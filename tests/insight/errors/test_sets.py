from typing import Any

import numpy as np
import pytest

from benchmark.insight import outputs
from benchmark.insight.errors import confusions, sets
from benchmark.insight.outputs import Outputs
from benchmark.results import Results


def logits(said: np.ndarray) -> np.ndarray:
    return np.eye(24)[said] * 5


def planted(maker: Any, protocols: tuple[str, ...], wrong: Any, repeats: int = 2) -> Outputs:
    """Outputs whose errors are `wrong(protocol, fold, repeat, truth)`, each a mask and the class said instead."""
    for arm in protocols:
        for repeat in range(repeats):
            for fold in range(5):
                truth = maker.manifest.labels[maker.manifest.part(fold, "test")]
                mask, instead = wrong(arm, fold, repeat, truth)
                maker.add(arm, fold, repeat, stored=logits(np.where(mask, instead, truth)))
    results = Results(maker.ledger, "t")
    [trial] = outputs.trials(results, ["net"], "t")
    return outputs.read(results, trial, list(protocols))


ALL = ("scratch", "imagenet", "two-step")


def test_kinds_are_those_that_were_planted(maker: Any) -> None:
    """Everyone misses the 1s, all but two-step the 2s, two-step alone the 3s; imagenet alone the 4s, of the first repeat."""

    def wrong(arm: str, fold: int, repeat: int, truth: np.ndarray) -> Any:
        missed = [0, 2] if arm == "two-step" else [0, 1, 3] if (arm, repeat) == ("imagenet", 0) else [0, 1]
        return np.isin(truth, missed), (truth + 1) % 24

    own = planted(maker, ALL, wrong)
    found = {one.key: sets.members(own, one) for one in sets.kinds(ALL)}
    for key, label in (("all-miss", 0), ("only-two-step-gets", 1), ("only-two-step-loses", 2)):
        assert own.truth[found[key].always].tolist() == [label] * 25
        assert found[key].share.value == pytest.approx(1 / 24) and found[key].chosen.sum() == 50
    assert found["all-miss"].expected == pytest.approx(25), "by class, all of the 1s are missed: no more than chance"
    gain = sets.discordance(own, 0)
    assert gain is not None and (gain.gained, gain.lost) == (37.5, 25.0)
    assert gain.difference.value == pytest.approx(12.5 / 600)


def test_independent_errors_are_as_many_as_expected_and_shared_ones_more(maker: Any) -> None:
    def independent(arm: str, fold: int, repeat: int, truth: np.ndarray) -> Any:
        random = np.random.default_rng([fold, repeat, *arm.encode()])
        return random.random(len(truth)) < 0.3, (truth + 1) % 24

    own = planted(maker, ALL, independent)
    for kind in sets.kinds(ALL):
        found = sets.members(own, kind)
        assert found.ratio is not None and found.ratio.low is not None and found.ratio.high is not None
        assert found.ratio.low < 1 < found.ratio.high and found.ratio.value == pytest.approx(1, abs=0.35)
        assert found.chosen.sum(axis=1).mean() / found.expected == pytest.approx(found.ratio.value, rel=0.05)
    assert own.wrong["scratch"].mean() == pytest.approx(0.3, abs=0.03) == sets.rate(own, "scratch").value


def test_errors_of_the_same_images_are_more_than_chance(maker: Any) -> None:
    def shared(arm: str, fold: int, repeat: int, truth: np.ndarray) -> Any:
        return np.random.default_rng(fold).random(len(truth)) < 0.2, (truth + 1) % 24

    own = planted(maker, ALL, shared)
    found = sets.members(own, sets.kinds(ALL)[0])
    assert found.ratio is not None and found.ratio.low is not None and found.ratio.low > 5
    assert sets.members(own, sets.kinds(ALL)[1]).chosen.sum() == 0


def test_of_two_protocols_and_of_one(maker: Any) -> None:
    assert [one.key for one in sets.kinds(["imagenet", "two-step"])] == [
        "all-miss", "only-two-step-gets", "only-two-step-loses",
    ]  # fmt: skip
    assert [one.key for one in sets.kinds(["two-step"])] == ["all-miss"]
    assert [one.key for one in sets.kinds(["scratch", "imagenet"])] == ["all-miss"]


def test_signs_of_groups_are_flipped_and_not_of_images() -> None:
    even = np.array([1.0, -1.0] * 10)
    assert sets.flipped(even, 0) == 1.0
    assert sets.flipped(np.ones(12), 0) == pytest.approx(2 / 2**12, abs=2e-3)
    one_group = np.array([30.0] + [0.0] * 11)
    assert sets.flipped(one_group, 0) == 1.0, "thirty images of one group are one group"
    assert sets.flipped(np.ones(12), 0) == sets.flipped(np.ones(12), 0)


def test_the_p_value_holds_its_level_where_neither_arm_is_better() -> None:
    random = np.random.default_rng(0)
    found = []
    for number in range(200):
        cells = random.normal(0, 3, 20).round()  # images of a cell go the same way
        found.append(sets.flipped(cells, number))
    assert 0.01 <= np.mean(np.array(found) <= 0.05) <= 0.1


def test_lookalikes_are_counted_against_all_errors_and_their_own_images(maker: Any) -> None:
    def wrong(arm: str, fold: int, repeat: int, truth: np.ndarray) -> Any:
        """21 is taken for 22 by imagenet in every image, by two-step in every other fold; 1 for 2 by both; 14 for 1."""
        missed = np.isin(truth, [0, 13]) | ((truth == 20) & (arm == "imagenet" or fold % 2 == 0))
        return missed, np.where(truth == 20, 21, np.where(truth == 13, 0, 1))

    own = planted(maker, ("imagenet", "two-step"), wrong)
    found = confusions.confusion(own, "imagenet", "21/22")
    assert found.errors == 25 and found.share is not None and found.rate is not None
    assert found.share.value == pytest.approx(1 / 3) and found.rate.value == pytest.approx(0.5)
    assert found.chance == pytest.approx(1 / 3 / 23)
    assert confusions.confusion(own, "imagenet", "13/14/15").errors == 0, "14 for 1 is no confusion of look-alikes"
    change = confusions.change(own, "21/22", "two-step", "imagenet")
    assert change is not None and change.value == pytest.approx(-0.2) and change.high is not None and change.high < 0
    assert confusions.commonest(own, "imagenet", 3) == [("1", "2", 25.0), ("1", "14", 25.0), ("21", "22", 25.0)]


def test_without_an_error_there_is_no_share(maker: Any) -> None:
    own = planted(maker, ("imagenet", "two-step"), lambda arm, fold, repeat, truth: (np.zeros(len(truth), bool), truth))
    found = confusions.confusion(own, "imagenet", "9/11")
    assert found.share is None and found.chance is None and found.rate is not None and found.rate.value == 0
    assert confusions.commonest(own, "imagenet") == []
    assert sets.members(own, sets.kinds(["imagenet", "two-step"])[0]).ratio is None
