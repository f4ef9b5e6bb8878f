"""Pulling another ledger: what is taken, skipped, refused, and what stays true of it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark import merge as merging
from benchmark.board.policy.published import Published
from benchmark.board.policy.rules import check
from benchmark.cli.results import app
from benchmark.errors import InputError, IntegrityError
from benchmark.files import canonical
from benchmark.ledger import Ledger
from benchmark.merge import entries, merge
from benchmark.pull import opened
from benchmark.records import record_hash
from tests.board import ledgers


@pytest.fixture
def ours(tmp_path: Path) -> Ledger:
    return ledgers.made(tmp_path / "ours" / "ledger", 0, 1)


@pytest.fixture
def theirs(tmp_path: Path) -> Ledger:
    """Unit 1 as we have it, three more, one of them a failure, a reproduction and a withdrawal."""
    ledger = ledgers.made(tmp_path / "theirs" / "ledger", 1, 2, 3)
    ledgers.add(ledger, "failed", fold=4, failed="nan")
    ledgers.reproduce(ledger, "unit 2", seed=5)
    ledgers.withdraw(ledger)
    return ledger


def said(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what a merge may change."""
    return {k: v for k, v in record.items() if k not in ("hash", "prev", "origin", "original")}


def test_what_we_lack_is_appended_in_order_and_verifies(ours: Ledger, theirs: Ledger) -> None:
    before = ours.path.read_bytes()
    done = merge(ours, theirs, "hf:a/b")
    assert ours.path.read_bytes().startswith(before)
    assert [said(r) for r in done.added] == [said(r) for r in entries(theirs)[1:]] and done.skipped == 1
    assert check(Published(ours)) == []


def test_a_merged_record_says_where_it_comes_from(ours: Ledger, theirs: Ledger) -> None:
    merge(ours, theirs, "hf:a/b")
    taken = {r["origin"]["hash"]: r["origin"]["ledger"] for r in entries(ours) if "origin" in r}
    assert taken == {r["hash"]: "hf:a/b" for r in entries(theirs)[1:]}


def test_a_reproduction_names_its_original_as_it_is_here(ours: Ledger, theirs: Ledger) -> None:
    merge(ours, theirs, "hf:a/b")
    [one] = ours.reproductions()
    unit, elsewhere = ours.by_key()[ledgers.key("unit 2")], theirs.by_key()[ledgers.key("unit 2")]
    assert one["original"] == unit["hash"] != elsewhere["hash"] == one["origin"]["original"]
    assert ours.verify() == []


def test_pulling_twice_changes_nothing(ours: Ledger, theirs: Ledger) -> None:
    merge(ours, theirs, "hf:a/b")
    before = ours.path.read_bytes()
    again = merge(ours, theirs, "another name")
    assert again.added == [] and again.skipped == 6 and ours.path.read_bytes() == before


def test_an_empty_ledger_or_an_older_copy_becomes_the_same_bytes(theirs: Ledger, tmp_path: Path) -> None:
    empty = Ledger(tmp_path / "empty")
    merge(empty, theirs, "hf:a/b")
    assert empty.path.read_bytes() == theirs.path.read_bytes() and empty.verify() == []
    ledgers.add(theirs, "unit 0", fold=0)
    merge(empty, theirs, "hf:a/b")
    assert empty.path.read_bytes() == theirs.path.read_bytes()


def test_a_record_that_comes_back_is_known(ours: Ledger, theirs: Ledger) -> None:
    merge(theirs, ours, "ours")
    done = merge(ours, theirs, "theirs")
    assert done.skipped == 2 and len(done.added) == 5
    third = merge(theirs, ours, "ours")
    assert third.added == [] and third.skipped == 7


def test_the_first_origin_stays(ours: Ledger, theirs: Ledger, tmp_path: Path) -> None:
    merge(ours, theirs, "first")
    last = ledgers.made(tmp_path / "last", 4)
    merge(last, ours, "second")
    names = {said(r)["key"]: r["origin"]["ledger"] for r in last.records()[1:]}
    assert names[ledgers.key("unit 0")] == "second" and names[ledgers.key("unit 2")] == "first"


