"""Policy of the published ledger: whole, real, and what the documents say of it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmark.findings import summary
from benchmark.insight import kept
from benchmark.ledger import Ledger
from benchmark.results import Results
from benchmark.wording import points

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger(ROOT / "leaderboard" / "ledger")


def test_it_verifies_to_the_last_score(ledger: Ledger) -> None:
    assert ledger.records() and ledger.verify() == []


def test_it_is_real_pinned_and_small(ledger: Ledger) -> None:
    records = ledger.records()
    assert not any(record["track"]["simulated"] for record in records)
    assert all(record["submission"]["pinned"] for record in records)
    assert sum(path.stat().st_size for path in ledger.folder.rglob("*") if path.is_file()) < 25e6


def test_the_figures_of_the_documents_are_those_of_the_ledger(ledger: Ledger) -> None:
    every = {
        (row["submission"], row["target"]): row["protocols"]["two-step"]["gain"]
        for row in summary(Results(ledger, "pocket"))
    }
    found = {target: gain for (name, target), gain in every.items() if name == "tf-efficientnet-lite0"}
    said = (ROOT / "docs" / "statistics.md").read_text()
    rows = {
        name: [cell.strip(" *") for cell in line.split("|")[2:4]]
        for line in said.splitlines()
        if line.startswith("|") and len(line.split("|")) == 5
        for name in [line.split("|")[1].strip()]
    }
    for column, target in enumerate(("bioimlab-q", "cir-g")):
        gain = found[target]
        value, low, high = (f"{100 * gain[name]:+.1f}" for name in ("value", "low", "high"))
        assert rows["gain, points"][column] == f"{value} ({low} to {high})"
        assert rows["verdict, Holm over these and the other two networks' four"][column].startswith(
            f"{gain['verdict']}**, p = {gain['p_adjusted']:.3f}"
        )
        assert rows["smallest detectable gain"][column] == f"{100 * gain['smallest']:.1f}"
        longer = gain["over_long"]
        shown = rows["over equally long training, `imagenet-long`"][column]
        if longer["verdict"] == "withheld":
            assert shown.startswith(f"{told(longer)} for these") and shown.endswith(", withheld")
        else:
            assert shown == f"{told(longer)}, {longer['verdict']}, p = {longer['p_adjusted']:.3f}"
        assert rows["transfer"][column] == {"no": "not shown", "yes": "shown"}.get(gain["transfer"], "not tested")
        assert rows["two-way t"][column] == f"p = {gain['p_test']:.3f}"
    readme = re.sub(r"\s+", " ", (ROOT / "README.md").read_text())
    ranges = []
    for target in ("bioimlab-q", "cir-g"):
        values = sorted(gain["value"] for (_, at), gain in every.items() if at == target)
        ranges.append(f"{points(values[0])} to {points(values[-1])}")
    assert f"two-step gains {ranges[0]} points on Q-band and {ranges[1]} on G-band, each of the six more" in readme
    assert {gain["verdict"] for gain in every.values()} == {"better"} and len(every) == 6


def told(found: Mapping[str, Any]) -> str:
    low, high = (points(found[name], signed=True) for name in ("low", "high"))
    return f"{points(found['value'], signed=True)} ({low} to {high})"


def test_the_three_findings_of_the_readme_are_those_of_the_ledger(ledger: Ledger) -> None:
    section = (ROOT / "README.md").read_text().partition("## What it found so far")[2].partition("\n## ")[0]
    first, second, third = re.findall(r"^\d\. (.*?)(?=^\d\. |\Z)", section, flags=re.DOTALL | re.MULTILINE)
    rows = summary(Results(ledger, "pocket"))
    gains = [row["protocols"]["two-step"]["gain"] for row in rows]
    controls = [gain["over_long"] for gain in gains if "over_long" in gain]
    for made, said in ((gains, "all {} *better*"), (controls, "all {} are *undecided*")):
        assert len(made) == 6 and said.format("six") in first
        assert {one["verdict"] for one in made} == {said.split("*")[1]}
    assert {gain["transfer"] for gain in gains} == {"no"} and "is the gain shown to be transfer" in first
    spans = []
    for target in ("bioimlab-q", "cir-g"):
        lost = sorted(-row["protocols"]["scratch"]["gain"]["value"] for row in rows if row["target"] == target)
        spans.append(f"{points(lost[0])} to {points(lost[-1])}")
    assert f"by {spans[0]} points on Q-band and {spans[1]} on G-band" in second
    scratched = [row["protocols"]["scratch"]["gain"]["verdict"] for row in rows]
    assert scratched == ["worse"] * 6 and "all six *worse*" in second
    shuffled = {row["submission"] for row in rows if "two-step-shuffled" in row["protocols"]}
    assert shuffled == {"tf-efficientnet-lite0"}, "documents say what was not run"
    longer = [row["protocols"]["imagenet-long"]["gain"]["verdict"] for row in rows]
    assert longer == ["better"] * 6 and "gains about as much by estimate, all six *better*, too" in " ".join(
        first.split()
    )
    leaks = [one.report for one in kept.reports(ledger) if one.kind == "leakage"]
    assert {report.careful.dataset for report in leaks} == {"bioimlab-q", "cir-g"}
    for report in leaks:
        [trial] = report.trials
        assert told(trial.flattery.model_dump()) in third
