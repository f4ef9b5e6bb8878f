"""Pages of earlier versions: reachable, marked, and of the records that the version had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.board import collect
from benchmark.board.build import build
from benchmark.board.detail import detail
from benchmark.board.reading import Reading
from benchmark.withdrawal import withdraw

NEW = {"name": "net", "model": "m2", "code": "c", "pinned": True, "document": "other"}


def test_an_earlier_version_keeps_its_page_and_the_board_shows_the_newest(maker: Any, tmp_path: Path) -> None:
    maker.fill(imagenet=0.6, two_step=0.7)
    maker.add("imagenet", 0, skill=0.9, submission=NEW, ended="2026-03-01T00:00:00+00:00")
    withdraw(maker.ledger, "net", "a first mistake")
    maker.add("imagenet", 0, skill=0.9, submission={**NEW, "model": "m3"}, ended="2026-04-01T00:00:00+00:00")
    reading = Reading(maker.ledger)
    board = collect.board(reading)
    assert [row.records for row in board.rows] == [1]
    found = detail(reading, "net", board.rows, board.changes)
    old, middle = found.earlier
    assert [(one.replaced[:10], one.withdrawal and one.withdrawal.reason) for one in (old, middle)] == [
        ("2026-03-01", "a first mistake"), ("2026-04-01", "a first mistake")]  # fmt: skip
    assert found.withdrawal is None and [len(one.records) for one in old.tracks[0].targets] == [20]
    assert [(v.name, v.current, v.withdrawal is not None) for v in found.versions] == [
        (found.versions[0].name, True, False), (middle.version, False, True), (old.version, False, True)]  # fmt: skip
    build(maker.ledger, tmp_path / "board")
    page = (tmp_path / "board" / "submissions" / f"net@{old.version}.html").read_text()
    for words in (
        "An earlier version",
        "replaced on",
        "Withdrawn",
        "a first mistake",
        "the present version",
        "karyobench reproduce",
    ):
        assert words in page
    assert "karyobench run net" not in page
    changes = (tmp_path / "board" / "changes.html").read_text()
    assert (
        f'href="submissions/net@{old.version}.html"' in changes
        and f"which replaces {old.version} (other network" not in changes
    )
    assert f"replaces {old.version} (other code)" in changes
    main = (tmp_path / "board" / "submissions" / "net.html").read_text()
    assert f"net@{middle.version}.html" in main and "An earlier version" not in main


def test_a_target_that_the_newest_version_lacks_is_marked(maker: Any) -> None:
    maker.add("imagenet", 0)
    maker.add("imagenet", 0, target="second")
    maker.add("imagenet", 0, submission=NEW, ended="2026-03-01T00:00:00+00:00")
    found = detail(Reading(maker.ledger), "net", (), ())
    assert {one.row.target: one.version for one in found.tracks[0].targets} == {
        "second": found.earlier[0].version,
        "tiny": "",
    }
