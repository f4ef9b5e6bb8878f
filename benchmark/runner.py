"""Running one unit from its inputs to its record, so that a kill at any moment loses at most that unit.

Order of what is kept: the unit's folder appears whole by a rename; then its predictions; then, last,
its record. Whatever is missing after a crash is made again from what is there; a unit whose folder
is there is never trained again.
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
from benchmark.data.store import Prepared, Store
from benchmark.errors import InfrastructureError, InputError, IntegrityError
from benchmark.files import digest, disk_errors, sha256_file, write_json
from benchmark.job import Job, Start
from benchmark.ledger import Ledger
from benchmark.plan import Unit
from benchmark.pretrained import Located
from benchmark.provenance import harness, packages
from benchmark.records import Record
from benchmark.sandbox import Limits, Outcome, Sandbox
from benchmark.sandbox.inputs import test_order, workspace_secret, write_inputs
from benchmark.sandbox.judge import log_tail
from benchmark.sandbox.outputs import BadOutputError, Output, keep_agreed, read_outputs
from benchmark.scoring import score, unpermute
from benchmark.submission import Submission, hash_code
from benchmark.track import Track

Progress = Callable[[Unit, dict[str, Any]], None]

LASTING = ("stopped", "input")
"""Kinds of the machine's failures that trying again does not mend."""


