from pathlib import Path

from bench import board
from benchmark.results import Results


def test_the_made_ledger_verifies_and_builds_twice(tmp_path: Path) -> None:
    ledger = board.make(tmp_path / "ledger", 3)
    assert ledger.verify() == [] and len(ledger.records()) == 12 and len(Results(ledger).trials) == 6
    before = ledger.head()
    assert board.make(tmp_path / "ledger", 3).head() == before, "made once"
    first = board.timed(ledger, tmp_path / "board", tmp_path / "figures.sqlite")
    page = tmp_path / "board" / "submissions" / "net-00002.html"
    written = page.stat().st_mtime_ns
    again = board.timed(ledger, tmp_path / "board", tmp_path / "figures.sqlite")
    assert min(*first, *again) > 0 and page.stat().st_mtime_ns == written, "the second finds its page as it should be"
