"""Scores from elsewhere on the board: computed from stored predictions, apart from everything that is ranked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from benchmark.board import collect
from benchmark.board.build import build
from benchmark.board.elsewhere import state
from benchmark.board.policy.published import Published
from benchmark.board.policy.rules import check
from benchmark.board.reading import Reading
from benchmark.data import card as cards
from benchmark.data.manifest import Manifest
from benchmark.elsewhere.matching import Matched, positions
from benchmark.elsewhere.store import Store
from benchmark.errors import IntegrityError
from benchmark.ledger import Ledger
from benchmark.track import load

pytestmark = pytest.mark.usefixtures("blank_pictures")

HOSTILE = "<script>window.hacked = 1</script>"


def keep(ledger: Ledger, manifest: Manifest, name: str, skill: float, **told: Any) -> None:
    folds = (0, 1, 2, 3, 4)
    truth = manifest.labels[positions(manifest, folds)]
    random = np.random.default_rng(len(name))
    said = np.where(random.random(len(truth)) < skill, truth, 0)
    stored = (np.eye(24)[said] * 5).astype(np.float16)
    given = ledger.folder.parent / "given.csv"
    given.write_text("x")
    words = {"who": HOSTILE, "how": "How.", "training_data": "Data.", "split": "Split.", "link": None} | told
    Store(ledger).keep(
        name, words, Matched(stored, "logits", folds), manifest, cards.load("sim-q"), load("smoke"), given
    )


@pytest.fixture
def ledger(maker: Any) -> Ledger:
    maker.fill(imagenet=0.6, two_step=0.7)
    keep(maker.ledger, maker.manifest, "outside", 0.99)
    return maker.ledger


def test_a_perfect_outsider_changes_no_row_rank_or_p(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.7)
    maker.fill(name="other", imagenet=0.6, two_step=0.8)
    before = collect.board(Reading(maker.ledger))
    keep(maker.ledger, maker.manifest, "outside", 1.0)
    after = collect.board(Reading(maker.ledger))
    assert after.rows == before.rows and after.general == before.general and after.tracks == before.tracks
    [found] = after.self_run
    assert found.macro_f1.value == 1.0 and found.classes[23].f1 == 1.0 and found.confusions == ()
    assert before.source.self_run == "" and after.source.self_run == state(Store(maker.ledger).entries())


def test_the_board_computes_it_again_and_refuses_what_was_changed(ledger: Ledger) -> None:
    [path] = (ledger.folder / "self-run").glob("*.npz")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="predictions are not what their name says"):
        collect.board(Reading(ledger))


def test_pages_and_data_hold_it_apart_and_nothing_of_it_is_run(ledger: Ledger, tmp_path: Path) -> None:
    Store(ledger).withdraw("outside", "a leak")
    keep(ledger, ledger.manifest(ledger.records()[0]["dataset"]["manifest"], "cell"), "newcomer", 0.8)
    folder = build(ledger, tmp_path / "board").parent
    page = (folder / "elsewhere.html").read_text()
    assert HOSTILE not in page and "&lt;script&gt;window.hacked" in page
    for words in (
        "Self-run: labels were in reach, folds as stated, not checked.",
        "Replaced or withdrawn",
        "a leak",
        'id="newcomer"',
    ):
        assert words in page
    data = json.loads((folder / "board.json").read_text())
    jsonschema.validate(data, json.loads((folder / "board.schema.json").read_text()))
    assert [(one["name"], one["reason"]) for one in data["self_run"]] == [("newcomer", None), ("outside", "a leak")]
    assert (
        "newcomer" not in (folder / "board.csv").read_text()
        and "newcomer" not in (folder / "data" / "index.js").read_text()
    )
    assert (
        "## Scores from elsewhere" in (folder / "board.md").read_text()
        and "outside" not in (folder / "board.md").read_text()
    )
    assert {(one["kind"], one["submission"]) for one in data["changes"] if one["elsewhere"]} == {
        ("self-run", "outside"), ("self-run", "newcomer"), ("withdrawn", "outside")}  # fmt: skip
    assert "elsewhere.html" not in (folder / "submissions" / "net.html").read_text().split("<main")[1]
    assert "elsewhere.html" in (folder / "changes.html").read_text()


def test_a_board_without_any_has_no_such_page(maker: Any, tmp_path: Path) -> None:
    maker.fill(imagenet=0.6)
    folder = build(maker.ledger, tmp_path / "board").parent
    assert not (folder / "elsewhere.html").exists() and "elsewhere.html" not in (folder / "index.html").read_text()


def test_a_board_of_other_scores_is_not_fresh(ledger: Ledger, tmp_path: Path) -> None:
    build(ledger, tmp_path / "board")
    published = Published(ledger, None, tmp_path / "board")
    assert check(published, "fresh") == []
    Store(ledger).withdraw("outside", "a leak")
    [found] = check(Published(ledger, None, tmp_path / "board"), "fresh")
    assert found.problem == "was built from other scores from elsewhere; build it again"


def test_the_name_of_a_submission_is_against_the_policy(maker: Any) -> None:
    keep(maker.ledger, maker.manifest, "net", 0.9)
    from tests.board import ledgers

    ledgers.add(maker.ledger, "unit", fold=0)
    [found] = check(Published(maker.ledger), "elsewhere")
    assert "has the name of a submission: net" in found.problem


def test_the_first_score_puts_its_page_into_the_navigation_of_every_page(maker: Any, tmp_path: Path) -> None:
    maker.fill(imagenet=0.6)
    build(maker.ledger, tmp_path / "board")
    keep(maker.ledger, maker.manifest, "outside", 0.9)
    folder = build(maker.ledger, tmp_path / "board").parent
    for page in ("index.html", "submissions/net.html", "method.html"):
        assert "elsewhere.html" in (folder / page).read_text()