@pytest.mark.parametrize(
    ("change", "differs"),
    [({"seed": 1}, "other predictions"), ({"failed": "nan"}, "scored here, failed there")],
)
def test_a_conflict_is_named_and_changes_nothing(ours: Ledger, tmp_path: Path, change: Any, differs: str) -> None:
    theirs = ledgers.made(tmp_path / "theirs", 2)
    other = ledgers.add(theirs, "unit 1", fold=1, **change)
    mine = ours.by_key()[ledgers.key("unit 1")]
    before = sorted((p, p.read_bytes()) for p in ours.folder.rglob("*") if p.is_file())
    with pytest.raises(InputError) as error:
        merge(ours, theirs, "hf:a/b")
    text = str(error.value)
    for part in (ledgers.key("unit 1")[:12], differs, mine["hash"][:12], other["hash"][:12], "--keep ours"):
        assert part in text
    assert sorted((p, p.read_bytes()) for p in ours.folder.rglob("*") if p.is_file()) == before


def test_keeping_ours_takes_the_rest(ours: Ledger, tmp_path: Path) -> None:
    theirs = Ledger(tmp_path / "theirs")
    ledgers.add(theirs, "unit 1", fold=1, seed=1)
    lost = ledgers.reproduce(theirs, "unit 1", seed=1)
    ledgers.add(theirs, "unit 2", fold=2)
    mine = ours.by_key()[ledgers.key("unit 1")]
    done = merge(ours, theirs, "hf:a/b", keep="ours")
    assert [r["key"] for r in done.added] == [ledgers.key("unit 2")] and done.left_out == [lost["hash"]]
    assert [c.differs for c in done.conflicts] == ["other predictions"]
    assert ours.by_key()[ledgers.key("unit 1")] == mine and ours.verify() == []


def test_the_same_outcome_elsewhere_is_no_conflict(ours: Ledger, tmp_path: Path) -> None:
    theirs = Ledger(tmp_path / "theirs")
    ledgers.add(theirs, "unit 1", fold=1, seconds=99.0)
    ledgers.reproduce(theirs, "unit 1")
    done = merge(ours, theirs, "hf:a/b")
    assert done.skipped == 1 and len(done.added) == 1 and ours.verify() == []


def test_a_unit_that_failed_first_goes_on(tmp_path: Path) -> None:
    """A failure that both know, and then a score that only they have."""
    first, second = (ledgers.made(tmp_path / name) for name in ("first", "second"))
    for ledger, seconds in ((first, 1.0), (second, 2.0)):
        ledgers.add(ledger, "unit", failed="nan", seconds=seconds)
    ledgers.add(second, "unit")
    done = merge(first, second, "second")
    assert done.skipped == 1 and [r["status"] for r in first.records()] == ["failed", "scored"] and first.verify() == []
    assert merge(second, first, "first").added == []


def test_another_kind_of_failure_is_a_conflict(tmp_path: Path) -> None:
    first, second = (ledgers.made(tmp_path / name) for name in ("first", "second"))
    ledgers.add(first, "unit", failed="nan")
    ledgers.add(second, "unit", failed="time-out")
    with pytest.raises(InputError, match="failed by nan here, by time-out there"):
        merge(first, second, "second")


def test_a_ledger_that_does_not_verify_is_not_taken(ours: Ledger, theirs: Ledger) -> None:
    records = entries(theirs)
    records[1]["scores"]["macro_f1"] = 0.999
    previous = records[0]["hash"]
    for record in records[1:]:
        record["prev"] = previous
        previous = record["hash"] = record_hash(record)
    theirs.path.write_text("".join(canonical(record) + "\n" for record in records))
    before = ours.path.read_bytes()
    with pytest.raises(IntegrityError, match="line 2: scores drifted"):
        merge(ours, theirs, "hf:a/b")
    assert ours.path.read_bytes() == before


