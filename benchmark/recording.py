"""From a unit that has ended to its record: scoring, with the labels that no node's sandbox sees, and the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.data.store import Dataset, Prepared
from benchmark.files import digest
from benchmark.ledger import Ledger
from benchmark.plan import Unit
from benchmark.records import Record
from benchmark.scoring import Stored, score
from benchmark.submission import Submission
from benchmark.track import Track


@dataclass
class Recorder:
    """Writes the records of one track's units.

    Args:
        ledger: where they go.
        track: the track.
        submissions: by name.
        dataset: manifest and card of a dataset.
    """

    ledger: Ledger
    track: Track
    submissions: Mapping[str, Submission]
    dataset: Callable[[str], Prepared | Dataset]

    def scored(self, unit: Unit, result: Mapping[str, Any], stored: Stored) -> Record:
        """Score a finished unit and write its record.

        Args:
            unit: the unit.
            result: what was measured.
            stored: its logits in manifest order.
        """
        identity = self._identity(unit)
        predictions = {"sha256": self.ledger.put_predictions(unit.key, stored), "images": len(stored)}
        scores = score(stored, self.dataset(unit.dataset).manifest, unit.fold)
        ended = {"status": "scored", "predictions": predictions, "scores": scores, "failure": None}
        return self.ledger.once({**result, **identity, **ended})

    def failed(self, unit: Unit, result: Mapping[str, Any]) -> Record:
        """Record a failure as a result of the submission."""
        return self.ledger.once({**result, **self._identity(unit), "status": "failed"})

    def _identity(self, unit: Unit) -> dict[str, Any]:
        """What the unit is, for its record; keeps the documents that it refers to."""
        submission, data = self.submissions[unit.submission], self.dataset(unit.dataset)
        manifest, card = data.manifest, data.card.model_dump(mode="json")
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
