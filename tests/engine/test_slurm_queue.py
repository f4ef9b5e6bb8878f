"""What Slurm's commands say, and what follows from it; the commands here are scripts of the test."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.engine.base import Options
from benchmark.engine.slurm import SlurmEngine, _folder, _Place, _Work
from benchmark.engine.slurm_batch import Batch
from benchmark.engine.slurm_queue import Queue, Task, check, parse
from benchmark.errors import InfrastructureError, InputError
from benchmark.files import write_json
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
    place = _Place(Batch(tmp_path, ("x", "a")), 1, "9_1", Task("9_1", "kb-a", 1, state, "n2", "None"))
    fault = _Work._lost(place)
    assert fault.kind == kind
    assert (
        fault.reason
        == f"Slurm's task 9_1 left no answer: {state} on n2; its last line: slurmstepd: error: Detected 1 oom_kill event"
    )
    assert "gone" in _Work._lost(_Place(Batch(tmp_path / "none", ("a",)), 0, "9")).reason


def test_an_answer_that_comes_late_is_waited_for_and_a_half_written_one_is_none(
    tmp_path: Path, says: Callable[[str, str], None]
) -> None:
    work = work_of(tmp_path, says, settles="600")
    assert work.schedule.take() is not None
    batch = Batch(tmp_path / "kb-x", ("a",))
    batch.folder.mkdir()
    work.places["a"] = _Place(batch, 0, "9")
    says("squeue", "printf '9|kb-x|RUNNING|n1|None\n'")
    work._look()
    assert work.engine.under_way() == {"a": "n1"} and work._settle("a") is None
    says("squeue", "exit 0")
    work._look()
    batch.answer(0).write_text('{"document": {"key"')
    assert work._settle("a") is None and work.engine.under_way() == {}
    write_json(batch.answer(0), {"document": {"key": "a"}})
    assert work._settle("a") == {"key": "a"} and work.schedule.over and not batch.folder.exists()


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
    for name, keys in (("kb-lives", ["z", "a"]), ("kb-over", ["a"]), ("kb-damaged", None)):
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
