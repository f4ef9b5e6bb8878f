"""Which units share a process: the choice itself, and what the Ray engine makes of it, with a cluster that is a few objects."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.engine import ray_packs
from benchmark.engine.packs import Pack, choose, fair, room
from benchmark.engine.ray import RayEngine
from benchmark.engine.ray_packs import HOPE, IDLE, STARTS, Packs
from benchmark.engine.schedule import Fault, Policy, Schedule
from benchmark.errors import InfrastructureError
from benchmark.plan import Unit


def unit(key: str, submission: str = "net", images: int = 1) -> Unit:
    return Unit(key, submission, "scratch", "d", 0, 0, 0, 1, images, False, "random", None, (), None, None)


def test_packs_are_filled_evenly() -> None:
    assert [fair(units, 4, 16) for units in (1, 4, 5, 64, 65, 1000)] == [1, 1, 2, 16, 16, 16]
    assert fair(9, 0, 16) == 9


def test_a_unit_joins_its_own_submission_and_else_the_emptiest_pack() -> None:
    first, second, third = (Pack() for _ in range(3))
    packs = [first, second, third]

    def go(key: str, submission: str, quota: int) -> Pack | None:
        found = choose(packs, unit(key, submission), quota)
        if found:
            found.units[key] = unit(key, submission)
        return found

    assert [go(f"a{n}", "a", 2) for n in range(3)] == [first, first, second]
    assert go("b0", "b", 2) is third, "an empty one before one with another's units"
    assert go("b1", "b", 2) is third and go("b2", "b", 2) is second
    assert go("c", "c", 2) is None, "all are full"
    second.closed = True
    second.units.clear()
    assert go("c", "c", 2) is None, "nobody joins one that is to be alone"


def test_packs_that_start_whole_hold_one_submission_each() -> None:
    packs: list[list[Unit]] = []
    for one in [unit("a0", "a"), unit("b0", "b"), unit("x", "a"), unit("a1", "a"), unit("a2", "a"), unit("b1", "b")]:
        pack = room(packs, one, 2, lambda u: u.key == "x")
        if pack is None:
            packs.append([one])
        else:
            pack.append(one)
    assert [[one.key for one in pack] for pack in packs] == [["a0", "a1"], ["b0", "b1"], ["x"], ["a2"]]


class Lost(Exception):
    """What this cluster says of an actor that went."""


class Cluster:
    """Stands in for Ray: actors start when they are told to, and calls end when they are told to.

    Args:
        fits: actors that it holds.
    """

    def __init__(self, fits: int = 2) -> None:
        self.fits, self.made, self.killed, self.now = fits, [], [], 0.0
        self.ready: list[Any] = []
        self.said: dict[Any, Any] = {}

    def start(self) -> Any:
        number = len(self.made)
        calls: dict[str, Any] = {}

        def run(one: Unit) -> Any:
            calls[one.key] = f"{number}:{one.key}"
            return calls[one.key]

        options = SimpleNamespace(remote=run)
        actor = SimpleNamespace(
            number=number, calls=calls, ready=SimpleNamespace(remote=lambda: f"ready {number}"),
            run=SimpleNamespace(options=lambda name: options),
        )  # fmt: skip
        self.made.append(actor)
        return actor

    def wait(self, references: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        found = [one for one in references if one in self.said][:num_returns]
        return found, [one for one in references if one not in found]

    def get(self, reference: Any) -> Any:
        said = self.said[reference]
        if isinstance(said, Exception):
            raise said
        return said

    def kill(self, actor: Any, no_restart: bool) -> None:
        self.killed.append(actor.number)

    def tell(self, actor: int, key: str, said: Any = None) -> None:
        """A unit in an actor ends."""
        self.said[self.made[actor].calls.pop(key)] = said or {"key": key}

    def up(self, *actors: int) -> None:
        for number in actors:
            self.said[f"ready {number}"] = f"machine-{number}"

    def of(self, actor: int) -> list[str]:
        return list(self.made[actor].calls)


class Run:
    """A schedule, a cluster and the packs between them."""

    def __init__(self, units: list[Unit], cluster: Cluster, most: int = 4, apart: Callable[[Unit], bool] | None = None):
        self.cluster, self.schedule = cluster, Schedule(units, Policy(pause=0.0))
        self.packs = Packs(
            cluster, cluster.start, most, apart or (lambda one: one.key in self.schedule.alone), lambda: cluster.fits,
            lambda ray, error: Fault("lost" if isinstance(error, Lost) else "passing", str(error)), lambda: cluster.now,
        )  # fmt: skip
        self.done: list[str] = []
        self.faults: dict[str, str] = {}

    def step(self) -> None:
        """Hand out, hear what has ended, and hand out again."""
        self.packs.fill(self.schedule)
        for one, found in self.packs.ended(0.0):
            if isinstance(found, Fault):
                self.faults[one.key] = found.kind
                self.schedule.fail(one.key, found, self.cluster.now)
            else:
                self.done.append(one.key)
                self.schedule.end(one.key)
        self.packs.fill(self.schedule)


def test_units_are_spread_over_actors_that_are_there_and_those_that_will_be() -> None:
    cluster = Cluster(fits=3)
    run = Run([unit(f"u{n}") for n in range(9)], cluster)
    cluster.up(0)
    run.step()
    assert len(cluster.made) == 3 and cluster.of(0) == ["u0", "u1", "u2"], "six are kept for the other two"
    cluster.up(1)
    run.step()
    assert cluster.of(1) == ["u3", "u4", "u5"] and run.packs.under_way()["u3"] == "machine-1"
    cluster.now = HOPE + 1
    run.step()
    assert [len(cluster.of(n)) for n in (0, 1)] == [4, 4], "the third does not come: full packs, and one unit waits"
    cluster.tell(0, "u1")
    run.step()
    assert run.done == ["u1"] and len(cluster.of(0)) == 4, "who leaves makes room at once"
    assert run.packs.asked(run.schedule) == 2
    engine = RayEngine(1)
    assert engine.processes() is None and engine.under_way() == {}
    engine.packs = run.packs
    assert engine.processes() == 2 and len(engine.under_way()) == 8


def test_an_actor_that_goes_takes_no_finished_unit_and_the_others_are_tried_again_alone() -> None:
    cluster = Cluster(fits=1)
    run = Run([unit(f"u{n}") for n in range(4)], cluster)
    cluster.up(0)
    run.step()
    cluster.tell(0, "u0")
    for key in ("u1", "u2", "u3"):
        cluster.tell(0, key, Lost("gone"))
    run.step()
    assert run.done == ["u0"] and run.faults == dict.fromkeys(("u1", "u2", "u3"), "beside")
    assert cluster.killed == [0] and run.schedule.alone == {"u1", "u2", "u3"} and not run.schedule.given_up
    cluster.up(1)
    for key in ("u1", "u2", "u3"):
        run.step()
        assert cluster.of(1) == [key], "one at a time"
        cluster.tell(1, key)
    run.step()
    assert run.schedule.over and run.done == ["u0", "u1", "u2", "u3"]


def test_only_a_unit_that_was_alone_is_blamed_and_the_third_actor_in_all_is_its_last() -> None:
    cluster = Cluster(fits=1)
    run = Run([unit("killer"), unit("other")], cluster)
    for number in range(2):
        cluster.up(number)
        run.step()
        for key in cluster.of(number):
            cluster.tell(number, key, Lost("gone"))
        run.step()
    assert run.faults == {"killer": "lost", "other": "beside"} and not run.schedule.given_up
    cluster.up(2)
    run.step()
    assert cluster.of(2) == ["other"], "the one that waited meanwhile"
    cluster.tell(2, "other")
    run.step()
    assert cluster.of(2) == ["killer"]
    cluster.tell(2, "killer", Lost("gone"))
    run.step()
    assert (
        list(run.schedule.given_up) == ["killer"] and "quarantined: gone (2 times)" in run.schedule.given_up["killer"]
    )
    assert run.schedule.over and run.done == ["other"]


def test_a_unit_that_fails_in_a_pack_is_the_only_one() -> None:
    cluster = Cluster(fits=1)
    run = Run([unit("a"), unit("b")], cluster)
    cluster.up(0)
    run.step()
    cluster.tell(0, "a", ValueError("no room on this disk"))
    run.step()
    assert run.faults == {"a": "passing"} and sorted(cluster.of(0)) == ["a", "b"] and cluster.killed == []


def test_a_unit_that_is_to_be_alone_waits_for_an_actor_that_empties_and_no_other_stands_still() -> None:
    cluster = Cluster(fits=2)
    units = [unit(f"u{n}", images=9 - n) for n in range(4)] + [unit("own", images=4)]
    run = Run(units, cluster, most=2, apart=lambda one: one.key == "own")
    cluster.up(0, 1)
    run.step()
    assert [cluster.of(n) for n in (0, 1)] == [["u0", "u1"], ["u2", "u3"]] and "own" not in run.packs.under_way()
    cluster.tell(0, "u0")
    run.step()
    assert cluster.of(0) == ["u1"], "it empties"
    cluster.tell(0, "u1")
    run.step()
    assert cluster.of(0) == ["own"] and cluster.of(1) == ["u2", "u3"]
    cluster.tell(1, "u2")
    run.step()
    assert cluster.of(0) == ["own"], "and nobody joins it"


def test_actors_without_work_give_their_gpu_back() -> None:
    cluster = Cluster(fits=2)
    run = Run([unit("a"), unit("b")], cluster)
    cluster.up(0, 1)
    run.step()
    cluster.tell(0, "a")
    run.step()
    cluster.now = IDLE - 1
    run.step()
    assert cluster.killed == []
    cluster.now = IDLE + 1
    run.step()
    assert cluster.killed == [0]
    run.packs.end()
    assert cluster.killed == [0, 1]


def test_actors_that_never_start_end_the_run_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(fits=1)
    run = Run([unit("a")], cluster)
    for number in range(STARTS - 1):
        cluster.said[f"ready {number}"] = Lost("no module named benchmark")
        run.step()
    cluster.said[f"ready {STARTS - 1}"] = Lost("no module named benchmark")
    with pytest.raises(InfrastructureError, match="no worker starts on the Ray cluster: no module named benchmark"):
        run.step()


def test_nothing_is_asked_of_a_cluster_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(ray_packs.time, "sleep", slept.append)
    cluster = Cluster(fits=5)
    run = Run([], cluster)
    assert run.packs.ended(0.25) == [] and slept == [0.25]
    run.packs.fill(run.schedule)
    assert cluster.made == [] and run.packs.asked(run.schedule) == 0
