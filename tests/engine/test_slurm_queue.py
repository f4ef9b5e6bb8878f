"""What Slurm's commands say, and what follows from it; the commands here are scripts of the test."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.engine.base import Options
from benchmark.engine.slurm import SlurmEngine, _folder, _Place, _Work
from benchmark.engine.slurm_batch import Batch, Call, answer
from benchmark.engine.slurm_queue import Queue, Task, check, parse
from benchmark.errors import InfrastructureError, InputError
from benchmark.files import write_json
from benchmark.plan import Unit
from tests.engine.slurm_calls import Work, unit


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Sets what a command of Slurm does: `says("squeue", "exit 1")`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, body: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)

    for name in ("sbatch", "squeue", "scancel", "srun"):
        make(name, "exit 0")
    return make


LINES = "12_0|kb-a|RUNNING|n1|None\n12_31|kb-a|PENDING||Resources|x\n7|kb-b|NODE_FAIL|n2|NodeDown\n8|other|RUNNING|n1|None\n"


def test_tasks_and_jobs_of_their_own_are_told_apart() -> None:
    found = parse(LINES)
    assert [(one.job, one.name, one.number) for one in found] == [
        ("12_0", "kb-a", 0), ("12_31", "kb-a", 31), ("7", "kb-b", 0), ("8", "other", 0),
    ]  # fmt: skip
    assert [(one.waits, one.over) for one in found] == [(False, False), (True, False), (False, True), (False, False)]
    assert found[1].reason == "Resources|x"


def test_a_controller_that_is_away_is_waited_for_and_then_an_error(says: Callable[[str, str], None]) -> None:
    now = 0.0
    queue = Queue(patience=100.0, clock=lambda: now)
    says("squeue", f"printf '{LINES}'")
    found = queue.tasks("kb-")
    assert found and [one.name for one in found] == ["kb-a", "kb-a", "kb-b"]
    says("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    now = 99.0
    assert queue.tasks("kb-") is None
    now = 101.0
    with pytest.raises(InfrastructureError, match="does not answer: Unable to contact") as error:
        queue.tasks("kb-")
    assert error.value.transient


def test_a_machine_without_slurm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="Slurm's commands are not here: sbatch, squeue, scancel, srun"):
        check()


def work_of(tmp_path: Path, says: Callable[[str, str], None], **settings: str) -> _Work:
    pytest.importorskip("submitit", reason="submitit is not installed")
    engine = SlurmEngine(1, options=Options(folder=tmp_path, settings={"time": "60", "poll": "0.1", **settings}))
    from benchmark.engine.slurm_options import asked

    return _Work(engine, [unit("a")], Work(tmp_path), tmp_path, asked(engine.options))


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("NODE_FAIL", "lost"),
        ("OUT_OF_MEMORY", "lost"),
        ("CANCELLED", "passing"),
        ("TIMEOUT", "passing"),
        ("COMPLETED", "passing"),
    ],
)
def test_what_a_task_that_left_no_answer_means(tmp_path: Path, state: str, kind: str) -> None:
    (tmp_path / "9_1_0_log.err").write_text("a line\nslurmstepd: error: Detected 1 oom_kill event\n")
    place = _Place(Batch(tmp_path, (("x",), ("a",))), 1, "9_1", Task("9_1", "kb-a", 1, state, "n2", "None"))
    fault = _Work._lost(place)
    assert fault.kind == kind
    assert (
        fault.reason
        == f"Slurm's task 9_1 left no answer: {state} on n2; its last line: slurmstepd: error: Detected 1 oom_kill event"
    )
    assert "gone" in _Work._lost(_Place(Batch(tmp_path / "none", (("a",),)), 0, "9")).reason


def test_an_answer_that_comes_late_is_waited_for_and_a_half_written_one_is_none(
    tmp_path: Path, says: Callable[[str, str], None]
) -> None:
    work = work_of(tmp_path, says, settles="600")
    assert work.schedule.take() is not None
    batch = Batch(tmp_path / "kb-x", (("a",),))
    batch.folder.mkdir()
    work.places["a"] = _Place(batch, 0, "9")
    says("squeue", "printf '9|kb-x|RUNNING|n1|None\n'")
    work._look()
    assert work.engine.under_way() == {"a": "n1"} and work._settle("a") is None
    says("squeue", "exit 0")
    work._look()
    answer(batch.folder, "a").write_text('{"document": {"key"')
    assert work._settle("a") is None and work.engine.under_way() == {}
    write_json(answer(batch.folder, "a"), {"document": {"key": "a"}})
    assert work._settle("a") == {"key": "a"} and work.schedule.over and not batch.folder.exists()


def packed(tmp_path: Path, units: list[Unit], **settings: str) -> _Work:
    """Work in packs of three."""
    pytest.importorskip("submitit", reason="submitit is not installed")
    given = {"time": "60", "poll": "0.1", "settles": "0", **settings}
    engine = SlurmEngine(1, options=Options(folder=tmp_path, settings=given, pack=3))
    from benchmark.engine.slurm_options import asked

    return _Work(engine, units, Work(tmp_path), tmp_path, asked(engine.options))


def test_a_lost_task_blames_none_of_several_and_the_one_that_was_left(
    tmp_path: Path, says: Callable[[str, str], None]
) -> None:
    keys = ("a", "b", "c")
    work = packed(tmp_path, [unit(key) for key in keys])
    for _ in keys:
        work.schedule.take()
    batch = Batch(tmp_path / "kb-x", (keys,))
    batch.folder.mkdir()
    work.places = {key: _Place(batch, 0, "9") for key in keys}
    write_json(answer(batch.folder, "a"), {"document": {"key": "a"}})
    says("squeue", "printf '9|kb-x|NODE_FAIL|n1|None\n'")
    work._look()
    assert [work._settle(key) for key in keys] == [{"key": "a"}, None, None]
    assert work.schedule.alone == {"b", "c"} and work.schedule.retries == 2 and work.places == {}
    assert work.schedule.due() is not None and work.engine.processes() is None
    last = packed(tmp_path, [unit(key) for key in keys[:2]])
    for _ in keys[:2]:
        last.schedule.take()
    last.places = {key: _Place(batch, 0, "9") for key in keys[:2]}
    last._look()
    assert [last._settle(key) for key in keys[:2]] == [{"key": "a"}, None]
    assert last.schedule.alone == set(), "it had nobody beside it any more: this counts"
    assert last.schedule._faults == {("b", "lost"): 1}


def test_the_queue_holds_no_more_tasks_than_it_is_to_whatever_is_in_them(
    tmp_path: Path, says: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[list[str]]] = []
    monkeypatch.setattr(_Work, "_array", lambda self, packs: made.append([[u.key for u in pack] for pack in packs]))
    units = [unit(f"u{n}") for n in range(5)] + [unit("late"), unit("later")]
    work = packed(tmp_path, units, pending="3")
    work.schedule.alone.add("u4")
    work._submit()
    assert made == [[["u4"]], [["u0", "u1", "u2"], ["u3", "late", "later"]]]
    made.clear()
    few = packed(tmp_path, units, pending="1")
    few._submit()
    assert made == [[["u0", "u1", "u2"]]] and few.next is not None and few.next.key == "u3"
    few._submit()
    assert made[1:] == [[["u3", "u4", "late"]]], "the one that had no place comes first"


def test_a_task_answers_for_each_unit_when_it_ends_and_its_time_for_those_that_have_not(tmp_path: Path) -> None:
    class UncompletedJobError(RuntimeError):
        """As submitit's."""

    write_json(answer(tmp_path, "done-before"), {"document": {"key": "done-before"}})
    wait = threading.Event()

    def execute(one: Unit) -> dict[str, str]:
        assert one.key != "done-before"
        if one.key == "broken":
            raise OSError("disk full")
        if one.key.startswith("slow"):
            wait.wait(60)
        return {"key": one.key}

    units = [unit(key) for key in ("done-before", "quick", "broken", "slow-1", "slow-2")]
    joined = threading.Thread.join

    def over(self: threading.Thread, timeout: float | None = None) -> None:
        """What the handler of a signal would raise, once the quick ones have answered."""
        joined(self, timeout)
        if timeout and answer(tmp_path, "quick").is_file() and answer(tmp_path, "broken").is_file():
            raise UncompletedJobError("timed out")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "join", over)
        Call(execute, tmp_path)(units)
    said = {one.key: Batch(tmp_path, ()).read(one.key) or {} for one in units}
    assert said["quick"] == {"document": {"key": "quick"}}
    assert said["broken"]["fault"] == {"kind": "passing", "reason": "OSError: disk full"}
    assert said["slow-1"]["fault"] == said["slow-2"]["fault"] == {"kind": "beside", "reason": "timed out"}
    wait.set()


