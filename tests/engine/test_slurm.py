"""The Slurm engine with real daemons, which the tests start on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import benchmark.remote.head
from benchmark.artefacts import Artefacts
from benchmark.campaign import Campaign
from benchmark.engine.base import Options
from benchmark.engine.slurm import PREFIX, SlurmEngine
from benchmark.errors import InfrastructureError, InputError
from benchmark.plan import Unit
from benchmark.sandbox import SANDBOXES
from benchmark.submission import Submission
from benchmark.track import Track
from tests.engine import slurm_cluster
from tests.engine.faults import BOOK, Book, Turns, plain_submission
from tests.engine.slurm_calls import Work, in_turns, unit
from tests.engine.slurm_cluster import SlurmCluster, wait_for
from tests.remote.inline import facts

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

ROOT = Path(__file__).parents[2]
PLAIN = plain_submission()


@pytest.fixture(scope="session")
def cluster() -> Iterator[SlurmCluster]:
    """A Slurm of two nodes, one with two GPUs that are none."""
    pytest.importorskip("submitit", reason="submitit is not installed (pip install 'karyobench[slurm]')")
    yield from slurm_cluster.running()


@pytest.fixture
def work(cluster: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """What tasks do, in a folder of the test."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "work").mkdir()
    return Work(tmp_path / "work")


def engine(workspace: Path, gpus: float = 0.0, pack: int | None = None, **settings: str) -> SlurmEngine:
    whole = {"poll": "0.2", "settles": "1", "time": "60", **settings}
    return SlurmEngine(1, options=Options(gpus=gpus, pack=pack, folder=workspace, settings=whole))


class Run:
    """A run in a thread, so that a test can disturb it."""

    def __init__(self, made: SlurmEngine, units: list[Unit], work: Work) -> None:
        self.engine, self.found, self.error = made, {}, None
        self._thread = threading.Thread(target=self._run, args=(units, work), daemon=True)
        self._thread.start()

    def _run(self, units: list[Unit], work: Work) -> None:
        try:
            for one, document in self.engine.run(units, work):
                self.found[one.key] = document
        except Exception as error:
            self.error = error

    def end(self) -> dict[str, Any]:
        self._thread.join(100)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        return self.found


def started(work: Work, key: str, times: int = 1) -> Callable[[], bool]:
    return lambda: len(work.starts(key)) >= times


def test_units_run_after_their_parents_and_one_that_cannot_run_cancels_nothing_else(work: Work, tmp_path: Path) -> None:
    units = [
        unit("bad", images=9),
        unit("after-bad", "bad"),
        unit("root", images=5),
        unit("child", "root"),
        unit("single"),
    ]
    run = Run(engine(tmp_path), units, work)
    with pytest.raises(
        InfrastructureError,
        match=r"(?s)1 of 5 units could not be run, and 1 that come after.*does not fit; found 'bad'",
    ):
        run.end()
    assert run.found == {key: {"key": key} for key in ("root", "child", "single")}
    assert [len(work.starts(one.key)) for one in units] == [1, 0, 1, 1, 1]
    first = {work.starts(key)[0][0] for key in ("bad", "root", "single")}
    assert len(first) == 3 and len(set(work.starts("child")[0][0]) & first) == 0
    assert set(run.engine.given_up()) == {"bad", "after-bad"} and run.engine.retries() == 1


def test_a_task_that_is_killed_is_run_again_and_one_put_back_into_the_queue_comes_back_by_itself(
    cluster: SlurmCluster, work: Work, tmp_path: Path
) -> None:
    """Cancelled, its process killed, put back into the queue, and told that it is preempted."""
    keys = ["once-cancelled", "once-killed", "once-requeued"]
    run = Run(engine(tmp_path, gpus=0), [unit(key) for key in keys], work)
    for key in keys:
        wait_for(started(work, key), f"start of {key}")
    jobs = {key: work.starts(key)[0] for key in keys}
    wait_for(lambda: set(run.engine.under_way()) == set(keys), "all three seen at work")
    assert set(run.engine.under_way().values()) <= {"n1", "n2"} and run.engine.queued() == 0
    cluster.command("scancel", jobs["once-cancelled"][0])
    os.kill(int(jobs["once-killed"][1]), signal.SIGKILL)
    cluster.command("scontrol", "requeue", jobs["once-requeued"][0])
    assert run.end() == {key: {"key": key} for key in keys}
    assert [len(work.starts(key)) for key in keys] == [2, 2, 2]
    assert run.engine.retries() == 2, "the one that was put back never failed"
    again = {key: work.starts(key)[1] for key in keys}
    assert again["once-requeued"][0] == jobs["once-requeued"][0], "it is the same job"
    assert again["once-cancelled"][0] != jobs["once-cancelled"][0]


