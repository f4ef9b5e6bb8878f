import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data.manifest import CLASSES, Entry, Manifest, build
from benchmark.errors import InfrastructureError, InputError, IntegrityError
from benchmark.ledger import Ledger
from benchmark.records import GENESIS
from benchmark.scoring import score


def manifest() -> Manifest:
    entries = [
        Entry(f"c{cell}-{number:02d}", label, f"c{cell}", "", 4, 4, "0" * 64, cell % 5, -1)
        for cell in range(10)
        for number, label in enumerate(CLASSES)
    ]
    return build(entries, "cell")


def add(ledger: Ledger, key: str, seed: int = 0) -> dict[str, Any]:
    """A whole record with predictions that are right 8 times out of 10."""
    random, found = np.random.default_rng(seed), manifest()
    truth = found.labels[found.part(0, "test")]
    said = np.where(random.random(len(truth)) < 0.8, truth, random.integers(0, 24, len(truth)))
    stored = (np.eye(24)[said] * 5).astype(np.float16)
    ledger.put_manifest(found)
    return ledger.append(
        {
            "key": key,
            "status": "scored",
            "fold": 0,
            "dataset": {"name": "tiny", "manifest": found.digest, "group": "cell"},
            "predictions": {"sha256": ledger.put_predictions(key, stored), "images": len(stored)},
            "scores": score(stored, found, 0),
        }
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger")
    for number in range(3):
        add(made, f"key{number}", number)
    return made


def test_records_are_chained_and_verify(ledger: Ledger) -> None:
    records = ledger.records()
    assert [r["key"] for r in records] == ["key0", "key1", "key2"]
    assert records[0]["prev"] == GENESIS and records[2]["prev"] == records[1]["hash"]
    assert ledger.verify() == []


def test_the_same_unit_twice_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="already in the ledger"):
        add(ledger, "key1")
    assert len(ledger.records()) == 3


def test_scores_are_computed_again_from_predictions(ledger: Ledger) -> None:
    record = ledger.records()[1]
    assert ledger.rescore(record) == record["scores"]


@pytest.mark.parametrize("share", [0.01, 0.2, 0.4, 0.6, 0.8, 0.99])
def test_any_changed_byte_of_the_records_is_found(ledger: Ledger, share: float) -> None:
    data = bytearray(ledger.path.read_bytes())
    data[int(share * len(data))] ^= 1
    ledger.path.write_bytes(bytes(data))
    assert ledger.verify() != []


def test_every_byte_of_the_predictions_counts(ledger: Ledger) -> None:
    path = ledger.predictions_path("key1")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert [(f.line, "not those of the record" in f.problem) for f in ledger.verify()] == [(2, True)]


def test_a_removed_record_breaks_the_chain(ledger: Ledger) -> None:
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[0] + lines[2])
    assert any("chain is broken" in finding.problem for finding in ledger.verify())


def test_a_better_score_with_a_fitting_hash_is_still_found(ledger: Ledger) -> None:
    """Somebody who recomputes the hashes cannot make the predictions fit."""
    from benchmark.files import canonical
    from benchmark.records import record_hash

    record = ledger.records()[2]
    record["scores"]["macro_f1"] = 0.999
    record["hash"] = record_hash(record)
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[0] + lines[1] + canonical(record).encode() + b"\n")
    assert [f.problem for f in ledger.verify()] == ["scores drifted from the predictions: macro_f1"]


def test_missing_predictions_are_named(ledger: Ledger) -> None:
    ledger.predictions_path("key0").unlink()
    with pytest.raises(IntegrityError, match="predictions are missing"):
        ledger.rescore(ledger.records()[0])


def test_a_line_cut_off_by_a_crash_is_dropped_at_the_next_append(ledger: Ledger) -> None:
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + b'{"format":1,"key":"hal')
    assert len(ledger.records()) == 3
    assert "cut off" in ledger.verify()[0].problem
    add(ledger, "key3", 3)
    assert ledger.path.read_bytes().startswith(whole)
    assert ledger.verify() == [] and len(ledger.records()) == 4


def test_another_format_is_refused(ledger: Ledger) -> None:
    with ledger.path.open("a") as file:
        file.write(json.dumps({"format": 99}) + "\n")
    with pytest.raises(IntegrityError, match="unknown record format"):
        ledger.records()


