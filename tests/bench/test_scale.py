"""The simulated campaign at a smaller size, and the page that shows the large one."""

import json
from pathlib import Path

import pytest

from bench import scale
from benchmark.engine.simulation import HOUR

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def made() -> scale.Planned:
    return scale.planned(submissions=10, repeats=5)


def test_the_plan_is_the_planners_and_an_hour_a_unit_in_the_mean(made: scale.Planned) -> None:
    assert len(made.units) == 10 * 5 * 60 and len({unit.key for unit in made.units}) == 3000
    assert sum(made.seconds.values()) == pytest.approx(3000 * HOUR)
    assert sum(unit.parent is not None for unit in made.units) == 10 * 5 * 5 * 4


def test_few_nodes_that_come_and_go_cost_little(made: scale.Planned) -> None:
    rows = {row.case.label: row for row in scale.run(made, nodes=4)}
    ideal, head, lossy, twice, worse = rows.values()
    assert [row.found.ended + len(row.found.given_up) for row in rows.values()] == [3000] * 5
    assert ideal.of_ideal == 1.0 and ideal.utilisation > 0.97 and head.of_ideal > 0.999
    assert 0.95 < lossy.of_ideal < 1.0 and lossy.found.losses_of_units == lossy.found.attempts - 3000 > 0
    assert worse.of_ideal < lossy.of_ideal and worse.found.losses > lossy.found.losses
    assert twice.found.attempts == lossy.found.attempts, "so small a campaign quarantines after two anyway"


def test_the_same_seeds_give_the_same_campaign(made: scale.Planned) -> None:
    [first, second] = [next(scale.run(made, 4, scale.CASES[2:3])) for _ in range(2)]
    assert first.found == second.found and first.hours == second.hours


def test_the_page_shows_what_was_simulated() -> None:
    page = (DOCS / "scaling.md").read_text()
    table = (DOCS / "scaling" / "simulated.md").read_text().split("\n\n", 1)[1].strip()
    for line in table.splitlines():
        assert line in page
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [case.label for case in scale.CASES]
    assert float(rows[2][3].removesuffix(" %")) >= 95, "1 % of the nodes lost an hour: 95 % of the ideal schedule"
    points = json.loads((DOCS / "scaling" / "simulated.json").read_text())
    assert "scaling/simulated.svg" in page and {one["gpus"] for one in points} >= {8, 1000}
    assert all(one["hours"] >= one["bound"] for one in points)
