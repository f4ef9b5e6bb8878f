"""The published figures are those of the published measurements."""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tabulate import tabulate

from bench import report

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "performance" / "results.json").read_text())
    return found


def test_the_page_shows_what_the_results_say(results: dict[str, Any]) -> None:
    rows = list(report.rows(report.figures(results)))
    page = (DOCS / "performance.md").read_text().replace("**", "")
    for row in rows:
        assert "| " + " | ".join(row) + " |" in page
    text = tabulate(rows, report.HEADS, tablefmt="github", disable_numparse=True)
    assert (DOCS / "performance" / "table.md").read_text() == text + "\n"
    assert f"{100 * report.overhead(results):.1f} % of both processors' time was not in units" in page


def test_the_bars_hold(results: dict[str, Any]) -> None:
    found = report.figures(results)
    own = found.pop(report.OURS)
    assert len(found) == 5
    assert own.rate >= 1.5 * max(one.rate for one in found.values())
    assert 3 * own.campaign <= min(one.campaign for one in found.values())
    scores = [one.macro_f1[0] for one in found.values()]
    assert min(scores) < own.macro_f1[0] < max(scores)


def test_the_page_shows_how_much_the_ratios_vary() -> None:
    found = report.rounds(json.loads((DOCS / "performance" / "rounds.json").read_text()))
    page = (DOCS / "performance.md").read_text().replace("\n", " ")
    assert len(found) == 3
    for row in report.ratio_rows(found):
        assert "| " + " | ".join(row) + " |" in page
    pairs = [(one, each[report.OURS]) for each in found for name, one in each.items() if name != report.OURS]
    campaigns, rates = [one.campaign / own.campaign for one, own in pairs], [own.rate / one.rate for one, own in pairs]
    assert f"took the five {min(campaigns):.1f} to {max(campaigns):.1f} × as long on this one" in page
    assert f"The rate keeps {min(rates):.1f} × and more" in page


def test_the_page_shows_the_ratios_before_and_after_answers_waited() -> None:
    before, after = (
        report.rounds(json.loads((DOCS / "performance" / name).read_text()))
        for name in ("rounds-amx-before.json", "rounds-amx.json")
    )
    page = (DOCS / "performance.md").read_text()
    assert len(before) == len(after) == 3
    for old, new in zip(report.ratio_rows(before), report.ratio_rows(after), strict=True):
        assert "| " + " | ".join([old[0], old[1], old[2], *new[1:]]) + " |" in page
    said = [", ".join(f"{lead(each):.2f}" for each in one) for one in (before, after)]
    assert f"took {said[1]} × as long over a campaign, before {said[0]}" in page


@pytest.mark.parametrize(("name", "said", "sum_up"), [
    ("rounds-amx-longer.json", "the fastest peer of each round took {} × as long over a campaign", "missed ({} some hours before)"),
    ("rounds-amx-ahead.json", "The fastest peer of each round now took {} × as long over a campaign", "since memory is asked for ahead ({} over four epochs"),
    ("rounds-amx-leaner.json", "The fastest peer of each round took {} × as long over a campaign", "when peers were slow; {} later, where they were quicker"),
])  # fmt: skip
def test_the_page_shows_the_ratios_over_more_epochs(name: str, said: str, sum_up: str) -> None:
    found = report.rounds(json.loads((DOCS / "performance" / name).read_text()))
    page = (DOCS / "performance.md").read_text()
    assert len(found) == 3
    for row in report.ratio_rows(found):
        assert "| " + " | ".join(row) + " |" in page
    fastest = ", ".join(f"{lead(each):.2f}" for each in found)
    assert said.format(fastest) in page and sum_up.format(fastest) in page


@pytest.mark.parametrize("name", ["rounds-amx-ahead.json", "rounds-amx-leaner.json"])
def test_the_page_gives_the_memory_of_the_last_rounds(name: str) -> None:
    found = report.rounds(json.loads((DOCS / "performance" / name).read_text()))
    leanest = [min(one.peak for name, one in each.items() if name != report.OURS) for each in found]
    pairs = [
        f"{each[report.OURS].peak / 2**30:.2f} and {low / 2**30:.2f}" for each, low in zip(found, leanest, strict=True)
    ]
    assert f"the leanest peer's one: {', '.join(pairs)} GiB" in (DOCS / "performance.md").read_text()


