import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.engine.schedule import Fault, Policy, Schedule, fault_of, losses_for, path_costs
from benchmark.errors import InfrastructureError, InputError, IntegrityError, TakenError
from benchmark.plan import Unit

PASSING, LOST = Fault("passing", "no answer"), Fault("lost", "its node went")
TAKEN, LASTING = Fault("taken", "held"), Fault("lasting", "altered code")


def unit(key: str, parent: str | None = None, images: int = 1) -> Unit:
    return Unit(key, "net", "scratch", "d", 0, 0, 0, 1, images, False, "random", parent, (), None, None)


CHAIN = [unit("short"), unit("child", "root", 5), unit("root", None, 2), unit("grandchild", "child", 1)]


def drained(schedule: Schedule) -> list[str]:
    order = []
    while one := schedule.take():
        order.append(one.key)
        schedule.end(one.key)
    return order


@pytest.mark.parametrize(("units", "losses"), [(1, 2), (4_999, 2), (5_000, 3), (100_000, 3), (1_000_000, 4)])
def test_a_large_campaign_quarantines_nothing_that_chance_explains(units: int, losses: int) -> None:
    assert losses_for(units) == losses


def test_longest_path_first_then_in_the_order_given() -> None:
    assert drained(Schedule(CHAIN)) == ["root", "child", "short", "grandchild"]
    assert drained(Schedule(CHAIN, cost=lambda one: -one.cost)) == ["short", "root", "child", "grandchild"]


def test_a_parent_that_is_not_among_them_is_not_waited_for() -> None:
    assert drained(Schedule([unit("a", "elsewhere")])) == ["a"]


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_path_costs_are_those_of_the_definition(seed: int, count: int) -> None:
    chance = random.Random(seed)
    parents = [None, *(chance.choice([None, *range(n)]) for n in range(1, count))]
    units = [unit(str(n), None if p is None else str(p), chance.randint(1, 9)) for n, p in enumerate(parents)]

    def longest(key: str) -> float:
        own = next(u for u in units if u.key == key).cost
        return own + max((longest(u.key) for u in units if u.parent == key), default=0)

    chance.shuffle(units)
    assert path_costs(units) == {u.key: longest(u.key) for u in units}


@given(st.integers(0, 10_000))
def test_whatever_fails_every_unit_ends_once_after_its_parent_or_is_given_up(seed: int) -> None:
    chance = random.Random(seed)
    parents = [None, *(chance.choice([None, *range(n)]) for n in range(1, 25))]
    units = [unit(str(n), None if p is None else str(p)) for n, p in enumerate(parents)]
    schedule, now, running = Schedule(units, Policy(tries=3, losses=2)), 0.0, []
    ended: list[str] = []
    while not schedule.over:
        while len(running) < 4 and (one := schedule.take(now)):
            assert one.parent is None or one.parent in ended
            running.append(one.key)
        now += 1.0
        if running:
            key = running.pop(chance.randrange(len(running)))
            if chance.random() < 0.5:
                schedule.fail(key, chance.choice([PASSING, LOST, TAKEN, LASTING]), now)
            else:
                schedule.end(key)
                ended.append(key)
    assert len(ended) == len(set(ended)) and not running
    assert set(ended) | schedule.given_up.keys() == {u.key for u in units}
    assert set(ended) == schedule.ended and not set(ended) & schedule.given_up.keys()
    assert (schedule.error() is None) == (not schedule.given_up)


def test_a_passing_fault_waits_longer_each_time_and_at_last_is_given_up() -> None:
    schedule = Schedule([unit("a")], Policy(tries=4, pause=2.0, growth=3.0, longest=10.0))
    now, pauses = 0.0, []
    while schedule.take(now):
        if not schedule.fail("a", PASSING, now):
            break
        due = schedule.due()
        assert due is not None and schedule.take(due - 0.01) is None
        pauses.append(due - now)
        now = due
    assert pauses == [2.0, 6.0, 10.0]
    assert schedule.given_up == {"a": "no answer (4 times)"} and schedule.over


def test_a_unit_that_kills_its_node_twice_is_quarantined_and_named_and_the_others_go_on() -> None:
    schedule = Schedule([*CHAIN, unit("killer", images=50), unit("heir", "killer")], Policy(losses=2))
    order: list[str] = []
    while not schedule.over and (one := schedule.take()):
        if one.key == "killer":
            schedule.fail("killer", LOST, 0.0)
        else:
            schedule.end(one.key)
            order.append(one.key)
    assert sorted(order) == sorted(u.key for u in CHAIN)
    assert schedule.given_up["killer"] == "quarantined: its node went (2 times)"
    text = str(schedule.error())
    assert "1 of 6 units could not be run, and 1 that come after them; the others are done" in text
    assert "killer net" in text and "heir" not in text


def test_a_unit_that_another_worker_holds_is_looked_at_again_without_end() -> None:
    schedule = Schedule([unit("a")], Policy(taken=15.0))
    for number in range(200):
        assert schedule.take(15.0 * number)
        assert schedule.fail("a", TAKEN, 15.0 * number) and schedule.due() == 15.0 * (number + 1)


def test_kinds_of_faults_are_counted_apart() -> None:
    schedule = Schedule([unit("a")], Policy(tries=2, losses=2))
    for fault, again in ((LOST, True), (PASSING, True), (LOST, False)):
        assert schedule.take()
        assert schedule.fail("a", fault, 0.0) is again


def test_a_process_that_went_with_several_units_costs_none_of_them_an_attempt_and_each_is_to_be_alone() -> None:
    schedule = Schedule([unit("a"), unit("b")], Policy(tries=5, losses=2))
    assert [schedule.take(), schedule.take()] and schedule.alone == set()
    assert schedule.fail("a", Fault("beside", "its process went"), 0.0) and schedule.alone == {"a"}
    for again in (True, False):
        assert schedule.take()
        assert schedule.fail("a", LOST, 0.0) is again
    assert list(schedule.given_up) == ["a"] and schedule.retries == 3


@pytest.mark.parametrize(
    ("error", "cluster", "machine"),
    [
        (InfrastructureError("lost", transient=True), "passing", "passing"),
        (InfrastructureError("the disk is full"), "passing", "lasting"),
        (InfrastructureError("its process went", transient=True, beside=True), "beside", "beside"),
        (TakenError("held"), "taken", "taken"),
        (InputError("no such file"), "lasting", "lasting"),
        (IntegrityError("altered"), "lasting", "lasting"),
        (ValueError("a bug"), "lasting", "lasting"),
        (FileNotFoundError("a file was cleaned up"), "passing", "lasting"),
    ],
)
def test_what_an_exception_means(error: Any, cluster: str, machine: str) -> None:
    assert fault_of(error).kind == cluster
    assert fault_of(error, everywhere=True).kind == machine


def test_there_is_room_for_a_hundred_thousand_units() -> None:
    """Operations, not seconds: every unit is pushed and taken once."""
    units = [unit(f"r{n}", images=n % 97 + 1) for n in range(50_000)]
    units += [unit(f"c{n}", f"r{n}", n % 89 + 1) for n in range(50_000)]
    assert len(set(drained(Schedule(units)))) == 100_000
