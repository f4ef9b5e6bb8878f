"""A unit from its inputs to its record, with a sandbox that answers at once."""

import fcntl
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmark.errors import InfrastructureError, IntegrityError
from benchmark.job import Job
from benchmark.ledger import Ledger
from benchmark.plan import Planner, Unit, Weights
from benchmark.runner import Runner
from benchmark.sandbox import Limits, Outcome, Sandbox
from benchmark.sandbox.base import EpochReport
from benchmark.submission import Submission
from benchmark.track import Track


class Instant(Sandbox):
    """Answers with the mean image of the nearest class, and counts how often it was asked."""

    name: ClassVar[str] = "instant"

    def __init__(self, change: Callable[[Path], None] | None = None, outcome: Outcome | None = None) -> None:
        self.runs: list[str] = []
        self.change, self.outcome = change, outcome or Outcome("finished", seconds=1.5, peak_bytes=10)

    def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        job = Job.model_validate_json((inputs / "job.json").read_text())
        self.runs.append(job.key)
        if self.outcome.status != "finished":
            return self.outcome
        train, labels, test = (np.load(inputs / f"{n}.npy").astype(float) for n in ("train", "train_labels", "test"))
        means = np.stack([train[labels == c].mean(0).ravel() for c in range(job.classes)])
        distance = ((test.reshape(len(test), 1, -1) - means) ** 2).mean(-1)
        np.save(output / "logits.npy", (-distance / 100).astype(np.float32))
        save_file({"means": means.astype(np.float32)}, output / "model.safetensors")
        (output / "log.jsonl").write_text("".join(f'{{"epoch": {n + 1}}}\n' for n in range(job.epochs)))
        (output / "environment.json").write_text("{}")
        report({"epoch": 1, "epochs": job.epochs})
        if self.change:
            self.change(output)
        return self.outcome


@pytest.fixture
def make(workspace: Path, tiny_track: Track, tiny_submission: Submission) -> Callable[..., tuple[Runner, list[Unit]]]:
    def runner(sandbox: Sandbox) -> tuple[Runner, list[Unit]]:
        made = Runner(
            workspace, tiny_track, {"tiny-net": tiny_submission}, {}, sandbox, "cpu", 1, lambda unit, line: None
        )
        manifests = {name: made.store.open(name).manifest for name in tiny_track.targets}
        plan = Planner(tiny_track, manifests, lambda _: Weights(None, "none"), {}).plan([tiny_submission], ["scratch"])
        return made, plan.units

    return runner


def test_a_unit_becomes_a_record_that_verifies(make: Any) -> None:
    runner, units = make(Instant())
    record = runner.execute(units[0])
    assert record["status"] == "scored" and record["scores"]["macro_f1"] > 0.5
    for field in (
        "key",
        "chain",
        "weights",
        "packages",
        "harness",
        "environment",
        "seconds",
        "peak_bytes",
        "cpu_seconds",
        "checkpoint",
        "prev",
        "hash",
    ):
        assert field in record, field
    assert runner.ledger.verify() == []


def test_a_finished_unit_is_not_trained_again(make: Any) -> None:
    sandbox = Instant()
    runner, units = make(sandbox)
    first = runner.execute(units[0])
    assert runner.execute(units[0]) == first and len(sandbox.runs) == 1


def test_what_a_crash_left_between_training_and_record_is_scored_not_trained(make: Any) -> None:
    sandbox = Instant()
    runner, units = make(sandbox)
    record = runner.execute(units[0])
    for left in ("records.jsonl", "predictions"):  # killed before the record, before the predictions
        target = runner.ledger.folder / left
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        again = (
            runner.execute(units[0])
            if left == "records.jsonl"
            else (runner.ledger.path.unlink() or runner.execute(units[0]))
        )
        assert again["scores"] == record["scores"] and again["predictions"] == record["predictions"]
    assert len(sandbox.runs) == 1


def test_a_half_written_unit_is_never_read(make: Any) -> None:
    sandbox = Instant()
    runner, units = make(sandbox)
    half = runner.workspace / "work" / f"{units[0].key}.1" / "output"
    half.mkdir(parents=True)
    (half / "logits.npy").write_bytes(b"half")
    assert runner.execute(units[0])["status"] == "scored"
    assert not half.exists()


def test_what_killed_runs_left_is_swept_and_what_is_held_stays(make: Any) -> None:
    runner, _ = make(Instant())
    work = runner.workspace / "work"
    for key in ("dead", "held"):
        (work / f"{key}.7" / "inputs").mkdir(parents=True)
        (work / f"{key}.lock").touch()
    with (work / "held.lock").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        runner.sweep()
    assert {path.name for path in work.iterdir()} == {"dead.lock", "held.lock", "held.7"}


def test_a_score_claimed_by_the_unit_is_ignored(make: Any) -> None:
    honest = make(Instant())
    record = honest[0].execute(honest[1][0])

    def boast(output: Path) -> None:
        (output / "scores.json").write_text('{"macro_f1": 1.0}')
        (output / "environment.json").write_text('{"macro_f1": 1.0, "scores": {"macro_f1": 1.0}}')
        honest = (output / "log.jsonl").read_text()
        (output / "log.jsonl").write_text(honest.replace("}", ', "test_macro_f1": 1.0}'))

    shutil.rmtree(honest[0].ledger.folder)
    shutil.rmtree(honest[0].workspace / "units")
    runner, units = make(Instant(boast))
    boasted = runner.execute(units[0])
    assert boasted["scores"] == record["scores"]
    assert not (runner.folder(units[0].key) / "scores.json").exists()