def test_a_preempted_task_puts_itself_back_and_gpus_are_leased(
    cluster: SlurmCluster, work: Work, tmp_path: Path
) -> None:
    run = Run(engine(tmp_path, gpus=1), [unit("once"), unit("other")], work)
    wait_for(started(work, "once"), "start")
    job = work.starts("once")[0][0]
    cluster.command("scancel", "--signal=USR2", job)  # what Slurm sends a while before it takes the node away
    assert run.end() == {key: {"key": key} for key in ("once", "other")}
    assert [start[0] for start in work.starts("once")] == [job, job] and run.engine.retries() == 0
    assert {work.starts(key)[-1][2] for key in ("once", "other")} <= {"0", "1"}


def test_units_of_a_task_share_its_process_and_one_that_kills_it_is_the_only_one_to_blame(
    cluster: SlurmCluster, work: Work, tmp_path: Path
) -> None:
    """Four in one task, of which one has ended when its process is killed; then one that kills each process it is in."""
    keys = ["quick", "once-a", "once-b", "once-c"]
    run = Run(engine(tmp_path, pack=4), [unit(key) for key in keys], work)
    for key in keys:
        wait_for(started(work, key), f"start of {key}")
    wait_for(lambda: "quick" in run.found, "the answer of one while the others are at work")
    [start] = {tuple(start) for key in keys for start in work.starts(key)}
    os.kill(int(start[1]), signal.SIGKILL)
    assert run.end() == {key: {"key": key} for key in keys}
    assert [len(work.starts(key)) for key in keys] == [1, 2, 2, 2]
    assert len({work.starts(key)[-1][0] for key in keys[1:]}) == 3, "each is a task of its own now"
    assert run.engine.retries() == 3

    keys = ["kills", "once-held"]
    again = Run(engine(tmp_path / "second", pack=2), [unit(key) for key in keys], work)
    with pytest.raises(InfrastructureError, match=r"(?s)1 of 2 units could not be run.*left no answer.*\(5 times\)"):
        again.end()
    assert again.found == {"once-held": {"key": "once-held"}} and set(again.engine.given_up()) == {"kills"}
    assert len(work.starts("kills")) == 6, "once beside the other, which costs nothing, and five times alone"


def test_a_head_that_was_killed_finds_its_tasks_again(cluster: SlurmCluster, work: Work, tmp_path: Path) -> None:
    keys = ["wait-a", "wait-b"]
    code = [sys.executable, "-m", "tests.engine.slurm_calls", str(tmp_path), str(work.folder), *keys]
    first = subprocess.Popen(code, cwd=ROOT)
    for key in keys:
        wait_for(started(work, key), f"start of {key}")
    first.kill()
    first.wait()
    jobs = {key: work.starts(key)[0][0] for key in keys}
    second = Run(engine(tmp_path), [unit(key) for key in (*keys, "new")], work)
    wait_for(started(work, "new"), "a unit that the first head had not")
    (work.folder / "go").touch()
    assert second.end() == {key: {"key": key} for key in (*keys, "new")}
    assert {key: [start[0] for start in work.starts(key)] for key in keys} == {key: [job] for key, job in jobs.items()}
    assert list((tmp_path / "slurm").glob(f"{PREFIX}*")) == [], "nothing is left of batches that are done"


