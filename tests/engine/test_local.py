import threading
import time
from typing import Any

import pytest

from benchmark.engine import LocalEngine
from benchmark.engine import local as module
from benchmark.engine.schedule import path_costs
from benchmark.errors import InfrastructureError
from benchmark.plan import Unit


def unit(key: str, parent: str | None = None, images: int = 1) -> Unit:
    return Unit(key, "net", "scratch", "d", 0, 0, 0, 1, images, False, "random", parent, (), None, None)


CHAIN = [unit("short"), unit("child", "root", 5), unit("root", None, 2), unit("grandchild", "child", 1)]


def test_longest_path_counts_what_hangs_on_a_unit() -> None:
    assert path_costs(CHAIN) == {"short": 1, "root": 8, "child": 6, "grandchild": 1}


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_unit_runs_once_after_its_parent(jobs: int) -> None:
    ended: list[str] = []

    def execute(one: Unit) -> dict[str, Any]:
        assert one.parent is None or one.parent in ended
        time.sleep(0.01)
        ended.append(one.key)
        return {"key": one.key}

    found = list(LocalEngine(jobs).run(CHAIN, execute))
    assert sorted(ended) == sorted(u.key for u in CHAIN) == sorted(record["key"] for _, record in found)


def test_the_longest_path_goes_first() -> None:
    started = []
    list(LocalEngine(1).run(CHAIN, lambda one: started.append(one.key) or {}))
    assert started == ["root", "child", "short", "grandchild"]


def test_no_more_units_at_once_than_jobs() -> None:
    running, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=60)

    def execute(one: Unit) -> dict[str, Any]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1
        return {}

    list(LocalEngine(2).run([unit(str(n)) for n in range(8)], execute))
    assert most == 2


def test_a_passing_fault_of_the_machine_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    tries = []

    def execute(one: Unit) -> dict[str, Any]:
        tries.append(one.key)
        if len(tries) < 3:
            raise InfrastructureError("lost", transient=True)
        return {"done": True}

    assert [record for _, record in LocalEngine(1).run([unit("a")], execute)] == [{"done": True}]
    assert tries == ["a"] * 3


def test_a_lasting_fault_stops_the_run_and_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    ran = []

    def execute(one: Unit) -> dict[str, Any]:
        ran.append(one.key)
        if one.key == "b":
            raise InfrastructureError("the disk is full")
        return {}

    results = LocalEngine(1).run([unit("a", images=9), unit("b", images=5), unit("c")], execute)
    assert next(results)[0].key == "a"
    with pytest.raises(InfrastructureError, match="disk is full"):
        next(results)
    assert ran == ["a", "b"]


def test_units_whose_process_went_with_them_run_alone_and_only_the_one_that_did_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three at once in one process; one ends it each time. What runs beside an attempt is written down."""
    monkeypatch.setattr(module, "PAUSE", 0.0)
    running, lock, attempts = set(), threading.Lock(), []
    first = threading.Barrier(3, timeout=60)

    def execute(one: Unit) -> dict[str, Any]:
        with lock:
            before = sum(key == one.key for key, _ in attempts)
            running.add(one.key)
            attempts.append((one.key, len(running)))
        try:
            if not before:
                first.wait()
                raise InfrastructureError("the process went", transient=True, beside=True)
            time.sleep(0.02)
            with lock:
                assert running == {one.key}, running
            if one.key == "killer":
                raise InfrastructureError("the process went", transient=True)
            return {"key": one.key}
        finally:
            with lock:
                running.discard(one.key)

    units = [unit("killer", images=1), unit("a", images=9), unit("b", images=8)]
    results = LocalEngine(3).run(units, execute)
    assert sorted(next(results)[0].key for _ in range(2)) == ["a", "b"]
    with pytest.raises(InfrastructureError, match="the process went"):
        next(results)
    alone = [key for key, beside in attempts[3:] if beside == 1]
    assert alone.count("a") == alone.count("b") == 1 and alone.count("killer") == module.RETRIES + 1
    assert len(attempts) == 3 + len(alone)