def test_a_queue_that_is_full_is_tried_again_and_other_refusals_are_not(
    tmp_path: Path, says: Callable[[str, str], None]
) -> None:
    says("sbatch", "echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1")
    full = work_of(tmp_path, says)
    full._submit()
    assert full.schedule.retries == 1 and not full.schedule.over and full.schedule.due() is not None
    says("sbatch", "echo 'sbatch: error: invalid account' >&2; exit 1")
    wrong = work_of(tmp_path, says)
    with pytest.raises(InputError, match="invalid account"):
        wrong._submit()


def test_a_second_head_works_beside_the_first_in_a_folder_of_its_own(tmp_path: Path) -> None:
    with _folder(tmp_path) as (first, alone):
        assert alone and first == tmp_path / "slurm"
        with _folder(tmp_path) as (second, also_alone):
            assert not also_alone and second.parent == tmp_path and second != first
        assert not second.exists()
    with _folder(tmp_path) as (again, alone):
        assert alone and again == first


def test_what_a_dead_head_left_and_nobody_runs_is_removed(tmp_path: Path, says: Callable[[str, str], None]) -> None:
    for name, keys in (
        ("kb-lives", [["z"], ["a", "y"]]),
        ("kb-over", [["a"]]),
        ("kb-damaged", None),
        ("kb-older", ["a"]),
    ):
        (tmp_path / name).mkdir()
        if keys:
            write_json(tmp_path / name / "batch.json", keys)
    says("squeue", "printf '5_1|kb-lives|RUNNING|n1|None\n6|kb-over|COMPLETED||None\n5_0|kb-lives|PENDING||None\n'")
    work = work_of(tmp_path, says)
    work.adopt()
    assert {key: place.job for key, place in work.adopted.items()} == {"a": "5_1"}
    assert sorted(path.name for path in tmp_path.glob("kb-*")) == ["kb-lives"]
    work._submit()
    assert work.places["a"].job == "5_1" and work.adopted == {}
    says("squeue", "exit 1")
    with pytest.raises(InfrastructureError, match="does not answer"):
        work_of(tmp_path, says).adopt()
