"""The published figures are those of the published measurements."""

import json
from pathlib import Path

import pytest
from tabulate import tabulate

from bench import report

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def results() -> dict[str, object]:
    found: dict[str, object] = json.loads((DOCS / "performance" / "results.json").read_text())
    return found


def test_the_page_shows_what_the_results_say(results: dict[str, object]) -> None:
    rows = list(report.rows(report.figures(results)))
    page = (DOCS / "performance.md").read_text().replace("**", "")
    for row in rows:
        assert "| " + " | ".join(row) + " |" in page
    text = tabulate(rows, report.HEADS, tablefmt="github", disable_numparse=True)
    assert (DOCS / "performance" / "table.md").read_text() == text + "\n"
    assert f"{100 * report.overhead(results):.1f} % of both processors' time was not in units" in page


def test_the_bars_hold(results: dict[str, object]) -> None:
    found = report.figures(results)
    own = found.pop(report.OURS)
    assert len(found) == 5
    assert own.rate >= 1.5 * max(one.rate for one in found.values())
    assert 3 * own.campaign <= min(one.campaign for one in found.values())
    scores = [one.macro_f1[0] for one in found.values()]
    assert min(scores) < own.macro_f1[0] < max(scores)


def test_the_rate_of_two_units_is_that_of_epochs_when_both_ran() -> None:
    short = {"images": [100, 100], "epochs": [1.0, 1.0]}
    long = {"images": [100, 100, 100, 100], "epochs": [1.0, 1.0, 0.5, 0.5]}
    assert list(report.both_running(long, [short, long])) == [100.0, 100.0]
    assert list(report.both_running(short, [short, long])) == [100.0, 100.0]


def test_the_figure_names_every_contender(results: dict[str, object]) -> None:
    svg = report.picture(report.figures(results)).decode()
    assert all(name in svg for name in [*report.NAMES.values(), report.OURS])
