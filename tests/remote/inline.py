"""A head and its nodes in one process: an engine that calls what a node would, through a pickle as on another machine."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors.numpy import save_file

from benchmark.campaign import Campaign
from benchmark.engine import Engine, Execute
from benchmark.engine.schedule import Policy, fault_of
from benchmark.job import Job
from benchmark.plan import Unit
from benchmark.protocol import SOURCE, TARGET, Protocol
from benchmark.sandbox import Limits, Outcome, Sandbox

TWO_STAGES = Protocol("two-stages", "random", (SOURCE, TARGET), False, "both stains, without any weights")


class InlineEngine(Engine):
    """One unit after the other."""

    name: ClassVar[str] = "inline"
    remote: ClassVar[bool] = True

    def run(self, units: Sequence[Unit], execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        schedule, call = self.scheduled(units, Policy(tries=2)), pickle.dumps(execute)
        while not schedule.over:
            unit = schedule.take()
            assert unit is not None
            try:
                found = pickle.loads(call)(pickle.loads(pickle.dumps(unit)))
            except Exception as error:  # as every engine
                schedule.fail(unit.key, fault_of(error), 0.0)
                continue
            schedule.end(unit.key)
            yield unit, found
        error = schedule.error()
        if error is not None:
            raise error


class Counting(Sandbox):
    """Keeps the keys of what it trained; what it says depends on what it starts from; fails where it is told to."""

    name: ClassVar[str] = "counting"
    trained: ClassVar[list[str]] = []
    failing: ClassVar[list[str]] = []
    during: ClassVar[Callable[[Path], None]] = staticmethod(lambda inputs: None)

    def run(self, inputs: Path, output: Path, limits: Limits, report: Any) -> Outcome:
        job = Job.model_validate_json((inputs / "job.json").read_text())
        self.trained.append(job.key)
        type(self).during(inputs)
        if job.key in self.failing:
            return Outcome("model-failure", "nan", "the loss is not a finite number")
        train, labels, test = (np.load(inputs / f"{n}.npy").astype(float) for n in ("train", "train_labels", "test"))
        means = np.stack([train[labels == c].mean(0).ravel() for c in range(job.classes)])
        start = inputs / "start.safetensors"
        bias = job.seed % 5 + (sum(start.read_bytes()) % 7 if start.is_file() else 0)
        logits = -((test.reshape(len(test), 1, -1) - means) ** 2).mean(-1) / 100 + bias
        np.save(output / "logits.npy", logits.astype(np.float32))
        save_file({"means": (means + job.seed % 11 + bias).astype(np.float32)}, output / "model.safetensors")
        (output / "log.jsonl").write_text("".join(f'{{"epoch": {n + 1}}}\n' for n in range(job.epochs)))
        (output / "environment.json").write_text("{}")
        report({"epoch": 1, "epochs": job.epochs})
        return Outcome("finished", seconds=1.5, peak_bytes=10)


def facts(campaign: Campaign) -> dict[str, Any]:
    """What must be the same however units were run, by key."""
    return {
        record["key"]: (
            record["status"], record["arm"], record["chain"], record["seed"], record["parent"], record["dataset"],
            record["submission"], record["track"], record.get("checkpoint"), record.get("predictions"),
            record.get("scores"), record["failure"],
        )
        for record in campaign.ledger.records()
    }  # fmt: skip
