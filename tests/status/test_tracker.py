import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import InfrastructureError
from benchmark.plan import Unit
from benchmark.status.model import RunState
from benchmark.status.tracker import KEPT, About, Tracker

ABOUT = About("local", "process", "tiny", "cpu", "karyobench run x")


def unit(key: str) -> Unit:
    return Unit(key, "net", "scratch", "d", 0, 0, 0, 2, 10, False, "random", None, ("d",), None, None)


def read(tracker: Tracker) -> RunState:
    return RunState.model_validate_json(tracker.path.read_bytes())


def until(happened: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Engine:
    """Says what a test wants."""

    def under_way(self) -> dict[str, str]:
        return {"a": "n1"}

    def queued(self) -> int:
        return 1

    def given_up(self) -> dict[str, str]:
        return {}

    def retries(self) -> int:
        return 2

    def processes(self) -> int | None:
        return None


def test_the_state_is_there_from_the_first_moment_and_beats_until_the_end(tmp_path: Path) -> None:
    shown: list[RunState] = []
    with Tracker(tmp_path / "runs", ABOUT, [unit("a"), unit("b")], show=shown.append, every=0.01) as tracker:
        first = read(tracker)
        assert (first.phase, first.total, first.command) == ("preparing", 2, "karyobench run x")
        assert (first.head.pid, first.ended) == (os.getpid(), False)
        tracker.watch(Engine())
        until(lambda: read(tracker).running == 1)
        state = read(tracker)
        assert (state.phase, state.queued, state.retries) == ("running", 1, 2) and state.beat > 1
        tracker.ended(unit("a"), {"status": "scored", "seconds": 0.1})
    last = read(tracker)
    assert (last.phase, last.done, last.ended) == ("finished", 1, True)
    assert shown[-1] == last and [state.beat for state in shown] == list(range(1, last.beat + 1))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"{last.run}.json"], "no half-written file is left"


@pytest.mark.parametrize(
    ("error", "phase", "message"),
    [
        (InfrastructureError("the disk is full"), "failed", "the disk is full"),
        (ValueError("odd"), "failed", "ValueError: odd"),
        (KeyboardInterrupt(), "stopped", ""),
    ],
)
def test_how_a_run_ended_is_kept(tmp_path: Path, error: BaseException, phase: str, message: str) -> None:
    tracker = Tracker(tmp_path, ABOUT, [unit("a")])
    with pytest.raises(type(error)), tracker:
        raise error
    state = read(tracker)
    assert (state.phase, state.message, state.remaining) == (phase, message, None)


def test_a_disk_or_a_store_that_refuses_the_state_ends_no_run(tmp_path: Path) -> None:
    blocked = tmp_path / "runs"
    blocked.write_text("a file, not a folder")

    def refuses(name: str, data: bytes) -> None:
        raise InfrastructureError("the store does not answer", transient=True)

    with Tracker(blocked, ABOUT, [unit("a")], publish=refuses, every=0.01) as tracker:
        until(lambda: tracker.state().beat > 3)
        blocked.unlink()
        until(tracker.path.exists)
    assert read(tracker).phase == "finished"


def test_the_store_gets_the_first_and_the_last_state_and_its_slowness_stops_no_beat(tmp_path: Path) -> None:
    got: list[tuple[str, dict[str, Any]]] = []

    def slow(name: str, data: bytes) -> None:
        got.append((name, json.loads(data)))
        if len(got) == 1:
            until(lambda: tracker.state().beat > 5)

    tracker = Tracker(tmp_path, ABOUT, [unit("a")], publish=slow, every=0.01)
    with tracker:
        until(lambda: tracker.state().beat > 8)
    assert {name for name, _ in got} == {tracker.path.name}
    assert got[0][1]["phase"] == "preparing" and got[-1][1]["phase"] == "finished"


def test_states_of_old_runs_are_forgotten(tmp_path: Path) -> None:
    for number in range(KEPT + 5):
        (tmp_path / f"2020{number:04d}T000000Z-abcdef.json").write_text("{}")
    with Tracker(tmp_path, ABOUT, [unit("a")]) as tracker:
        pass
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == KEPT and names[-1] == tracker.path.name and names[0].startswith("20200006")
