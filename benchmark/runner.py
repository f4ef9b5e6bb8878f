"""Running one unit from its inputs to its record, so that a kill at any moment loses at most that unit.

Order of what is kept: the unit's folder appears whole by a rename; then its predictions; then, last,
its record. Whatever is missing after a crash is made again from what is there; a unit whose folder
is there is never trained again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.data.store import Prepared, Store
from benchmark.ledger import Ledger
from benchmark.plan import Unit
from benchmark.pretrained import Located
from benchmark.recording import Recorder
from benchmark.records import Record
from benchmark.sandbox import Sandbox
from benchmark.submission import Submission
from benchmark.track import Track
from benchmark.trainer import Progress, Trainer, after_failure


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
        retry: keys of units whose failure is in the ledger and that are to be trained again.
    """

    workspace: Path
    track: Track
    submissions: Mapping[str, Submission]
    weights: Mapping[str, Located]
    sandbox: Sandbox
    device: str
    threads: int
    progress: Progress
    retry: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.store = Store(self.workspace)
        self.ledger = Ledger(self.workspace / "ledger")
        self._prepared: dict[str, Prepared] = {}
        self.trainer = Trainer(
            self.workspace, self.track, self.submissions, self.weights, self.sandbox, self.device, self.threads,
            self.progress, self.prepared,
        )  # fmt: skip
        self.recorder = Recorder(self.ledger, self.track, self.submissions, self.prepared)
        self.sweep, self.folder, self.has_checkpoint = (
            self.trainer.sweep, self.trainer.folder, self.trainer.has_checkpoint,
        )  # fmt: skip

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
        with self.trainer.claimed(unit.key):
            known = self.ledger.by_key().get(unit.key)
            if known and known["status"] == "failed" and unit.key in self.retry:
                known = None
            if known and (known["status"] == "failed" or self.has_checkpoint(unit.key)):
                return known
            if self.has_checkpoint(unit.key):
                return self._finish(unit)
            if unit.parent:
                parent = self.ledger.by_key().get(unit.parent)
                if parent and parent["status"] == "failed":
                    reason = after_failure(parent["failure"]["kind"])
                    return self.recorder.failed(unit, self.trainer.failed(reason))
            outcome = self.trainer.train(unit, self.trainer.checkpoint(unit.parent) if unit.parent else None)
            if outcome.status == "model-failure":
                return self.recorder.failed(unit, self.trainer.failed(outcome))
            return known or self._finish(unit)

    def _finish(self, unit: Unit) -> Record:
        """Score a finished unit and write its record."""
        return self.recorder.scored(unit, self.trainer.result(unit.key), self.trainer.stored(unit))
