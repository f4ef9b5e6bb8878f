from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data.manifest import CLASSES, Entry, Manifest, build
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.results import Results, summary
from benchmark.scoring import score
from benchmark.stats.metrics import confusion, macro_f1


def manifest() -> Manifest:
    entries = [
        Entry(f"c{cell:02d}-{number:02d}", label, f"c{cell:02d}", "", 4, 4, "0" * 64, cell % 5, -1)
        for cell in range(25)
        for number, label in enumerate(CLASSES)
    ]
    return build(entries, "cell")


class Maker:
    """Writes records of made-up classifiers with a given skill."""

    def __init__(self, folder: Path) -> None:
        self.ledger, self.manifest, self.said = Ledger(folder), manifest(), {}

    def add(
        self,
        arm: str,
        fold: int,
        repeat: int = 0,
        skill: float = 0.8,
        name: str = "net",
        failed: bool = False,
        **changes: Any,
    ) -> None:
        found = self.manifest
        truth = found.labels[found.part(fold, "test")]
        random = np.random.default_rng([len(arm), fold, repeat, len(name)])
        said = np.where(random.random(len(truth)) < skill, truth, random.integers(0, 24, len(truth)))
        key = f"{name}-{arm}-{fold}-{repeat}-{len(self.said)}"
        self.said[arm, fold, repeat] = (truth, said)
        stored = (np.eye(24)[said] * 5).astype(np.float16)
        self.ledger.put_manifest(found)
        record = {
            "key": key, "arm": arm, "fold": fold, "repeat": repeat, "status": "failed" if failed else "scored",
            "submission": {"name": name, "model": "m", "code": None, "pinned": True},
            "track": {"name": "t", "digest": "d", "simulated": False},
            "dataset": {"name": "tiny", "manifest": found.digest, "group": "cell"},
            "predictions": {"sha256": self.ledger.put_predictions(key, stored), "images": len(stored)},
            "scores": score(stored, found, fold), "failure": {"kind": "nan", "message": "x"} if failed else None,
        }  # fmt: skip
        self.ledger.append({**record, **changes})


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "ledger")


def test_macro_f1_pools_the_folds_of_a_repeat_and_averages_repeats(maker: Maker) -> None:
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


def test_gain_is_paired_over_what_both_arms_have(maker: Maker) -> None:
    for fold in range(5):
        maker.add("imagenet", fold, skill=0.6)
    for fold in range(3):
        maker.add("two-step", fold, skill=0.95)
    [row] = summary(Results(maker.ledger), "imagenet")
    gain = row["protocols"]["two-step"]["gain"]
    assert (gain["trainings"], gain["groups"]) == (3, 15)
    assert gain["low"] < gain["value"] < gain["high"] and gain["low"] > 0


def test_an_incomplete_repeat_is_left_out(maker: Maker) -> None:
    for fold in range(5):
        maker.add("imagenet", fold, 0)
    maker.add("imagenet", 0, 1, skill=0.0)
    [row] = summary(Results(maker.ledger), "imagenet")
    assert row["protocols"]["imagenet"]["trainings"] == 5 and row["protocols"]["imagenet"]["macro_f1"]["value"] > 0.6


def test_failures_are_shown_and_not_scored(maker: Maker) -> None:
    maker.add("imagenet", 0)
    maker.add("two-step", 0, failed=True)
    [row] = summary(Results(maker.ledger), "imagenet")
    assert row["protocols"]["two-step"] == {"failed": ["nan"]}


@pytest.mark.parametrize("change", [
    {"track": {"name": "t", "digest": "other", "simulated": False}},
    {"submission": {"name": "net", "model": "changed", "code": None, "pinned": True}},
])  # fmt: skip
def test_other_versions_of_track_or_submission_never_mix(maker: Maker, change: dict[str, Any]) -> None:
    maker.add("imagenet", 0)
    maker.add("two-step", 0, **change)
    rows = summary(Results(maker.ledger), "imagenet")
    if "track" in change:
        assert [row["track"] for row in rows] == ["t-d", "t-other"], "versions must be told apart by name"
    assert len(rows) == 2 and all("gain" not in entry for row in rows for entry in row["protocols"].values())


def test_filters(maker: Maker) -> None:
    maker.add("imagenet", 0, name="a")
    maker.add("imagenet", 0, name="b")
    maker.add("source-shuffled", 0, name="a")
    assert [row["submission"] for row in summary(Results(maker.ledger, submissions=["b"]), "imagenet")] == ["b"]
    assert summary(Results(maker.ledger, track="other"), "imagenet") == []
    [row] = summary(Results(maker.ledger, submissions=["a"]), "imagenet")
    assert list(row["protocols"]) == ["imagenet"], "the first stage of a control is no protocol"


def test_repeats_with_different_folds_are_an_error(maker: Maker) -> None:
    maker.add("imagenet", 0, 0)
    maker.add("imagenet", 1, 1)
    results = Results(maker.ledger)
    [arms] = results.trials.values()
    with pytest.raises(InputError, match="different folds"):
        results.matrices(arms["imagenet"], [(0, 0), (1, 1)])
