"""Which versions of the harness are comparable, and that incomparable records never meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

import benchmark
from benchmark import versions
from benchmark.board import collect
from benchmark.board.reading import Reading
from benchmark.cli.ledger import app
from benchmark.errors import InputError
from benchmark.findings import summary
from benchmark.overview import ranks
from benchmark.provenance import harness
from benchmark.results import Results
from benchmark.versions import Table, era, missing, one_era, sentence, sentences


def entry(version: str, keys: int = 1, pixels: int = 2, *same: str) -> dict[str, Any]:
    return {
        "version": version,
        "keys": keys,
        "pixels": pixels,
        "changed": f"What {version} changed.",
        "comparable_with": same,
    }


def declared(*entries: dict[str, Any]) -> Table:
    return Table.model_validate({"versions": entries})


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A harness of version 0.3.0 that computes other results than 0.1.0 and 0.2.0, which are comparable."""
    table = declared(entry("0.1.0"), entry("0.2.0", 1, 2, "0.1.0"), entry("0.3.0", 2))
    monkeypatch.setattr(versions, "table", lambda: table)
    monkeypatch.setattr(benchmark, "__version__", "0.3.0")
    monkeypatch.setattr(versions, "KEY_VERSION", 2)


def test_the_table_holds_the_version_that_runs() -> None:
    assert missing() is None, "raise the version of the package and add it to benchmark/versions.yaml: docs/versions.md"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KEY_VERSION", 2, "version 0.1.0 has keys 1, pixels 2 in the table, and keys 2, pixels 2 in the code"),
        ("VERSION", 3, "version 0.1.0 has keys 1, pixels 2 in the table, and keys 1, pixels 3 in the code"),
    ],
)
def test_a_number_that_was_raised_without_an_entry_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, value: int, said: str
) -> None:
    monkeypatch.setattr(versions, name, value)
    assert said in str(missing())


def test_a_version_without_an_entry_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "__version__", "9.0.0")
    assert missing() == "no entry for version 9.0.0 (keys 1, pixels 2)"


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([entry("0.2.0"), entry("0.1.0")], "0.1.0 must come before"),
        ([entry("0.1.0"), entry("0.1.0")], "0.1.0 must come before"),
        ([entry("0.1.0", 1, 2, "0.0.9")], "which is no earlier version"),
        ([entry("0.1.0"), entry("0.2.0", 2, 2, "0.1.0")], r"0.2.0 \(keys 2, pixels 2\) cannot be comparable with 0.1.0 \(keys 1, pixels 2\)"),
        ([entry("0.1.0"), entry("0.2.0", 1, 2, "0.1.0"), entry("0.3.0", 1, 2, "0.1.0")], "must be comparable with all of 0.1.0, 0.2.0"),
        ([], "at least 1 item"),
    ],
)  # fmt: skip
def test_a_table_that_contradicts_itself_is_refused(entries: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        declared(*entries)


def test_records_say_the_numbers_that_decide_results() -> None:
    assert harness() | {"code": ""} == {"version": benchmark.__version__, "keys": "1", "pixels": "2", "code": ""}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({}, "0.1.0"),
        ({"version": "0.1.0"}, "0.1.0"),
        ({"version": "0.2.0", "keys": "1", "pixels": "2"}, "0.1.0"),
        ({"version": "0.3.0"}, "0.3.0"),
        ({"version": "0.2.0", "keys": "2", "pixels": "2"}, "0.2.0-k2-p2"),
        ({"version": "7.0.0"}, "7.0.0"),
        ({"version": "../<x>"}, "..--x-"),
    ],
)
def test_an_era_is_called_by_its_oldest_version(later: None, said: dict[str, str], name: str) -> None:
    assert era({"harness": said}) == name


def test_a_sentence_says_whether_and_why(later: None) -> None:
    assert sentence({"version": "0.3.0"}) == "made by harness 0.3.0 (keys 2, pixels 2), which is this one"
    assert sentence({"version": "0.2.0"}).startswith(
        "made by harness 0.2.0 (keys 1, pixels 2), not comparable with this one, 0.3.0 (keys 2, pixels 2): What 0.3.0 changed"
    )
    assert "the table of versions does not hold: comparable with nothing else" in sentence({"version": "7.0.0"})
    found = sentences([{"harness": {"version": "0.1.0"}}] * 2 + [{"harness": {"version": "0.3.0"}}])
    assert (
        found[0].startswith("2 records made by harness 0.1.0") and "What 0.2.0 changed. What 0.3.0 changed" in found[0]
    )
    assert found[1] == "1 record made by harness 0.3.0 (keys 2, pixels 2), which is this one."


