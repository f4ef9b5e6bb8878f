"""Training one unit on this machine: from what it starts from to a folder whose contents were checked.

The half of a run that needs images and a sandbox, but no ledger; a head's threads use it as a node's workers do.
A unit's folder appears whole by a rename, and one that is there is never trained again.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.data.manifest import CLASSES
from benchmark.data.store import Prepared
from benchmark.errors import InfrastructureError, InputError, IntegrityError
from benchmark.files import disk_errors, sha256_file, write_json
from benchmark.job import Job, MemoryFormat, Start
from benchmark.memory_format import MemoryFormats
from benchmark.plan import Unit
from benchmark.pretrained import Located
from benchmark.provenance import harness, packages
from benchmark.sandbox import Limits, Outcome, Sandbox
from benchmark.sandbox.inputs import test_order, workspace_secret, write_inputs
from benchmark.sandbox.judge import log_tail
from benchmark.sandbox.outputs import BadOutputError, Output, keep_agreed, read_outputs
from benchmark.scoring import Stored, unpermute
from benchmark.submission import Submission, hash_code
from benchmark.track import Track

Progress = Callable[[Unit, dict[str, Any]], None]

LASTING = ("stopped", "input")
"""Kinds of the machine's failures that trying again does not mend."""

CHECKPOINT = "model.safetensors"

FAILED = (
    "sandbox",
    "sandbox_details",
    "seconds",
    "peak_bytes",
    "cpu_seconds",
    "packages",
    "harness",
    "ended",
    "failure",
)
"""Fields of a failed unit's record that say how it went, not what it is."""