def test_a_full_disk_leaves_the_ledger_as_it_was(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ledger.path.read_bytes()

    def half(handle: int, data: bytes, position: int) -> int:
        written: int = real(handle, data[: len(data) // 2], position)
        return written

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(InfrastructureError, match="disk is full"):
        add(ledger, "key3", 3)
    monkeypatch.undo()
    assert ledger.path.read_bytes() == before and ledger.verify() == []


def _append_many(folder: Path, name: str) -> None:
    for number in range(10):
        add(Ledger(folder), f"{name}{number}", number)


def test_two_harnesses_can_append_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append_many, args=(tmp_path / "ledger", name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.verify() == [] and len(ledger.records()) == 20


def add_reproduction(ledger: Ledger, key: str, seed: int | None = None, **changes: Any) -> dict[str, Any]:
    """A reproduction of a record, with the predictions of `add` for a seed (default: those of the record)."""
    from benchmark import grading

    record = ledger.by_key()[key]
    stored = ledger.predictions(record if seed is None else ledger.records()[seed])
    found = grading.described(grading.compare(ledger, record, stored, []))
    predictions = {"sha256": ledger.put_reproduced(stored), "images": len(stored)}
    whole = {"type": "reproduction", "of": key, "original": record["hash"], "trainings": [], "predictions": predictions}
    return ledger.append({**whole, **found, **changes})


def test_a_reproduction_is_in_the_chain_and_is_no_unit(ledger: Ledger) -> None:
    added = add_reproduction(ledger, "key1")
    assert added["grade"] == "bitwise" and added["prev"] == ledger.records()[2]["hash"]
    assert [r["key"] for r in ledger.records()] == ["key0", "key1", "key2"] == list(ledger.by_key())
    assert ledger.reproductions() == [added]
    add(ledger, "key3", 3)
    add_reproduction(ledger, "key1")
    assert ledger.verify() == [] and len(ledger.records()) == 4 and len(ledger.reproductions()) == 2
    assert (ledger.predictions(added) == ledger.predictions(ledger.by_key()["key1"])).all()


def test_a_unit_with_a_reproduction_is_still_refused_twice(ledger: Ledger) -> None:
    add_reproduction(ledger, "key1")
    with pytest.raises(InputError, match="already in the ledger"):
        add(ledger, "key1")


def test_a_better_grade_is_found(ledger: Ledger) -> None:
    assert add_reproduction(ledger, "key1", seed=2)["grade"] == "failed"
    add_reproduction(ledger, "key1", seed=2, grade="statistical", agreement=1.0)
    assert [(f.line, f.problem) for f in ledger.verify()] == [
        (5, "the grade drifted from the predictions: grade, agreement")
    ]
    assert ledger.verify(rescore=False) == []


@pytest.mark.parametrize("changes", [{"of": "nobody"}, {"original": "0" * 64}, {"trainings": ["nobody"]}])
def test_a_reproduction_of_something_else_is_found(ledger: Ledger, changes: dict[str, Any]) -> None:
    add_reproduction(ledger, "key1", **changes)
    assert ["not before it" in finding.problem for finding in ledger.verify()] == [True]


def test_predictions_of_a_reproduction_count_to_the_byte(ledger: Ledger) -> None:
    added = add_reproduction(ledger, "key1", seed=0)
    path = ledger.folder / "reproductions" / f"{added['predictions']['sha256']}.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert ["not those of the record" in finding.problem for finding in ledger.verify()] == [True]
    path.unlink()
    assert ["predictions are missing" in finding.problem for finding in ledger.verify()] == [True]


def test_a_grade_without_predictions_can_only_be_failed(ledger: Ledger) -> None:
    add_reproduction(ledger, "key1", predictions=None, grade="failed")
    assert ledger.verify() == []
    add_reproduction(ledger, "key1", predictions=None, grade="tolerance")
    assert [(f.line, f.problem) for f in ledger.verify()] == [(5, "a grade without predictions")]


def test_an_unknown_type_of_record_is_refused(ledger: Ledger) -> None:
    ledger.append({"type": "blessing", "of": "key1"})
    with pytest.raises(IntegrityError, match="unknown type of record; found 'blessing'"):
        ledger.records()


def test_many_records_are_written_as_one_by_one_or_none_of_them(ledger: Ledger, tmp_path: Path) -> None:
    records, other = ledger.records(), Ledger(tmp_path / "other")
    assert other.extend(records) == records and other.path.read_bytes() == ledger.path.read_bytes()
    before = ledger.path.read_bytes()
    with pytest.raises(InputError, match="already in the ledger"):
        ledger.extend([{"key": "new", "status": "failed"}, records[1]])
    with pytest.raises(InputError, match="has grown meanwhile"):
        ledger.extend([{"key": "new", "status": "failed"}], after=records[1]["hash"])
    assert ledger.path.read_bytes() == before
    assert (
        ledger.extend([{"key": "new", "status": "failed"}], after=records[2]["hash"])[0]["prev"] == records[2]["hash"]
    )


def test_a_campaign_reads_every_line_once_however_many_it_appends(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading all of it at every append would make a campaign's work grow with its square."""
    ledger.records()
    seen: list[bytes] = []
    monkeypatch.setattr("benchmark.records.parse", lambda text: seen.append(text) or json.loads(text))
    reads: list[int] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(1) or read_bytes(path))
    for number in range(3, 23):
        add(ledger, f"key{number}", number)
    assert [json.loads(line)["key"] for line in seen] == [f"key{number}" for number in range(3, 22)] and reads == []
    other = Ledger(ledger.folder)
    add(other, "theirs")
    seen.clear()
    assert add(ledger, "ours")["prev"] == other.records()[-2]["hash"] and ledger.verify() == []
    with pytest.raises(InputError, match="already in the ledger"):
        add(ledger, "theirs")


@pytest.mark.parametrize("workers", [1, 2])
def test_one_and_several_processes_find_the_same(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr("benchmark.records.LINES", 1)
    whole = ledger.path.read_bytes().splitlines(keepends=True)
    assert ledger.verify(workers=workers) == []
    ledger.path.write_bytes(whole[0].replace(b"key0", b"key9") + whole[2] + b"no json\n" + whole[1][:-9])
    assert [(one.line, one.problem.split(":")[0]) for one in ledger.verify(rescore=False, workers=workers)] == [
        (4, "the last line was cut off (a crash); the next append removes it"),
        (1, "the record was changed"),
        (2, "the chain is broken"),
        (3, "not a record"),
    ]