@pytest.mark.parametrize("name", ["../../outside", "/outside", ".hidden", "a/b", ""])
def test_a_key_that_leads_outside_writes_nothing(ours: Ledger, tmp_path: Path, name: str) -> None:
    theirs = Ledger(tmp_path / "theirs" / "a" / "b")
    (theirs.folder / "predictions" / "a").mkdir(parents=True)
    ledgers.add(theirs, "unit 1", fold=1)
    stored = theirs.predictions(theirs.records()[0])
    theirs.path.unlink()
    if not name.startswith("/"):
        theirs.put_predictions(name, stored)
    ledgers.add(theirs, "x", fold=2, key=name, failed="nan" if name.startswith("/") else None)
    before = sorted(p for p in tmp_path.rglob("*") if "ours" in p.parts)
    with pytest.raises(IntegrityError):
        merge(ours, theirs, "hf:a/b")
    assert sorted(p for p in tmp_path.rglob("*") if "ours" in p.parts) == before


@pytest.mark.parametrize("after", range(4))
def test_killed_between_two_files_it_changed_nothing_and_the_next_completes(
    ours: Ledger, theirs: Ledger, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    before, real, calls = ours.path.read_bytes(), merging.atomic, iter(range(100))

    def dies(path: Path) -> Any:
        if next(calls) == after:
            raise KeyboardInterrupt
        return real(path)

    monkeypatch.setattr(merging, "atomic", dies)
    with contextlib.suppress(KeyboardInterrupt):
        merge(ours, theirs, "hf:a/b")
        assert after == 3, "there are three files to copy"
    monkeypatch.undo()
    if after < 3:
        assert ours.path.read_bytes() == before and ours.verify() == []
    merge(ours, theirs, "hf:a/b")
    assert len(entries(ours)) == 7 and ours.verify() == []


@pytest.mark.parametrize("share", [0.1, 0.4, 0.6, 0.9])
def test_a_power_cut_while_the_records_are_written_is_mended_by_the_next(
    ours: Ledger, theirs: Ledger, share: float
) -> None:
    before = ours.path.read_bytes()
    merge(ours, theirs, "hf:a/b")
    whole = ours.path.read_bytes()
    ours.path.write_bytes(whole[: len(before) + int(share * (len(whole) - len(before)))])
    merge(ours, theirs, "hf:a/b")
    assert ours.path.read_bytes() == whole and ours.verify() == []


def test_a_ledger_that_grows_meanwhile_is_not_mixed_up(
    ours: Ledger, theirs: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Ledger.extend

    def late(self: Ledger, records: Any, after: str | None = None) -> Any:
        monkeypatch.undo()
        ledgers.add(self, "unit 4", fold=4)
        return real(self, records, after)

    monkeypatch.setattr(Ledger, "extend", late)
    with pytest.raises(InputError, match=r"has grown meanwhile\. Run the same command again"):
        merge(ours, theirs, "hf:a/b")
    assert len(merge(ours, theirs, "hf:a/b").added) == 5 and ours.verify() == []


def test_the_command_pulls_from_a_workspace_and_keeps_its_path_to_itself(ours: Ledger, theirs: Ledger) -> None:
    done = CliRunner().invoke(app, ["pull", str(theirs.folder.parent), "-w", str(ours.folder.parent)])
    assert done.exit_code == 0 and "5 records added, 1 skipped" in done.output, done.output
    assert {r["origin"]["ledger"] for r in entries(ours) if "origin" in r} == {"folder theirs"}
    again = CliRunner().invoke(app, ["pull", str(theirs.folder), "-w", str(ours.folder.parent), "--json"])
    assert json.loads(again.output) == {"added": [], "skipped": 6, "conflicts": [], "left_out": [], "self_run": 0}


def test_the_command_says_what_it_cannot_take(ours: Ledger, tmp_path: Path) -> None:
    workspace = ["-w", str(ours.folder.parent)]
    done = CliRunner().invoke(app, ["pull", str(tmp_path / "nowhere"), *workspace])
    assert isinstance(done.exception, InputError) and "FROM: no ledger" in str(done.exception)
    done = CliRunner().invoke(app, ["pull", str(ours.folder), "--keep", "theirs", *workspace])
    assert "found 'theirs'; allowed: ours" in str(done.exception)


def test_a_folder_s_name_is_the_workspace_s(theirs: Ledger, tmp_path: Path) -> None:
    for path in (theirs.folder, theirs.folder.parent):
        with opened(str(path), tmp_path, lambda done, total: None) as (ledger, name):
            assert name == "folder theirs" and ledger.path.is_file()
