"""Packs on a real Ray cluster of two nodes, each with one actor: the same ledger as the undisturbed run, whatever goes."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

import benchmark.remote.head
from benchmark.artefacts import Artefacts
from benchmark.campaign import Campaign
from benchmark.engine import Options, ray_packs
from benchmark.errors import InfrastructureError
from benchmark.sandbox import SANDBOXES
from tests.engine import faults
from tests.engine.ray_cluster import Case
from tests.remote.inline import facts

pytestmark = pytest.mark.slow

PACK = 4


def wait_for(ready: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + faults.DEADLINE
    while not ready():
        assert time.monotonic() < until, what
        time.sleep(0.02)


@pytest.fixture
def one_actor(case: Case) -> Iterator[None]:
    """One of the two nodes is taken by somebody else, so that all units of a run are in one process."""
    import ray as module

    taken = module.remote(num_gpus=2, num_cpus=0)(Somebody).remote()
    module.get(taken.here.remote())
    with mock.patch.object(ray_packs, "HOPE", 0.0):
        yield
    module.kill(taken)


class Somebody:
    """Another user's actor."""

    def here(self) -> None:
        return


class Full:
    """A run whose four units without a parent have all begun, and wait."""

    def __init__(self, case: Case, pool: ThreadPoolExecutor) -> None:
        self.case = case
        self.holds = {key: case.book.tell("hold", key) for key in case.roots}
        self.running = pool.submit(case.run, pack=PACK)
        for key in case.roots:
            case.book.wait("start", key)

    def packs(self) -> dict[tuple[str, str], list[str]]:
        """Process and node → units that have begun in it."""
        found: dict[tuple[str, str], list[str]] = {}
        for what, key, pid, node in self.case.book.lines():
            if what == "start":
                found.setdefault((pid, node), []).append(key)
        return found

    def end(self) -> None:
        for hold in self.holds.values():
            hold.unlink(missing_ok=True)
        self.running.result(faults.DEADLINE)


def alone(case: Case, key: str) -> bool:
    """Whether the last attempt at a unit had its process for itself."""
    lines = case.book.lines()
    begun = max(n for n, line in enumerate(lines) if line[:2] == ["start", key])
    ended = next((n for n, line in enumerate(lines) if n > begun and line[:2] == ["end", key]), len(lines))
    pid = lines[begun][2]
    before = [line for line in lines[:begun] if line[2] == pid]
    open_before = sum(line[0] == "start" for line in before) - sum(line[0] == "end" for line in before)
    return open_before == 0 and not any(line[0] == "start" and line[2] == pid for line in lines[begun + 1 : ended])


def test_several_units_share_a_process_and_the_ledger_is_that_of_a_run_without_packs(case: Case) -> None:
    with ThreadPoolExecutor(1) as pool:
        full = Full(case, pool)
        assert sorted(map(len, full.packs().values())) == [2, 2], "two actors share four units evenly"
        full.end()
    case.check()


