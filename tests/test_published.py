"""The policy of published data, on this repository's own leaderboard, rule by rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.board.policy.published import Published
from benchmark.board.policy.rules import RULES, check
from benchmark.ledger import Ledger

FOLDER = Path(__file__).parents[1] / "leaderboard"


@pytest.fixture(scope="module")
def published() -> Published:
    return Published(Ledger(FOLDER / "ledger"), FOLDER)


@pytest.mark.parametrize("rule", RULES)
def test_the_leaderboard_keeps_the_rule(published: Published, rule: str) -> None:
    assert published.units, "nothing is published"
    assert check(published, rule) == []