def test_what_sbatch_refuses_is_said_at_once(work: Work, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sbatch refuses these tasks; found .*Invalid partition"):
        list(engine(tmp_path, partition="nowhere").run([unit("a")], work))


def test_ctrl_c_ends_the_tasks(cluster: SlurmCluster, work: Work, tmp_path: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.slurm_calls", str(tmp_path), str(work.folder), "wait"],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(started(work, "wait"), "start")
    first.send_signal(signal.SIGINT)
    assert first.wait(60) != 0
    job = work.starts("wait")[0][0]
    wait_for(lambda: cluster.states().get(job) in ("COMPLETING", "CANCELLED"), f"end of {job}")


def test_real_trainings_that_were_disturbed_leave_the_same_records_as_on_one_machine(
    cluster: SlurmCluster, work: Work, workspace: Path, tmp_path: Path, tiny_track: Track, tiny_submission: Submission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One is cancelled while it trains, the other put back into the queue; then the head forgets all and asks again."""
    monkeypatch.setenv("KARYOBENCH_NODE_CACHE", str(tmp_path / "node"))
    shutil.copytree(workspace, tmp_path / "local")
    local = Campaign(tmp_path / "local", tiny_track, [tiny_submission])
    local.run(local.plan(["scratch"]).units, lambda one, entry: None)

    store = Artefacts(str(tmp_path / "store"))
    campaign = Campaign(workspace, tiny_track, [tiny_submission], artefacts=store)
    units = campaign.plan(["scratch"]).units
    settings = {"poll": "0.2", "settles": "1", "memory": "2G"}
    options = Options(folder=workspace / "engine", settings=settings)
    already = len(cluster.states())
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(
            campaign.run, units, lambda one, entry: None, engine="slurm", options=options,
        )  # fmt: skip
        claims = [tmp_path / "store" / "claims" / one.key / "000000.json" for one in units]
        wait_for(lambda: run.done() or all(path.is_file() for path in claims), "both at work")
        first, second = sorted(job for job, state in cluster.states().items() if state == "RUNNING")
        cluster.command("scancel", first)
        cluster.command("scontrol", "requeue", second)
        assert len(run.result(100)) == 2
    assert facts(campaign) == facts(local) and len(facts(local)) == 2 and campaign.ledger.verify() == []
    shutil.copytree(tmp_path / "local" / "datasets", tmp_path / "other" / "datasets")
    other = Campaign(tmp_path / "other", tiny_track, [tiny_submission], artefacts=store)
    before = len(cluster.states())
    assert before >= already + 3, "one of the two was run again"
    other.run(units, lambda one, entry: None, engine="slurm", options=options)
    assert facts(other) == facts(local) and len(cluster.states()) == before, (
        "what is in the store is not submitted again"
    )


def test_real_trainings_that_take_turns_in_one_task_leave_the_same_records_as_on_one_machine(
    cluster: SlurmCluster,
    work: Work,
    workspace: Path,
    tmp_path: Path,
    tiny_track: Track,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process in which three take turns is killed once; then each is a task of its own."""
    monkeypatch.setenv("KARYOBENCH_NODE_CACHE", str(tmp_path / "node"))
    monkeypatch.setenv(BOOK, str(tmp_path / "book"))
    shutil.copytree(workspace, tmp_path / "local")
    local = Campaign(tmp_path / "local", tiny_track, [PLAIN])
    local.run(local.plan(["scratch"], ["sim-q"], [0, 1, 2]).units, lambda *_: None)

    store = Artefacts(str(tmp_path / "store"))
    campaign, book = Campaign(workspace, tiny_track, [PLAIN], artefacts=store), Book.of(str(tmp_path / "store"))
    units = campaign.plan(["scratch"], ["sim-q"], [0, 1, 2]).units
    book.tell("kill", units[1].key).write_text("3")
    options = Options(folder=workspace / "engine", settings={"poll": "0.2", "settles": "1", "memory": "3G"}, pack=3)
    monkeypatch.setitem(SANDBOXES, "process", Turns)
    monkeypatch.setattr(Turns, "book", book, raising=False)
    monkeypatch.setattr(benchmark.remote.head, "execute", in_turns)
    already = len(cluster.states())
    campaign.run(units, lambda *_: None, engine="slurm", options=options)
    assert facts(campaign) == facts(local) and len(facts(local)) == 3 and campaign.ledger.verify() == []
    assert book.count("start") == 6 and book.count("beside-3") == 3, book.lines()
    assert len(cluster.states()) == already + 4, "one task of three, and three of one"