@pytest.mark.usefixtures("one_actor")
@pytest.mark.parametrize("what", ["worker", "node"])
def test_a_pack_that_is_lost_loses_no_finished_unit_and_the_others_run_again_alone(case: Case, what: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        full = Full(case, pool)
        [((pid, node), (finished, *others))] = full.packs().items()
        assert len(others) == 3
        full.holds[finished].unlink()
        wait_for(lambda: finished in Artefacts(case.store).finished(), "no document of a unit that has ended")
        if what == "worker":
            os.kill(int(pid), signal.SIGKILL)
        else:
            case.ray.remove(node)
        wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the worker is still there")
        full.end()
    children = [unit.key for unit in case.units if unit.parent == finished]
    again = {key for key in (*others, *children) if case.book.count("start", key) > 1}
    assert set(others) <= again and case.book.count("start", finished) == 1
    assert all(alone(case, key) for key in others)
    case.check(extra=len(again))


@pytest.mark.usefixtures("one_actor")
def test_a_unit_that_fails_in_a_pack_fails_alone(case: Case) -> None:
    single, other = case.roots[:2]
    after = {unit.key for unit in case.units if unit.parent == single}
    fail, wanted = case.book.tell("fail", single), case.undisturbed()
    case.book.tell("break", other)
    with ThreadPoolExecutor(1) as pool:
        Full(case, pool).end()
    found = facts(case.campaign)
    failed = found.pop(single)
    assert failed[0] == "failed" and failed[-1]["kind"] == "nan"
    assert all(found.pop(key)[0] == "failed" for key in after)
    assert len(found) == 6 and found == {key: fact for key, fact in wanted.items() if key in found}
    counts = {key: case.book.count("start", key) for key in found}
    assert counts == {key: 1 + (key == other) for key in found}, (
        "whom the machine failed is tried again, the others not"
    )
    fail.unlink()
    case.run(pack=PACK, retry_failed=True)
    assert facts(case.campaign) == wanted


@pytest.mark.usefixtures("one_actor")
def test_a_unit_that_kills_each_process_is_quarantined_alone_and_no_other(case: Case) -> None:
    """It kills the first process as soon as all four are in it."""
    single = case.roots[1]
    with ThreadPoolExecutor(1) as pool:
        hold = case.book.tell("hold-then-kill", single)
        full = Full(case, pool)
        case.book.tell("killer", single)
        hold.unlink()
        with pytest.raises(InfrastructureError, match=r"1 of 8 units could not be run, and 1 that come") as caught:
            full.end()
    assert f"{single[:12]} tiny-net" in str(caught.value) and "quarantined: " in str(caught.value)
    assert len(case.campaign.ledger.records()) == 6
    assert case.book.count("start", single) == 3, "once beside others, and twice alone"
    assert alone(case, single) and all(alone(case, key) for key in case.roots)
    case.book.told("killer", single).unlink()
    vain = case.book.count("start") - 6
    case.run(pack=PACK)
    case.check(extra=vain)


def test_a_head_that_is_killed_while_packs_are_full(case: Case) -> None:
    holds = [case.book.tell("hold", key) for key in case.roots[1:]]
    head = case.head(pack=str(PACK))
    case.book.wait("end", case.roots[0])
    for key in case.roots:
        case.book.wait("start", key)
    wait_for(lambda: case.roots[0] in Artefacts(case.store).finished(), "no document")
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    for hold in holds:
        hold.unlink()
    finished = Artefacts(case.store).finished()
    again = case.head(pack=str(PACK))
    out, _ = again.communicate(timeout=faults.DEADLINE)
    assert again.returncode == 0, out.decode()
    assert all(case.book.count("start", key) == 1 for key in finished), "nothing finished is trained twice"
    case.check(extra=case.book.count("start") - len(case.units))


@pytest.mark.usefixtures("one_actor")
def test_real_trainings_in_turns_leave_what_they_leave_alone_also_when_their_process_is_killed(case: Case) -> None:
    """Plain timm networks in the product's own sandbox; the process in which they take turns ends once with three in it."""
    submission = faults.plain_submission()
    shutil.copytree(case.workspace / "datasets", case.root / "alone" / "datasets")
    alone = Campaign(case.root / "alone", case.track, [submission])
    alone.run(alone.plan(["scratch"], ["sim-q"], [0, 1, 2]).units, lambda *_: None)
    packed = Campaign(case.workspace, case.track, [submission], artefacts=Artefacts(case.store))
    units = packed.plan(["scratch"], ["sim-q"], [0, 1, 2]).units
    case.book.tell("kill", units[1].key).write_text("3")
    options = Options(address=case.ray.address, pack=PACK, gpus=2.0)
    with (
        faults.quick(),
        mock.patch.dict(SANDBOXES, {"process": faults.Turns}),
        mock.patch.object(benchmark.remote.head, "execute", faults.execute_in_turns),
        mock.patch.object(faults.Turns, "book", case.book, create=True),
    ):
        packed.run(units, lambda *_: None, engine="ray", options=options)
    assert len(facts(packed)) == 3 and facts(packed) == facts(alone)
    records = {record["key"]: record for record in packed.ledger.records()}
    assert all(record["sandbox"] == "process" and "beside" in record["sandbox_details"] for record in records.values())
    said = {line[0] for line in case.book.lines()}
    assert "beside-3" in said and case.book.count("start") == 6, "all three were in it, and each was trained again"