def test_a_comparable_version_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "table", lambda: declared(entry("0.1.0"), entry("0.2.0", 1, 2, "0.1.0")))
    monkeypatch.setattr(benchmark, "__version__", "0.2.0")
    assert sentence({"version": "0.1.0"}) == "made by harness 0.1.0 (keys 1, pixels 2), comparable with this one, 0.2.0"


def test_records_of_two_eras_are_refused_in_one_figure(later: None) -> None:
    one, other = {"harness": {"version": "0.2.0"}}, {"harness": {"version": "0.3.0"}}
    assert one_era([one, {"harness": {"version": "0.1.0"}}], "x") == "0.1.0"
    with pytest.raises(
        InputError, match=r"^two-step: records of harness versions that are not comparable .* found '0.1.0, 0.3.0'"
    ):
        one_era([one, other], "two-step")


@pytest.fixture
def two_eras(maker: Any, later: None) -> Any:
    """The same submission and places by two harnesses that are not comparable, the later one better."""
    for number, skill in (("0.2.0", 0.6), ("0.3.0", 0.9)):
        for arm in ("imagenet", "two-step"):
            for repeat in (0, 1):
                for fold in range(5):
                    maker.add(arm, fold, repeat, skill + 0.05 * (arm == "two-step"), harness={"version": number})
    return maker


def test_the_same_places_by_two_harnesses_are_two_trials(two_eras: Any) -> None:
    results = Results(two_eras.ledger)
    assert sorted(trial.era for trial in results.trials) == ["0.1.0", "0.3.0"]
    for trial, arms in results.trials.items():
        pair = results.pair(arms, "two-step", "imagenet")
        assert pair is not None and pair.trainings == 10
        assert {era(record) for arm in arms.values() for record in arm.records.values()} == {trial.era}


def test_families_and_ranks_never_hold_two_eras(two_eras: Any) -> None:
    rows = summary(Results(two_eras.ledger))
    assert {row["track"] for row in rows} == {"t", "t-harness-0.1.0"}
    assert [row["protocols"]["two-step"]["gain"]["family"] for row in rows] == [1, 1]
    assert [(one["era"], one["rank"]) for one in ranks(Results(two_eras.ledger))] == [("0.1.0", 1), ("0.3.0", 1)]


def test_the_board_sets_them_apart_and_says_why(two_eras: Any) -> None:
    board = collect.board(Reading(two_eras.ledger))
    said = {track.label: track.harness for track in board.tracks}
    assert said["t"] == ("20 records made by harness 0.3.0 (keys 2, pixels 2), which is this one.",)
    assert "not comparable with this one, 0.3.0" in said["t-harness-0.1.0"][0]
    assert {row.track: row.rank and row.rank.of for row in board.rows} == {"t": 1, "t-harness-0.1.0": 1}
    assert [change.kind for change in board.changes] == ["entered", "entered"]


def test_an_arm_that_was_mixed_by_hand_gives_no_figure(two_eras: Any) -> None:
    results = Results(two_eras.ledger)
    first, second = (arms["two-step"] for arms in results.trials.values())
    first.records[0, 0] = second.records[0, 0]
    with pytest.raises(InputError, match="two-step: records of harness versions that are not comparable"):
        results.tally(first, first.full)


def test_list_verify_and_compare_tell_of_them(two_eras: Any, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["list", "-w", str(two_eras.ledger.folder.parent)])
    assert done.exit_code == 0, done.output
    assert "20 records made by harness 0.2.0 (keys 1, pixels 2), not comparable with this one, 0.3.0" in done.output
    done = CliRunner().invoke(app, ["verify", "-w", str(two_eras.ledger.folder.parent)])
    assert "40 records, chain whole" in done.output and "not comparable with this one" in done.output
