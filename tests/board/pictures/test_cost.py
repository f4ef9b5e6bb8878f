import random
import re

import pytest

from benchmark.board.pictures.cost import Spot, cost, front, limits


def spot(label: str, seconds: float, value: float, half: float | None = 0.01, verdict: str = "better") -> Spot:
    ends = (None, None) if half is None else (value - half, value + half)
    return Spot("cir-g (G-band)", label, seconds, value, *ends, True, verdict)


def test_the_front_holds_those_that_none_beats_in_both_time_and_gain() -> None:
    chance = random.Random(0)
    spots = [spot(str(i), chance.choice([10, 20, 40, 80]), chance.randrange(-5, 5) / 100) for i in range(60)]
    best = front(spots)
    for one in spots:
        beaten = any(
            other.seconds <= one.seconds
            and other.value >= one.value
            and (other.seconds, other.value) != (one.seconds, one.value)
            for other in spots
        )
        alike = any((other.seconds, other.value) == (one.seconds, one.value) for other in best)
        assert alike == (not beaten)
    assert len({(one.seconds, one.value) for one in best}) == len(best), "of two alike one is enough"
    assert [one.seconds for one in best] == sorted(one.seconds for one in best)


def test_the_axis_of_gains_holds_every_interval_but_the_ends_of_a_wild_one() -> None:
    spots = [spot("a", 1, 0.01, 0.005), spot("b", 1, 0.02, 0.011), spot("c", 1, 0.03, None)]
    low, high = limits(spots)
    assert low < -0.5 and 3.1 < high < 4
    low, high = limits([*spots, spot("e", 1, 0.0, 0.012), spot("d", 1, -0.1, 0.9)])
    assert -20 < low < -10 and high < 5
    assert limits([spot("a", 1, -0.001, None)]) == pytest.approx((-0.56, 0.56))


@pytest.mark.usefixtures("svg_alone")
@pytest.mark.parametrize("times", [(300, 400), (5, 9), (20, 4000), (2, 3), (3600 * 50, 3600 * 900)])
def test_the_axis_of_time_names_at_least_two_times(times: tuple[float, float]) -> None:
    svg = cost([spot(str(i), seconds, 0.01) for i, seconds in enumerate(times)], 40)["svg"].decode()
    assert len(re.findall(r">[\d.,]+ (?:s|min|h)<", svg)) >= 2


def test_a_panel_a_target_and_times_that_people_read() -> None:
    spots = [spot("Net A", 60, 0.01), spot("Net B", 3600, 0.03), spot("Net C", 40, 0.02, None, "withheld")._replace(panel="bioimlab-q (Q-band)")]  # fmt: skip
    found = cost(spots, 40, "A note.")
    assert found == cost(spots, 40, "A note.")
    svg = found["svg"].decode()
    for text in ("cir-g (G-band)", "bioimlab-q (Q-band)", "1 min", "10 min", "1 h", "Net A", "Net B", "Net C", "withheld", "A note."):  # fmt: skip
        assert text in svg
    assert "worse" not in svg and "mathdefault" not in svg


@pytest.mark.parametrize("seconds", [0.02, 3, 7e6])
def test_one_point_of_any_time_can_be_drawn(seconds: float) -> None:
    assert b"Net A" in cost([spot("Net A", seconds, 0.0)], 40)["svg"]


@pytest.mark.usefixtures("svg_alone")
def test_of_many_the_front_is_named_and_all_are_shown() -> None:
    spots = [spot(f"Net {i:03d}", 10 + i, 0.0001 * (i % 7)) for i in range(100)]
    svg = cost(spots, 40)["svg"].decode()
    named = [one.label for one in spots if f">{one.label}<" in svg]
    assert named == [one.label for one in front(spots)] != []
    assert svg.count("<use") > 100
