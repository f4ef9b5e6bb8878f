import numpy as np
import pytest

from benchmark.engine.simulation import Cluster, simulate
from benchmark.forecast import DRAWS, Range, Rates, Timed, forecast
from benchmark.plan import Unit


def unit(key: str, images: int = 100, submission: str = "net", parent: str | None = None) -> Unit:
    return Unit(key, submission, "scratch", "d", 0, 0, 0, 1, images, False, "random", parent, (), None, None)


def units(count: int, images: int = 100, submission: str = "net") -> list[Unit]:
    return [unit(f"{submission}-{n}", images, submission) for n in range(count)]


STEADY = [Timed("net", 100, 10.0), Timed("net", 100, 12.0), Timed("net", 100, 8.0)]


def test_the_work_is_the_rate_times_the_images_and_the_wall_time_that_of_the_schedule() -> None:
    found = forecast([unit("a"), unit("b", parent="a"), *units(2)], [Timed("net", 100, 10.0)], Cluster(1, 2))
    assert found.work == Range(40.0) and found.wall == Range(20.0), "one timed unit gives no interval"
    assert (found.timed, found.unknown) == ({"net": 1}, ())
    assert forecast(units(4), [Timed("net", 100, 10.0)], Cluster(1, 2, startup=5.0), each=1.0).wall == Range(27.0)


def test_submissions_that_were_never_timed_are_named_and_counted_only_by_guess() -> None:
    asked = [*units(2), *units(2, submission="other")]
    found = forecast(asked, STEADY, Cluster(1, 1))
    assert found.unknown == ("other",) and not found.guessed and found.work.value == pytest.approx(20.0, rel=0.1)
    guessed = forecast(asked, STEADY, Cluster(1, 1), guess=True)
    assert guessed.guessed and guessed.work.value == pytest.approx(40.0, rel=0.1)
    assert forecast(asked, [], Cluster(1, 1), guess=True) == (
        (0.0, None, None),
        (0.0, None, None),
        {},
        ("net", "other"),
        False,
    )


def test_what_is_left_of_a_unit_under_way_is_counted_and_it_keeps_its_place() -> None:
    one = [Timed("net", 100, 10.0)]
    assert forecast(units(2), one, Cluster(1, 1), left={"net-0": 0.25}).work.value == 12.5
    chain = [unit("long", 1000), *units(2)]
    assert forecast(chain, one, Cluster(1, 2), left={"net-0": 0.5, "net-1": 0.5}).wall.value == 5.0 + 100.0


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Unit times that differ by 20 %, two submissions, five timed units each, sixteen to come on four slots."""
    random = np.random.default_rng(5)
    asked, inside = [*units(8), *units(8, 200, "other")], 0
    for number in range(60):
        speeds = {"net": float(random.uniform(0.05, 0.2)), "other": float(random.uniform(0.05, 0.2))}

        def seconds(one: Unit, speeds: dict[str, float] = speeds) -> float:
            return float(one.cost * speeds[one.submission] * random.lognormal(0, 0.2))

        timed = [Timed(one.submission, one.cost, seconds(one)) for one in (*asked[:5], *asked[8:13])]
        found = forecast(asked, timed, Cluster(1, 4), seed=number)
        truth = simulate(asked, {one.key: seconds(one) for one in asked}, Cluster(1, 4)).seconds
        assert found.wall.low is not None and found.wall.high is not None and found.wall.low < found.wall.high
        inside += found.wall.low <= truth <= found.wall.high
    assert 52 <= inside <= 60


def test_too_many_units_to_simulate_get_nearly_the_same_interval() -> None:
    asked = [*units(60), *units(60, 300, "other")]
    timed = [*STEADY, Timed("other", 300, 60.0), Timed("other", 300, 66.0), Timed("other", 300, 51.0)]
    drawn, summed = (forecast(asked, timed, Cluster(1, 4), budget=budget) for budget in (120 * DRAWS, 0))
    for one, other in ((drawn.work, summed.work), (drawn.wall, summed.wall)):
        assert tuple(one) == pytest.approx(tuple(other), rel=0.05)
        assert one.low is not None and other.low is not None and one.low < one.value and other.low < other.value


def test_single_units_that_differ_more_widen_the_interval() -> None:
    wild = [Timed("net", 100, 10.0), Timed("net", 100, 18.0), Timed("net", 100, 5.0)]
    calm, wide = (forecast(units(6), timed, Cluster(1, 2)).wall for timed in (STEADY, wild))
    assert calm.high and calm.low and wide.high and wide.low
    assert wide.high - wide.low > 2 * (calm.high - calm.low)


def test_the_same_seed_draws_the_same_and_what_was_not_trained_counts_for_nothing() -> None:
    broken = [*STEADY, Timed("net", 0, 3.0), Timed("net", 100, 0.0)]
    assert forecast(units(3), STEADY, Cluster(1, 1)) == forecast(units(3), broken, Cluster(1, 1))
    assert Rates(broken).counts == {"net": 3}
