import math
from collections.abc import Sequence

import numpy as np
import pytest

from benchmark.engine.schedule import Policy
from benchmark.engine.simulation import HOUR, Cluster, bound, simulate
from benchmark.plan import Unit


def unit(key: str, parent: str | None = None) -> Unit:
    return Unit(key, "net", "scratch", "d", 0, 0, 0, 1, 1, False, "random", parent, (), None, None)


def pairs(count: int) -> tuple[list[Unit], dict[str, float]]:
    """Chains of two, an hour a unit, more or less."""
    random = np.random.default_rng(3)
    units = [one for n in range(count // 2) for one in (unit(f"a{n}"), unit(f"b{n}", f"a{n}"))]
    return units, {one.key: float(HOUR * random.uniform(0.5, 1.5)) for one in units}


@pytest.mark.parametrize(
    ("slots", "seconds"),
    [(1, 16.0), (2, 8.0), (3, 8.0)],
)
def test_seconds_of_a_plan_that_can_be_reckoned_by_hand(slots: int, seconds: float) -> None:
    units = [unit("root"), unit("child", "root"), *(unit(f"s{n}") for n in range(4))]
    times = {"root": 5.0, "child": 3.0, "s0": 2.0, "s1": 2.0, "s2": 2.0, "s3": 2.0}
    found = simulate(units, times, Cluster(1, slots))
    assert (found.seconds, found.useful, found.ended, found.attempts) == (seconds, 16.0, 6, 6)
    assert bound(units, times, slots) == max(16.0 / slots, 8.0)


def test_what_is_under_way_goes_first_and_the_head_takes_its_time() -> None:
    units = [unit("long"), unit("short")]
    times = {"long": 9.0, "short": 1.0}
    assert simulate(units, times, Cluster(1, 1, startup=2.0, dispatch=0.5)).seconds == 2 + 0.5 + 9 + 0.5 + 1
    more, longer = [units[0], unit("a"), unit("b")], {"long": 9.0, "a": 4.0, "b": 3.0}
    assert simulate(more, longer, Cluster(1, 2)).seconds == 9.0
    assert simulate(more, longer, Cluster(1, 2), first=["a", "b"]).seconds == 3.0 + 9.0


def test_without_losses_it_is_near_the_bound() -> None:
    units, times = pairs(600)
    found = simulate(units, times, Cluster(4, 8))
    least = bound(units, times, 32)
    assert least <= found.seconds <= 1.06 * least
    assert math.isclose(found.useful, sum(times.values()))


def lost(units: Sequence[Unit], times: dict[str, float], policy: Policy, seed: int = 0) -> tuple[float, ...]:
    found = simulate(units, times, Cluster(4, 8, loss=0.05, seed=seed), policy)
    busy = found.useful + found.lost
    assert busy <= found.seconds * 32 and found.ended + len(found.given_up) == len(units)
    assert found.attempts == found.ended + found.losses_of_units
    return found.losses, found.attempts, found.ended, found.seconds


def test_units_of_a_lost_node_run_again_and_the_same_seed_loses_the_same() -> None:
    units, times = pairs(1000)
    first = lost(units, times, Policy(losses=99))
    assert first == lost(units, times, Policy(losses=99)) != lost(units, times, Policy(losses=99), seed=1)
    assert first[0] > 3 and first[1] > 1000 and first[2] == 1000


def test_a_unit_that_is_lost_too_often_is_given_up_with_what_comes_after_it() -> None:
    units, times = pairs(1000)
    found = simulate(units, times, Cluster(4, 8, loss=0.2), Policy(losses=1))
    assert found.given_up and found.ended + len(found.given_up) == 1000
    parents = {one.key for one in units if one.parent is None} & found.given_up.keys()
    assert {f"b{key[1:]}" for key in parents} <= found.given_up.keys()


def test_a_cluster_of_which_every_node_goes_at_once_goes_on_when_they_are_back() -> None:
    units, times = pairs(20)
    found = simulate(units, times, Cluster(1, 2, loss=0.4, away=60.0), Policy(losses=99))
    assert found.losses > 0 and found.ended == 20