@dataclass
class Runner:
    """Everything a unit needs to be run, on one machine.

    Args:
        workspace: where datasets, units and the ledger are.
        track: the track.
        submissions: by name.
        weights: located ImageNet weights, by submission.
        sandbox: where the unit's code runs.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: processor threads a unit may use.
        progress: called with every line of a unit's log.
    """

    workspace: Path
    track: Track
    submissions: Mapping[str, Submission]
    weights: Mapping[str, Located]
    sandbox: Sandbox
    device: str
    threads: int
    progress: Progress

    def __post_init__(self) -> None:
        self.store = Store(self.workspace)
        self.ledger = Ledger(self.workspace / "ledger")
        self.secret = workspace_secret(self.workspace)
        self._prepared: dict[str, Prepared] = {}

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

    def prepared(self, name: str) -> Prepared:
        """A dataset at the track's size, opened once."""
        if name not in self._prepared:
            self._prepared[name] = self.store.prepared(name, self.track.preprocess)
        return self._prepared[name]

    def execute(self, unit: Unit) -> Record:
        """Run a unit, or finish what a crash left of it.

        Raises:
            InfrastructureError: when the machine failed; nothing is recorded.
            IntegrityError: when what it starts from is not what its record says.
        """
        with self._claimed(unit.key):
            known = self.ledger.by_key().get(unit.key)
            if known and (known["status"] == "failed" or self.has_checkpoint(unit.key)):
                return known
            if self.has_checkpoint(unit.key):
                return self._finish(unit)
            if unit.parent:
                parent = self.ledger.by_key().get(unit.parent)
                if parent and parent["status"] == "failed":
                    return self._fail(
                        unit,
                        Outcome("model-failure", "parent", f"the stage before failed: {parent['failure']['kind']}"),
                    )
            return self._train(unit, known)

    @contextmanager
    def _claimed(self, key: str) -> Iterator[None]:
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

    def _job(self, unit: Unit, submission: Submission) -> tuple[Job, Path | None]:
        start, source = Start(kind="random"), None
        if unit.start == "imagenet":
            located = self.weights[unit.submission]
            source = located.path
            start = Start(kind="imagenet", file=f"start{source.suffix}", layout=located.layout)
        elif unit.parent:
            source = self.folder(unit.parent) / "model.safetensors"
            self._check_parent(unit.parent, source)
            start = Start(kind="checkpoint", file="start.safetensors")
        job = Job(
            key=unit.key,
            seed=unit.seed,
            model=submission.spec.model.model_dump(mode="json"),
            classes=len(CLASSES),
            image_size=self.track.preprocess.size,
            epochs=unit.epochs,
            recipe=self.track.recipe,
            start=start,
            device=self.sandbox.inside(self.device),
            threads=self.threads,
        )
        return job, source

    def _check_parent(self, key: str, checkpoint: Path) -> None:
        if not checkpoint.is_file():
            raise IntegrityError("the checkpoint to start from is missing", file=checkpoint)
        wanted = json.loads((checkpoint.parent / "result.json").read_text())["checkpoint"]
        if sha256_file(checkpoint) != wanted:
            raise IntegrityError(
                "the checkpoint to start from was altered", file=checkpoint, hint="Delete its folder and run again"
            )

    def _train(self, unit: Unit, known: Record | None) -> Record:
        submission = self.submissions[unit.submission]
        prepared = self.prepared(unit.dataset)
        order = test_order(self.secret, unit.key, len(prepared.manifest.part(unit.fold, "test")))
        work = self.workspace / "work" / f"{unit.key}.{os.getpid()}"
        inputs, output = work / "inputs", work / "output"
        job, source = self._job(unit, submission)
        write_inputs(inputs, job, prepared, unit.fold, unit.shuffled, order, source, submission.code)
        if submission.code and hash_code((inputs / "code").iterdir()) != submission.code_hash:
            raise InputError(
                "the code was changed while the run was under way", file=submission.folder, hint="Run again"
            )
        output.mkdir()
        outcome = self.sandbox.run(
            inputs,
            output,
            Limits(self.track.timeout, self.threads, self.device),
            lambda line: self.progress(unit, line),
        )
        if outcome.status == "infrastructure":
            raise InfrastructureError(
                f"{unit.submission} {' → '.join(unit.chain)}: {outcome.message}", transient=outcome.kind not in LASTING
            )
        if outcome.status == "model-failure":
            return self._fail(unit, outcome)
        try:
            read = read_outputs(output, len(order), len(CLASSES), unit.epochs)
        except BadOutputError as error:
            message = f"{error}\n{log_tail(output)}".strip()
            return self._fail(unit, replace(outcome, status="model-failure", kind="bad-output", message=message))
        with disk_errors(output):
            keep_agreed(output)
            write_json(output / "result.json", self._measured(outcome, output, read))
            shutil.rmtree(self.folder(unit.key), ignore_errors=True)
            self.folder(unit.key).parent.mkdir(parents=True, exist_ok=True)
            os.replace(output, self.folder(unit.key))
        return known or self._finish(unit)

    def _measured(self, outcome: Outcome, output: Path, read: Output) -> dict[str, Any]:
        """What was seen from outside, kept with the unit until its record is written."""
        return {
            "sandbox": self.sandbox.name,
            "sandbox_details": outcome.details,
            "seconds": outcome.seconds,
            "peak_bytes": outcome.peak_bytes,
            "energy_joules": outcome.energy_joules,
            "checkpoint": sha256_file(output / "model.safetensors"),
            "environment": read.environment,
            "log": read.log,
            "packages": packages(),
            "harness": harness(),
            "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }

    def _finish(self, unit: Unit) -> Record:
        """Score a finished unit and write its record."""
        folder, manifest = self.folder(unit.key), self.prepared(unit.dataset).manifest
        result = json.loads((folder / "result.json").read_text())
        order = test_order(self.secret, unit.key, len(manifest.part(unit.fold, "test")))
        stored = unpermute(read_outputs(folder, len(order), len(CLASSES)).logits, order)
        identity = self._identity(unit)
        predictions = {"sha256": self.ledger.put_predictions(unit.key, stored), "images": len(stored)}
        scores = score(stored, manifest, unit.fold)
        record = {
            **identity,
            **result,
            "status": "scored",
            "predictions": predictions,
            "scores": scores,
            "failure": None,
        }
        return self.ledger.append(record)

    def _fail(self, unit: Unit, outcome: Outcome) -> Record:
        """Record a failure as a result of the submission."""
        record = {
            **self._identity(unit),
            "status": "failed",
            "failure": {"kind": outcome.kind, "message": outcome.message[:4000]},
            "sandbox": self.sandbox.name,
            "sandbox_details": outcome.details,
            "seconds": outcome.seconds,
            "peak_bytes": outcome.peak_bytes,
            "packages": packages(),
            "harness": harness(),
            "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        return self.ledger.append(record)

    def _identity(self, unit: Unit) -> dict[str, Any]:
        """What the unit is, for its record; keeps the documents that it refers to."""
        submission, prepared = self.submissions[unit.submission], self.prepared(unit.dataset)
        manifest, card = prepared.manifest, prepared.card.model_dump(mode="json")
        spec = submission.spec.model_dump(mode="json")
        dataset = {"name": unit.dataset, "manifest": manifest.digest, "group": manifest.group_by}
        self.ledger.put_manifest(manifest)
        self.ledger.put_document("cards", digest(card), card)
        self.ledger.put_document("tracks", self.track.digest, self.track.model_dump(mode="json"))
        self.ledger.put_document("submissions", digest(spec), spec)
        return {
            "key": unit.key,
            "arm": unit.arm,
            "chain": list(unit.chain),
            "submission": {
                "name": submission.name,
                "document": digest(spec),
                "model": submission.digest,
                "code": submission.code_hash,
                "pinned": submission.pinned or unit.weights is None,
            },
            "weights": unit.weights,
            "track": {"name": self.track.name, "digest": self.track.digest, "simulated": self.track.simulated},
            "dataset": {**dataset, "card": digest(card)},
            "fold": unit.fold,
            "repeat": unit.repeat,
            "seed": unit.seed,
            "epochs": unit.epochs,
            "train_images": unit.images,
            "parent": unit.parent,
        }


def _remove(work: Path, key: str) -> None:
    """Remove the folders of a unit's attempts; each attempt has its own, named by its process."""
    for left in work.glob(f"{key}.[0-9]*"):
        shutil.rmtree(left, ignore_errors=True)