def test_no_label_of_the_test_part_reaches_the_inputs(make: Any, workspace: Path) -> None:
    kept: dict[str, Any] = {}

    class Spy(Instant):
        def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
            kept["names"] = {path.name for path in inputs.iterdir()}
            kept["test"] = np.load(inputs / "test.npy")
            kept["train"] = np.load(inputs / "train.npy")
            return super().run(inputs, output, limits, report)

    runner, units = make(Spy())
    runner.execute(units[0])
    assert kept["names"] == {
        "job.json", "train.npy", "train_labels.npy", "validation.npy", "validation_labels.npy", "test.npy", "code",
    }  # fmt: skip
    prepared = runner.prepared(units[0].dataset)
    inside = prepared.images[prepared.manifest.part(0, "test")]
    assert not np.array_equal(kept["test"], inside), "the order must be permuted"
    assert sorted(map(bytes, kept["test"])) == sorted(map(bytes, inside))
    assert not {bytes(i) for i in kept["train"]} & {bytes(i) for i in inside}


def test_the_order_of_the_test_images_differs_by_unit_and_workspace(make: Any) -> None:
    from benchmark.sandbox.inputs import test_order

    orders = {tuple(test_order(secret, key, 48)) for secret in (b"a" * 32, b"b" * 32) for key in ("k1", "k2")}
    assert len(orders) == 4


FAILURES = {
    "nan": Outcome("model-failure", "nan", "the loss is not a finite number in epoch 1"),
    "time-out": Outcome("model-failure", "time-out", "not done after 300 s"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_models_failure_is_a_recorded_result_and_is_not_tried_again(make: Any, kind: str) -> None:
    sandbox = Instant(outcome=FAILURES[kind])
    runner, units = make(sandbox)
    record = runner.execute(units[0])
    assert record["status"] == "failed" and record["failure"]["kind"] == kind
    assert runner.execute(units[0]) == record and len(sandbox.runs) == 1
    assert runner.ledger.verify() == []


def test_an_unusable_output_is_a_failure_of_the_submission(make: Any) -> None:
    runner, units = make(Instant(lambda output: (output / "logits.npy").write_bytes(b"nothing")))
    record = runner.execute(units[0])
    assert record["status"] == "failed" and record["failure"]["kind"] == "bad-output"


def test_the_machines_failure_is_raised_and_never_recorded(make: Any) -> None:
    runner, units = make(Instant(outcome=Outcome("infrastructure", "killed", "killed from outside")))
    with pytest.raises(InfrastructureError, match="killed from outside") as caught:
        runner.execute(units[0])
    assert caught.value.transient and runner.ledger.records() == []


def child_of(unit: Unit) -> Unit:
    return replace(unit, key="child", parent=unit.key, start="checkpoint", arm="two-step")


def test_a_child_starts_from_its_parents_checkpoint(make: Any) -> None:
    seen: list[bytes] = []

    class Spy(Instant):
        def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
            if (inputs / "start.safetensors").exists():
                seen.append((inputs / "start.safetensors").read_bytes())
            return super().run(inputs, output, limits, report)

    runner, units = make(Spy())
    runner.execute(units[0])
    record = runner.execute(child_of(units[0]))
    assert record["parent"] == units[0].key
    assert seen == [(runner.folder(units[0].key) / "model.safetensors").read_bytes()]


def test_an_altered_checkpoint_is_refused(make: Any) -> None:
    runner, units = make(Instant())
    runner.execute(units[0])
    path = runner.folder(units[0].key) / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match="altered"):
        runner.execute(child_of(units[0]))


def test_a_child_of_a_failed_unit_fails_with_the_reason(make: Any) -> None:
    sandbox = Instant(outcome=FAILURES["nan"])
    runner, units = make(sandbox)
    runner.execute(units[0])
    record = runner.execute(child_of(units[0]))
    assert record["failure"] == {"kind": "parent", "message": "the stage before failed: nan"}
    assert len(sandbox.runs) == 1


def test_a_lost_checkpoint_is_made_again_without_a_second_record(make: Any) -> None:
    sandbox = Instant()
    runner, units = make(sandbox)
    record = runner.execute(units[0])
    shutil.rmtree(runner.folder(units[0].key))
    assert runner.execute(units[0]) == record
    assert (
        runner.has_checkpoint(units[0].key)
        and len(sandbox.runs) == 2
        and len(Ledger(runner.ledger.folder).records()) == 1
    )


def test_what_the_record_refers_to_is_kept_beside_it(make: Any, tiny_track: Track) -> None:
    runner, units = make(Instant())
    record = runner.execute(units[0])
    ledger = Ledger(runner.ledger.folder)
    assert ledger.document("tracks", record["track"]["digest"])["recipe"]["epochs"] == tiny_track.recipe.epochs
    assert ledger.document("submissions", record["submission"]["document"])["name"] == "tiny-net"
    assert json.loads(ledger.path.read_text())["key"] == units[0].key
