from typing import Any

import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.findings import summary
from benchmark.results import Results
from benchmark.stats.metrics import confusion, macro_f1


def test_macro_f1_pools_the_folds_of_a_repeat_and_averages_repeats(maker: Any) -> None:
    for repeat in (0, 1):
        for fold in range(5):
            maker.add("imagenet", fold, repeat, skill=0.7 + 0.1 * repeat)
    [row] = summary(Results(maker.ledger), "imagenet")
    expected = []
    for repeat in (0, 1):
        truth, said = (np.concatenate([maker.said["imagenet", fold, repeat][i] for fold in range(5)]) for i in (0, 1))
        expected.append(macro_f1(confusion(truth, said, 24)))
    entry = row["protocols"]["imagenet"]
    assert entry["macro_f1"]["value"] == pytest.approx(np.mean(expected))
    assert entry["trainings"] == 10 and "gain" not in entry


def test_gain_is_paired_over_what_both_arms_have(maker: Any) -> None:
    for fold in range(5):
        maker.add("imagenet", fold, skill=0.6)
    for fold in range(3):
        maker.add("two-step", fold, skill=0.95)
    [row] = summary(Results(maker.ledger), "imagenet")
    gain = row["protocols"]["two-step"]["gain"]
    assert (gain["trainings"], gain["groups"]) == (3, 15)
    assert gain["low"] < gain["value"] < gain["high"] and gain["low"] > 0


def test_an_incomplete_repeat_is_left_out(maker: Any) -> None:
    for fold in range(5):
        maker.add("imagenet", fold, 0)
    maker.add("imagenet", 0, 1, skill=0.0)
    [row] = summary(Results(maker.ledger), "imagenet")
    assert row["protocols"]["imagenet"]["trainings"] == 5 and row["protocols"]["imagenet"]["macro_f1"]["value"] > 0.6


def test_failures_are_shown_and_not_scored(maker: Any) -> None:
    maker.add("imagenet", 0)
    maker.add("two-step", 0, failed=True)
    [row] = summary(Results(maker.ledger), "imagenet")
    assert row["protocols"]["two-step"] == {"failed": ["nan"]}


@pytest.mark.parametrize("change", [
    {"track": {"name": "t", "digest": "other", "simulated": False}},
    {"submission": {"name": "net", "model": "changed", "code": None, "pinned": True}},
])  # fmt: skip
def test_other_versions_of_track_or_submission_never_mix(maker: Any, change: dict[str, Any]) -> None:
    maker.add("imagenet", 0)
    maker.add("two-step", 0, **change)
    rows = summary(Results(maker.ledger), "imagenet")
    if "track" in change:
        assert [row["track"] for row in rows] == ["t-d", "t-other"], "versions must be told apart by name"
    assert len(rows) == 2 and all("gain" not in entry for row in rows for entry in row["protocols"].values())


def test_filters(maker: Any) -> None:
    maker.add("imagenet", 0, name="a")
    maker.add("imagenet", 0, name="b")
    maker.add("source-shuffled", 0, name="a")
    assert [row["submission"] for row in summary(Results(maker.ledger, submissions=["b"]), "imagenet")] == ["b"]
    assert summary(Results(maker.ledger, track="other"), "imagenet") == []
    [row] = summary(Results(maker.ledger, submissions=["a"]), "imagenet")
    assert list(row["protocols"]) == ["imagenet"], "the first stage of a control is no protocol"


def test_repeats_with_different_folds_are_an_error(maker: Any) -> None:
    maker.add("imagenet", 0, 0)
    maker.add("imagenet", 1, 1)
    results = Results(maker.ledger)
    [arms] = results.trials.values()
    with pytest.raises(InputError, match="different folds"):
        results.matrices([arms["imagenet"]], [(0, 0), (1, 1)])
