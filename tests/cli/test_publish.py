"""`leaderboard publish`, `results push` and `results pull` as people call them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmark.board import build
from benchmark.cli.main import app
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from tests.board import hub as fake
from tests.board import ledgers
from tests.board.hub import Fault, Hub


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with two units, whose board is three small files."""

    def built(ledger: Ledger, folder: Path, **_: Any) -> Path:
        head = json.loads(ledger.path.read_text().splitlines()[-1])["hash"]
        return ledgers.built(folder, board_json=json.dumps({"source": {"head": head}})) / "index.html"

    monkeypatch.setattr(build, "build", built)
    monkeypatch.setenv("KARYOBENCH_CACHE", str(tmp_path / "cache"))
    ledgers.made(tmp_path / "work" / "ledger", 0, 1)
    return tmp_path / "work"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with fake.reached(monkeypatch, tmp_path) as found:
        yield found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def publish(workspace: Path, *options: str) -> Result:
    places = ("--to", "hf:us/board", "--results", "hf:us/results")
    return run("leaderboard", "publish", *places, "-w", str(workspace), *options)


def test_without_yes_it_only_shows(workspace: Path, hub: Hub) -> None:
    done = publish(workspace)
    assert done.exit_code == 0, done.output
    assert (
        "added     ledger/records.jsonl" in done.output
        and "board to hf:us/board: 6 added, 0 changed, 0 removed" in done.output
    )
    assert "nothing was published" in done.output and hub.repositories == {}


def test_board_and_results_go_to_the_hub_and_come_back(workspace: Path, hub: Hub, tmp_path: Path) -> None:
    done = publish(workspace, "--yes")
    assert done.exit_code == 0 and f"published: {hub.url}/spaces/us/board" in done.output, done.output
    assert hub.repositories["spaces/us/board"].tree["index.html"] == b"<p>board</p>"
    assert len(hub.repositories["datasets/us/results"].commits) == 2
    pulled = run("results", "pull", "hf:us/results", "-w", str(tmp_path / "pulled"))
    assert pulled.exit_code == 0 and "2 records added" in pulled.output, pulled.output
    assert (tmp_path / "pulled/ledger/records.jsonl").read_bytes() == (workspace / "ledger/records.jsonl").read_bytes()
    assert [p.name for p in (tmp_path / "pulled").iterdir()] == ["ledger"]
    assert run("ledger", "verify", "-w", str(tmp_path / "pulled")).exit_code == 0
    again = publish(workspace, "--yes", "--json")
    assert [one["changes"] for one in json.loads(again.stdout)] == [[], []]


def test_only_new_records_are_sent(workspace: Path, hub: Hub) -> None:
    publish(workspace, "--yes")
    hub.received.clear()
    added = ledgers.add(Ledger(workspace / "ledger"), "unit 2", fold=2)
    assert publish(workspace, "--yes").exit_code == 0
    assert sorted(hub.received) == sorted([
        added["predictions"]["sha256"], "ledger/records.jsonl", ".karyobench-results.json", "board.json", ".karyobench-board.json",
    ])  # fmt: skip


def test_results_that_part_are_refused_before_anything_is_published(workspace: Path, hub: Hub, tmp_path: Path) -> None:
    publish(workspace, "--yes")
    other = tmp_path / "other"
    second = ledgers.made(other / "ledger", 0, 2).records()[1]["hash"]
    commits = {name: len(one.commits) for name, one in hub.repositories.items()}
    done = publish(other, "--yes")
    assert isinstance(
        done.exception, InputError
    ) and "record 2: the published records are not the beginning of these" in str(done.exception)
    assert second in str(done.exception)
    assert {name: len(one.commits) for name, one in hub.repositories.items()} == commits


def test_a_board_never_rests_on_results_that_did_not_arrive(workspace: Path, hub: Hub) -> None:
    hub.faults.append(Fault("POST /api/datasets/.*/commit/", 503, times=1000))
    assert publish(workspace, "--yes").exit_code != 0
    assert "spaces/us/board" not in hub.repositories
    hub.faults.clear()
    assert publish(workspace, "--yes").exit_code == 0
    assert hub.repositories["spaces/us/board"].tree["index.html"] == b"<p>board</p>"


def test_a_pull_that_broke_off_goes_on(workspace: Path, hub: Hub, tmp_path: Path) -> None:
    publish(workspace, "--yes")
    hub.faults.append(Fault("GET .*/resolve/.*npz", 404, times=1000))
    pull = ("results", "pull", "hf:us/results", "-w", str(tmp_path / "pulled"))
    assert run(*pull).exit_code != 0 and not (tmp_path / "pulled" / "ledger").exists()
    hub.faults.clear()
    assert run(*pull).exit_code == 0
    assert sum(one.startswith("GET") and one.endswith("ledger/records.jsonl") for one in hub.asked) == 1, "sent once"
    assert Ledger(tmp_path / "pulled" / "ledger").verify() == []


def test_pushing_results_alone(workspace: Path, hub: Hub) -> None:
    shown = run("results", "push", "hf:us/results", "-w", str(workspace))
    assert shown.exit_code == 0 and hub.repositories == {}
    done = run("results", "push", "hf:us/results", "-w", str(workspace), "--yes")
    assert done.exit_code == 0 and list(hub.repositories) == ["datasets/us/results"]


def test_a_broken_ledger_is_not_even_shown(workspace: Path, tmp_path: Path) -> None:
    Ledger(workspace / "ledger").predictions_path(ledgers.key("unit 1")).unlink()
    done = run("leaderboard", "publish", "--to", f"dir:{tmp_path / 'site'}", "-w", str(workspace), "--yes")
    assert "must not be published" in str(done.exception) and not (tmp_path / "site").exists()


def test_to_a_folder(workspace: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = ("leaderboard", "publish", "--to", f"dir:{site}", "-w", str(workspace))
    assert run(*command).exit_code == 0 and not site.exists()
    assert run(*command, "--yes").exit_code == 0 and (site / "index.html").read_text() == "<p>board</p>"
    assert "0 added, 0 changed, 0 removed" in run(*command, "--yes").output
    done = run(*command, "--yes", "--push", "origin")
    assert "has no remote to push to" in str(done.exception)
