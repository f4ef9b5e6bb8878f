"""What forbids publication, and what only warns: one broken thing at a time."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmark.board.policy import rules as policy
from benchmark.board.policy.published import Published
from benchmark.board.policy.rules import RULES, check
from benchmark.cli.leaderboard import app
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from tests.board import ledgers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of results with nothing wrong: units, a failure, a reproduction, a withdrawal."""
    whole = tmp_path / "published"
    ledger = ledgers.made(whole / "ledger", 0, 1)
    ledgers.add(ledger, "failed", fold=2, failed="nan")
    ledgers.reproduce(ledger, "unit 0", seed=0)
    ledgers.reproduce(ledger, "unit 1", seed=5)
    ledgers.withdraw(ledger)
    (whole / "README.md").write_text("# Results\n")
    return whole


def published(folder: Path, board: Path | None = None) -> Published:
    return Published(Ledger(folder / "ledger"), folder, board)


def found(folder: Path, board: Path | None = None) -> set[tuple[str, str]]:
    return {(one.level, one.rule) for one in check(published(folder, board))}


def test_a_whole_folder_keeps_every_rule(folder: Path) -> None:
    assert check(published(folder)) == []


def test_no_ledger_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no ledger; allowed: a folder with records\.jsonl"):
        check(published(tmp_path))


def image(folder: Path) -> None:
    (folder / "ledger" / "manifests" / "karyotype.png").write_bytes(b"\x89PNG\r\n")


def disguised(folder: Path) -> None:
    (folder / "README.md").write_bytes(b"\xff\xd8\xff\xe0 a photograph")


def smuggled(folder: Path) -> None:
    path = next((folder / "ledger" / "predictions").glob("*.npz"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("images.npy", b"x")


def stray(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")


def linked(folder: Path) -> None:
    os.symlink("/etc/hosts", folder / "ledger" / "tracks" / f"{'0' * 64}.json")


def lost(folder: Path) -> None:
    Ledger(folder / "ledger").predictions_path(ledgers.key("unit 1")).unlink()


def orphan(folder: Path) -> None:
    np.savez(folder / "ledger" / "predictions" / f"{ledgers.key('nobody')}.npz", logits=np.zeros(3))


def altered_document(folder: Path) -> None:
    path = next((folder / "ledger" / "submissions").glob("*.json"))
    path.write_text(path.read_text().replace("Net", "Best net"))


def lost_document(folder: Path) -> None:
    next((folder / "ledger" / "tracks").glob("*.json")).unlink()


def lost_manifest(folder: Path) -> None:
    next((folder / "ledger" / "manifests").glob("*.csv")).unlink()


def large(folder: Path) -> None:
    (folder / "README.md").write_bytes(b"a" * (policy.LARGEST + 1))


def rewritten(folder: Path) -> None:
    path = folder / "ledger" / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"accuracy":0.', b'"accuracy":0.9', 1))


@pytest.mark.parametrize(
    ("damage", "rules"),
    [
        (image, {"layout", "images"}), (disguised, {"images"}), (smuggled, {"whole", "predictions"}), (stray, {"layout"}),
        (linked, {"layout", "documents"}), (lost, {"whole", "predictions"}), (orphan, {"predictions"}), (altered_document, {"documents"}),
        (lost_document, {"documents"}), (lost_manifest, {"whole", "documents"}), (large, {"sizes"}), (rewritten, {"whole"}),
    ],
)  # fmt: skip
def test_what_is_broken_is_an_error_of_its_rule(folder: Path, damage: Callable[[Path], None], rules: set[str]) -> None:
    damage(folder)
    assert found(folder) == {("error", rule) for rule in rules}


def test_a_checkout_of_the_published_branch_is_no_stray(folder: Path) -> None:
    (folder / ".git").mkdir()
    assert found(folder) == set()


@pytest.mark.parametrize(
    ("changes", "rule", "problem"),
    [
        ({"submission__pinned": False}, "pinned", "such records cannot be published"),
        ({"harness": {}}, "provenance", "harness.version: field required"),
        ({"environment__device": ""}, "provenance", "environment.device"),
        ({"seconds": float(-1)}, "provenance", "seconds"),
        ({"packages": {}}, "provenance", "packages"),
        ({"weights": "unknown"}, "provenance", "weights"),
        ({"ended": "2026-11-23"}, "provenance", "ended"),
        ({"submission__name": "../net"}, "provenance", "submission.name"),
        ({"submission__name": "other"}, "documents", "calls itself other, its document net"),
        ({"fold": 0}, "units", "under another key"),
    ],
)
def test_a_record_that_must_not_be_published(folder: Path, changes: dict[str, Any], rule: str, problem: str) -> None:
    ledgers.add(Ledger(folder / "ledger"), "one more", **{"fold": 3, **changes})
    assert [(f.level, f.rule) for f in check(published(folder), rule)] == [("error", rule)]
    assert problem in check(published(folder), rule)[0].problem


def test_unpinned_weights_only_warn_on_simulated_images(folder: Path) -> None:
    ledgers.add(Ledger(folder / "ledger"), "one more", fold=3, submission__pinned=False, track__simulated=True)
    assert found(folder) == {("warning", "pinned")}


def test_simulated_images_cannot_pass_for_real_ones(folder: Path) -> None:
    ledger = Ledger(folder / "ledger")
    simulated = ledgers.add(ledger, "one more", fold=3, track__simulated=True)["track"]
    ledgers.add(ledger, "another", fold=4, track={**simulated, "simulated": False})
    assert [(f.rule, f.where) for f in check(published(folder))] == [
        ("simulated", f"record 8 ({ledgers.key('another')[:12]})")
    ]


def test_a_failure_and_its_second_try_are_one_unit(folder: Path) -> None:
    ledgers.add(Ledger(folder / "ledger"), "failed", fold=2)
    assert check(published(folder)) == []


def test_a_board_of_an_older_ledger_is_stale(folder: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    board.mkdir()
    assert found(folder, board) == {("error", "fresh")}
    head = json.loads((folder / "ledger" / "records.jsonl").read_text().splitlines()[-1])["hash"]
    (board / "board.json").write_text(json.dumps({"source": {"head": head}}))
    assert found(folder, board) == set()
    ledgers.add(Ledger(folder / "ledger"), "one more", fold=3)
    assert found(folder, board) == {("error", "fresh")}


def test_growth_warns_before_it_forbids(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "LARGE", 1000)
    assert found(folder) == {("warning", "sizes")}
    monkeypatch.setattr(policy, "TOO_LARGE", 1000)
    assert found(folder) == {("error", "sizes")}


def test_the_command_exits_3_on_errors_and_0_on_warnings(folder: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(app, ["check", str(folder)])
    assert done.exit_code == 0 and f"{len(RULES)} rules: 0 errors, 0 warnings" in done.output
    ledgers.add(Ledger(folder / "ledger"), "one more", fold=3, submission__pinned=False, track__simulated=True)
    assert runner.invoke(app, ["check", str(folder)]).exit_code == 0
    stray(folder)
    done = runner.invoke(app, ["check", str(folder), "--json"])
    assert done.exit_code == 3
    assert {(one["level"], one["rule"], one["where"]) for one in json.loads(done.output)} >= {
        ("error", "layout", "notes.txt")
    }