def test_the_page_gives_the_rates_of_the_last_rounds_and_the_middle_of_all_six() -> None:
    one, other = (
        report.rounds(json.loads((DOCS / "performance" / name).read_text()))
        for name in ("rounds-amx-ahead.json", "rounds-amx-leaner.json")
    )
    page = " ".join((DOCS / "performance.md").read_text().split())
    own = ", ".join(f"{each[report.OURS].rate:.0f}" for each in other)
    quickest = ", ".join(f"{max(x.rate for name, x in each.items() if name != report.OURS):.0f}" for each in other)
    assert f"Ours trained {own} images/s, the fastest peer of a round {quickest}." in page
    leads = [lead(each) for each in (*one, *other)]
    assert min(leads) >= 3 and f"not the middle ({statistics.median(leads):.2f})" in page


def test_the_page_gives_the_real_campaign_after_the_last_rounds() -> None:
    results = json.loads((DOCS / "performance" / "rounds-amx-leaner.json").read_text())
    [real] = results["ours, campaign"].values()
    own, idle = report.ours(results), report.overhead(results)
    assert len(real["units"]) == 30
    foretold = own.start + 3 * sum(results["campaign_images"].values()) / own.rate
    page = " ".join((DOCS / "performance.md").read_text().split())
    assert (
        f"{real['wall']:.0f} s, where start and rate foretell {foretold:.0f}; {real['peak_bytes'] / 2**30:.2f} GiB; "
        f"{idle:.1%}".replace("%", " %")
        + " of both processors' time was not in units, "
        f"which ten epochs make {idle * real['wall'] / own.campaign:.1%}".replace("%", " %")
    ) in page


def test_the_page_gives_the_round_of_the_hour_before() -> None:
    [found] = report.rounds(json.loads((DOCS / "performance" / "rounds-amx-hour-before.json").read_text()))
    quickest = max(one.rate for name, one in found.items() if name != report.OURS)
    said = f"one round gave {lead(found):.2f} (`docs/performance/rounds-amx-hour-before.json`: {found[report.OURS].rate:.0f} images/s, the fastest peer {quickest:.0f})"
    assert said in (DOCS / "performance.md").read_text()


def lead(of_round: Mapping[str, report.Figures]) -> float:
    """How many times as long as ours the campaign of the fastest peer takes."""
    own = of_round[report.OURS].campaign
    return min(one.campaign for name, one in of_round.items() if name != report.OURS) / own


def test_a_round_that_lacks_a_contender_is_left_out(results: dict[str, Any]) -> None:
    more = {}
    for name, one in results.items():
        more[name] = {**one, "1": one["0"]} if "0" in one and name != "hf_trainer" else one
    assert len(report.rounds(more)) == 1


def test_the_rate_of_two_units_is_that_of_epochs_when_both_ran() -> None:
    short = {"images": [100, 100], "epochs": [1.0, 1.0]}
    long = {"images": [100, 100, 100, 100], "epochs": [1.0, 1.0, 0.5, 0.5]}
    assert list(report.both_running(long, [short, long])) == [100.0, 100.0]
    assert list(report.both_running(short, [short, long])) == [100.0, 100.0]


def test_an_epoch_that_ends_just_after_the_others_counts() -> None:
    short = {"images": [1920, 1920], "epochs": [11.3, 11.2]}
    long = {"images": [3776, 3776], "epochs": [22.7, 20.4]}  # measured: the fastest machine's last two units
    assert list(report.both_running(long, [short, long])) == [pytest.approx(3776 / 22.7)]
    assert list(report.both_running({**long, "epochs": [30.0, 20.0]}, [short, long])) == []


def test_the_figure_names_every_contender(results: dict[str, Any]) -> None:
    svg = report.picture(report.figures(results)).decode()
    assert all(name in svg for name in [*report.NAMES.values(), report.OURS])