@dataclass
class Trainer:
    """Everything a unit needs to be trained, on one machine.

    Args:
        workspace: where units are, and the secret of the order of test images.
        track: the track.
        submissions: by name.
        weights: located ImageNet weights, by submission.
        sandbox: where the unit's code runs.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: processor threads a unit may use.
        progress: called with every line of a unit's log.
        prepared: a dataset at the track's size.
    """

    workspace: Path
    track: Track
    submissions: Mapping[str, Submission]
    weights: Mapping[str, Located]
    sandbox: Sandbox
    device: str
    threads: int
    progress: Progress
    prepared: Callable[[str], Prepared]

    def __post_init__(self) -> None:
        self.secret = workspace_secret(self.workspace)
        self.formats = MemoryFormats(self.workspace)

    def sweep(self) -> None:
        """Remove what killed runs left of units that nobody holds any more."""
        work = self.workspace / "work"
        for lock in work.glob("*.lock"):
            handle = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(work, lock.stem)
            except BlockingIOError:
                continue
            finally:
                os.close(handle)

    def folder(self, key: str) -> Path:
        """Where a finished unit's checkpoint, log and logits are."""
        return self.workspace / "units" / key

    def has_checkpoint(self, key: str) -> bool:
        """Whether a finished unit's checkpoint is in this workspace."""
        return (self.folder(key) / "result.json").is_file()

    def result(self, key: str) -> dict[str, Any]:
        """What was measured of a finished unit."""
        found: dict[str, Any] = json.loads((self.folder(key) / "result.json").read_text())
        return found

    @contextmanager
    def claimed(self, key: str) -> Iterator[None]:
        """Hold a unit against another harness on this workspace; remove what a dead one left."""
        work = self.workspace / "work"
        with disk_errors(work):
            work.mkdir(parents=True, exist_ok=True)
            handle = os.open(work / f"{key}.lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _remove(work, key)
            yield
        finally:
            _remove(work, key)
            os.close(handle)

    def checkpoint(self, key: str) -> Path:
        """A finished unit's checkpoint in this workspace.

        Raises:
            IntegrityError: when it is missing or is not what the unit left.
        """
        path = self.folder(key) / CHECKPOINT
        if not path.is_file():
            raise IntegrityError("the checkpoint to start from is missing", file=path)
        if sha256_file(path) != self.result(key)["checkpoint"]:
            raise IntegrityError(
                "the checkpoint to start from was altered", file=path, hint="Delete its folder and run again"
            )
        return path

    def _start(self, unit: Unit, parent: Path | None) -> tuple[Start, Path | None]:
        if unit.start == "imagenet":
            located = self.weights[unit.submission]
            file = f"start{located.path.suffix}"
            start = Start(kind="imagenet", file=file, layout=located.layout, classifier=located.classifier)
            return start, located.path
        if parent is not None:
            return Start(kind="checkpoint", file="start.safetensors"), parent
        return Start(kind="random"), None

    def _format(self, unit: Unit, prepared: Prepared) -> MemoryFormat:
        images, submission = len(prepared.manifest.part(unit.fold, "train")), self.submissions[unit.submission]
        steps = unit.epochs * max(1, images // self.track.recipe.batch_size)
        return self.formats.choose(unit.key, steps, submission, self.track, self.sandbox, self.device, self.threads)

    def _job(self, unit: Unit, start: Start, memory_format: MemoryFormat) -> Job:
        return Job(
            key=unit.key,
            seed=unit.seed,
            model=self.submissions[unit.submission].spec.model.model_dump(mode="json"),
            classes=len(CLASSES),
            image_size=self.track.preprocess.size,
            epochs=unit.epochs,
            recipe=self.track.recipe,
            start=start,
            device=self.sandbox.inside(self.device),
            threads=self.threads,
            memory_format=memory_format,
        )

    def train(self, unit: Unit, parent: Path | None) -> Outcome:
        """Train a unit that is claimed.

        Args:
            unit: the unit.
            parent: checkpoint of the unit before it.

        Returns:
            How it ended. If it is `finished`, its folder is there.

        Raises:
            InfrastructureError: when the machine failed.
            InputError: when the submission's code is no longer what the plan saw.
        """
        submission, prepared = self.submissions[unit.submission], self.prepared(unit.dataset)
        order = self._order(unit)
        work = self.workspace / "work" / f"{unit.key}.{os.getpid()}"
        inputs, output = work / "inputs", work / "output"
        start, source = self._start(unit, parent)
        job = self._job(unit, start, self._format(unit, prepared))
        write_inputs(inputs, job, prepared, unit.fold, unit.shuffled, order, source, submission.code)
        if submission.code and hash_code((inputs / "code").iterdir()) != submission.code_hash:
            raise InputError(
                "the code was changed while the run was under way", file=submission.folder, hint="Run again"
            )
        output.mkdir()
        limits = Limits(self.track.timeout, self.threads, self.device)
        outcome = self.sandbox.run(inputs, output, limits, lambda line: self.progress(unit, line))
        if outcome.status == "infrastructure":
            raise InfrastructureError(
                f"{unit.submission} {' → '.join(unit.chain)}: {outcome.message}", transient=outcome.kind not in LASTING,
                beside=outcome.details.get("beside", 1) > 1,
            )  # fmt: skip
        if outcome.status == "model-failure":
            return outcome
        try:
            read = read_outputs(output, len(order), len(CLASSES), unit.epochs)
        except BadOutputError as error:
            message = f"{error}\n{log_tail(output)}".strip()
            return replace(outcome, status="model-failure", kind="bad-output", message=message)
        with disk_errors(output):
            keep_agreed(output)
            write_json(output / "result.json", self._measured(outcome, output, read))
            shutil.rmtree(self.folder(unit.key), ignore_errors=True)
            self.folder(unit.key).parent.mkdir(parents=True, exist_ok=True)
            os.replace(output, self.folder(unit.key))
        return outcome

    def _order(self, unit: Unit) -> Any:
        return test_order(self.secret, unit.key, len(self.prepared(unit.dataset).manifest.part(unit.fold, "test")))

    def stored(self, unit: Unit) -> Stored:
        """Logits of a finished unit as they are kept: half precision, in manifest order."""
        order = self._order(unit)
        return unpermute(read_outputs(self.folder(unit.key), len(order), len(CLASSES)).logits, order)

    def _measured(self, outcome: Outcome, output: Path, read: Output) -> dict[str, Any]:
        """What was seen from outside, kept with the unit until its record is written."""
        return self._made(outcome) | {
            "energy_joules": outcome.energy_joules,
            "checkpoint": sha256_file(output / CHECKPOINT),
            "environment": read.environment,
            "log": read.log,
        }

    def failed(self, outcome: Outcome) -> dict[str, Any]:
        """What is recorded of a model's failure, beside what the unit is."""
        failure = {"kind": outcome.kind, "message": outcome.message[:4000]}
        return self._made(outcome) | {"failure": failure}

    def _made(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "sandbox": self.sandbox.name,
            "sandbox_details": outcome.details,
            "seconds": outcome.seconds,
            "peak_bytes": outcome.peak_bytes,
            "cpu_seconds": outcome.cpu_seconds,
            "packages": packages(),
            "harness": harness(),
            "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }


def after_failure(kind: str) -> Outcome:
    """How a unit ends whose stage before failed."""
    return Outcome("model-failure", "parent", f"the stage before failed: {kind}")


def _remove(work: Path, key: str) -> None:
    """Remove the folders of a unit's attempts; each attempt has its own, named by its process."""
    for left in work.glob(f"{key}.[0-9]*"):
        shutil.rmtree(left, ignore_errors=True)
