"""What all processors compute beforehand is what is computed one by one, and no more work than it takes."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import conditional, findings, packing
from benchmark.board import ahead, figures
from benchmark.errors import IntegrityError
from benchmark.ledger import Ledger
from benchmark.memo import Gathered, Memo
from benchmark.results import Results
from benchmark.stats import bootstrap, pigeonhole


@pytest.fixture(autouse=True)
def _in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "TRIALS", 1)
    monkeypatch.setattr(ahead, "RECORDS", 1)


@pytest.fixture
def ledger(maker: Any) -> Ledger:
    """Designs that are resampled and one that is tested, one arm that lacks a fold, and a failed training."""
    maker.fill(name="tested", imagenet=0.6, two_step=0.8, scratch=0.3)
    maker.fill(name="short", repeats=1, imagenet=0.6, two_step=0.7, imagenet_long=0.65)
    for name in ("a", "b", "c"):
        for arm in ("imagenet", "two-step"):
            maker.add(arm, 0, name=name, skill=0.7)
    maker.add("two-step", 1, name="a")
    maker.add("two-step", 0, name="d", failed=True)
    return maker.ledger


def computed(ledger: Ledger, workers: int) -> tuple[dict[str, Any], dict[str, list[int]]]:
    memo = Gathered()
    memo.put = lambda found: memo.figures.update({key: json.loads(text) for key, text in found})
    memo.has = lambda key: key in memo.figures
    results = Results(ledger, memo=memo)
    with ahead.reading(results, workers):
        pass
    return memo.figures, {key: one.tolist() for key, one in results.said.items()}


def one_by_one(ledger: Ledger) -> dict[str, Any]:
    """Every figure, each by the function that defines it."""
    memo = Gathered()
    results = Results(ledger, memo=memo)
    drawn: dict[findings.Shape, pigeonhole.Draws] = {}
    for arms in results.trials.values():
        for arm in arms.values():
            if places := arm.full:
                results.score(arm)
                figures.classes(results, arm, places)
        for pair in findings.pairs(results, arms):
            contrast = findings.contrast(results, pair, drawn)
            if contrast:
                conditional.columns(results, arms, pair)
            if not contrast or contrast.needs:
                findings.shown(results, pair)
    return {key: json.loads(text) for key, text in memo.texts()}


@pytest.mark.parametrize("workers", [1, 2])
def test_figures_are_those_of_one_by_one_to_the_bit(ledger: Ledger, workers: int) -> None:
    found, said = computed(ledger, workers)
    expected = one_by_one(ledger)
    assert len(expected) > 20
    assert {key: repr(found[key]) for key in expected} == {key: repr(value) for key, value in expected.items()}
    assert said == {
        r["key"]: ledger.predictions(r).argmax(1).tolist() for r in ledger.records() if r["status"] == "scored"
    }


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize(("change", "problem"), [("alter", "are not those of the record"), ("remove", "are missing")])
def test_predictions_that_were_changed_are_found(
    ledger: Ledger, tmp_path: Path, workers: int, remembered: bool, change: str, problem: str
) -> None:
    path = ledger.predictions_path(ledger.records()[-5]["key"])
    with Memo(tmp_path / "memo") as memo:
        if remembered:
            with ahead.reading(Results(ledger, memo=memo), workers):
                pass
        if change == "remove":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(IntegrityError, match=problem) as caught, ahead.reading(Results(ledger, memo=memo), workers):
            pass
    assert caught.value.file == path


def test_predictions_of_no_page_are_checked_as_well(ledger: Ledger, maker: Any) -> None:
    maker.add("imagenet-stranger", 0, name="a")
    path = ledger.predictions_path(ledger.records()[-1]["key"])
    path.write_bytes(b"altered")
    with pytest.raises(IntegrityError, match="are not those of the record"):
        computed(ledger, 1)


def test_every_file_is_read_once_and_no_resample_is_drawn_twice(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard of what the work is, since seconds are not the same everywhere."""
    read: Counter[str] = Counter()
    rows: list[int] = []
    real, resampled, unpack = Path.read_bytes, bootstrap.resampled, packing.unpack
    unpacked: list[int] = []

    def counted(path: Path) -> bytes:
        read[path.name] += 1
        return real(path)

    def drawn(counts: Any, draws: bootstrap.Draws) -> np.ndarray:
        rows.append(len(counts.hits))
        return resampled(counts, draws)

    monkeypatch.setattr(Path, "read_bytes", counted)
    monkeypatch.setattr(bootstrap, "resampled", drawn)
    monkeypatch.setattr("benchmark.ledger.unpack", lambda data: unpacked.append(len(data)) or unpack(data))
    monkeypatch.setattr(ahead, "TRIALS", 100)
    bootstrap._draws.cache_clear()
    results = Results(ledger, memo=Memo.passing())
    with ahead.reading(results, 1):
        pass
    scored = [record for record in ledger.records() if record["status"] == "scored"]
    files = Counter({f"{record['key']}.npz": 1 for record in scored})
    assert {name: count for name, count in read.items() if name.endswith(".npz")} == files
    assert len(unpacked) == len(scored)
    # three designs are resampled (5 folds; one fold; two folds): every arm once, and none again for its gain
    assert len(rows) == 3 and sum(rows) == 3 + 6 + 1
    assert bootstrap._draws.cache_info().misses == len({10, 2, 4})
    read.clear()
    with ahead.reading(Results(ledger, memo=results.memo), 1):
        pass
    assert {name: count for name, count in read.items() if name.endswith(".npz")} == files, (
        "hashed again, whatever is remembered"
    )
    assert len(unpacked) == len(scored) and len(rows) == 3, "and nothing else"


def test_a_new_training_computes_its_own_trial_again_and_no_other(ledger: Ledger, maker: Any, tmp_path: Path) -> None:
    with Memo(tmp_path / "memo") as memo:
        with ahead.reading(Results(ledger, memo=memo), 1):
            pass
        maker.add("scratch", 0, name="b")
        results = Results(ledger, memo=memo)
        with ahead.reading(results, 1):
            pass
        assert {key.split("-")[0] for key in results.said} == {"b"}
