"""What is published: one frozen, verified state of a ledger, whose results only grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.board.publish import Job, board_job, frozen, head, results_job
from benchmark.board.publishing import place
from benchmark.errors import InputError, IntegrityError
from benchmark.insight import kept, outputs
from benchmark.insight.karyotype.compare import compare
from benchmark.ledger import Ledger
from benchmark.merge import merge
from benchmark.results import Results
from tests.board import ledgers


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return ledgers.made(tmp_path / "ours" / "ledger", 0, 1)


def push(ledger: Ledger, folder: Path) -> Job:
    with frozen(ledger) as state:
        job = results_job(state, place(f"dir:{folder}", "results", "TO"))
        job.place.write(job.publication, job.plan)
    return job


def test_what_is_pushed_can_be_pulled_to_the_byte(ledger: Ledger, tmp_path: Path) -> None:
    push(ledger, tmp_path / "there")
    pulled = Ledger(tmp_path / "pulled")
    merge(pulled, Ledger(tmp_path / "there" / "ledger"), "there")
    assert pulled.path.read_bytes() == ledger.path.read_bytes() and pulled.verify() == []
    assert (tmp_path / "there" / "README.md").read_text().startswith("---\nlicense: apache-2.0\n")


def test_a_longer_ledger_goes_on_and_sends_only_what_is_new(ledger: Ledger, tmp_path: Path) -> None:
    push(ledger, tmp_path / "there")
    (tmp_path / "there" / "README.md").write_text("our own words")
    added = ledgers.add(ledger, "unit 2", fold=2)
    job = push(ledger, tmp_path / "there")
    assert set(job.plan.of("added", "changed")) == {
        ".karyobench-results.json", "ledger/records.jsonl", f"ledger/predictions/{added['key']}.npz",
    }  # fmt: skip
    assert (tmp_path / "there" / "README.md").read_text() == "our own words"
    assert push(ledger, tmp_path / "there").plan.changes == ()


def test_reports_are_published_with_the_records_that_they_speak_of(ledger: Ledger, tmp_path: Path) -> None:
    results = Results(ledger)
    [trial] = results.trials
    report = compare(results, trial.track, outputs.trials(results, [trial.submission], trial.track), resamples=9)
    path = tmp_path / "karyotype.json"
    path.write_text(report.model_dump_json())
    [stored] = kept.keep([path], ledger)
    job = push(ledger, tmp_path / "there")
    assert f"ledger/insight/{stored.name}" in job.plan.of("added")
    assert (tmp_path / "there" / "ledger" / "insight" / stored.name).read_bytes() == stored.read_bytes()
    stored.write_text("{}")
    with pytest.raises(IntegrityError, match="rule insight"):
        push(ledger, tmp_path / "there")


def test_a_shorter_or_other_ledger_is_refused_and_the_record_named(ledger: Ledger, tmp_path: Path) -> None:
    push(ledger, tmp_path / "there")
    before = {p: p.read_bytes() for p in (tmp_path / "there").rglob("*") if p.is_file()}
    shorter = ledgers.made(tmp_path / "shorter", 0)
    assert ledger.records()[0]["hash"] == shorter.records()[0]["hash"]
    with pytest.raises(InputError, match=rf"record 2: .*{ledger.records()[1]['hash']}.*allowed: no further record"):
        push(shorter, tmp_path / "there")
    other = ledgers.made(tmp_path / "other", 0, 2, 1)
    with pytest.raises(
        InputError, match=rf"record 2: .*allowed: {other.records()[1]['hash']}.*Pull them into a new workspace"
    ):
        push(other, tmp_path / "there")
    assert {p: p.read_bytes() for p in (tmp_path / "there").rglob("*") if p.is_file()} == before


def test_two_ledgers_that_parted_are_published_through_a_new_workspace(ledger: Ledger, tmp_path: Path) -> None:
    """What the refusal advises."""
    push(ledger, tmp_path / "there")
    other, joined = ledgers.made(tmp_path / "other", 0, 2), Ledger(tmp_path / "joined")
    merge(joined, Ledger(tmp_path / "there" / "ledger"), "there")
    merge(joined, other, "other")
    push(joined, tmp_path / "there")
    assert head(Ledger(tmp_path / "there" / "ledger")) == head(joined) and len(joined.records()) == 3


def test_a_ledger_that_does_not_verify_is_refused(ledger: Ledger) -> None:
    ledger.predictions_path(ledgers.key("unit 1")).write_bytes(b"x")
    with (
        pytest.raises(IntegrityError, match=r"must not be published: .*predictions are not those of the record"),
        frozen(ledger),
    ):
        pass


def test_a_ledger_against_the_policy_is_refused(ledger: Ledger) -> None:
    ledgers.add(ledger, "unit 2", fold=2, submission__pinned=False)
    with (
        pytest.raises(IntegrityError, match=r"record 3 .*rule pinned: must not be published: .*cannot be published"),
        frozen(ledger),
    ):
        pass


def test_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no ledger"), frozen(Ledger(tmp_path)):
        pass


def test_what_a_run_appends_meanwhile_waits_for_the_next_time(ledger: Ledger, tmp_path: Path) -> None:
    before = ledger.path.read_bytes()
    with frozen(ledger) as state:
        ledgers.add(ledger, "unit 2", fold=2)
        assert state.path.read_bytes() == before and state.verify() == []
    ledger.path.write_bytes(before + b'{"half')
    with frozen(ledger) as state:
        assert state.path.read_bytes() == before


def test_a_board_is_published_as_it_was_built(ledger: Ledger, tmp_path: Path) -> None:
    built = ledgers.built(tmp_path / "built")
    (tmp_path / "built" / ".built.json").write_text("the builder's own")
    job = board_job(built, ledger, place(f"dir:{tmp_path / 'site'}", "board", "--to"))
    job.place.write(job.publication, job.plan)
    assert not (tmp_path / "site" / ".built.json").exists()
    for path in (p for p in built.rglob("*") if p.is_file() and p.name != ".built.json"):
        assert (tmp_path / "site" / path.relative_to(built)).read_bytes() == path.read_bytes()
    assert job.publication.message == f"Publish the board of ledger {head(ledger)[:12]}"
