"""What a head does: gives a store what units start from, and makes records of what they left there."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.artefacts.documents import Document
from benchmark.artefacts.store import Artefacts, MissingError
from benchmark.data.manifest import CLASSES
from benchmark.errors import IntegrityError
from benchmark.files import canonical
from benchmark.plan import Unit
from benchmark.recording import Recorder
from benchmark.records import Record
from benchmark.remote.node import publish
from benchmark.scoring import Stored
from benchmark.trainer import FAILED, Trainer


@dataclass
class Collector:
    """Turns documents into records; as often as one likes, from as many heads as there are.

    Args:
        artefacts: the store.
        recorder: writes the records.
    """

    artefacts: Artefacts
    recorder: Recorder

    def collect(self, unit: Unit, document: Mapping[str, Any] | Document) -> Record:
        """The record of a unit that has ended; scored now unless it is in the ledger.

        Raises:
            MissingError: when what the document names is not in the store.
            IntegrityError: when it is not what a node leaves.
        """
        found = document if isinstance(document, Document) else Document.model_validate(document)
        if found.key != unit.key:
            raise IntegrityError("another unit's document", file=self.artefacts.address, found=found.key)
        result = self._result(found)
        if found.status == "failed":
            return self.recorder.failed(unit, result)
        known = self.recorder.ledger.by_key().get(unit.key)
        if known and known["status"] == "scored":
            return known
        return self.recorder.scored(unit, result, self._stored(unit, found))

    def _result(self, document: Document) -> dict[str, Any]:
        found = json.loads(self.artefacts.get(document.result))
        if not isinstance(found, dict):
            raise IntegrityError("not a unit's result", file=self.artefacts.address, found=document.result)
        return found

    def _stored(self, unit: Unit, document: Document) -> Stored:
        assert document.logits is not None
        count = len(self.recorder.dataset(unit.dataset).manifest.part(unit.fold, "test"))
        try:
            with np.load(io.BytesIO(self.artefacts.get(document.logits)), allow_pickle=False) as archive:
                stored = np.asarray(archive["logits"])
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            raise IntegrityError("not stored logits", file=self.artefacts.address, found=document.logits) from error
        if stored.dtype != np.float16 or stored.shape != (count, len(CLASSES)):
            raise IntegrityError("wrong type or shape", found=f"{stored.dtype} {stored.shape}", field="logits")
        return stored

    def ended(self, units: Iterable[Unit]) -> list[tuple[Unit, Record]]:
        """Records of the units that have ended in the store, made without any training.

        A unit whose document names what is gone is forgotten, so that it is trained again.
        """
        finished = self.artefacts.finished()
        found = []
        for unit in units:
            document = self.artefacts.document(unit.key) if unit.key in finished else None
            if document is None:
                continue
            try:
                found.append((unit, self.collect(unit, document)))
            except MissingError as error:
                self.artefacts.discard(error.sha256)
                self.artefacts.forget(unit.key)
        return found

    def forget_failed(self, keys: Iterable[str]) -> None:
        """Remove the documents of failures that are to be tried again."""
        for key in sorted(set(keys) & self.artefacts.finished()):
            document = self.artefacts.document(key)
            if document is not None and document.status == "failed":
                self.artefacts.forget(key)

    def offer(self, parents: Iterable[Unit], trainer: Trainer) -> None:
        """Put into the store what units start from that were trained on this machine, or failed."""
        known, finished = self.recorder.ledger.by_key(), self.artefacts.finished()
        for unit in parents:
            record = known.get(unit.key)
            if unit.key in finished or record is None:
                continue
            if record["status"] == "failed":
                measured = {name: record[name] for name in FAILED if name in record}
                result = self.artefacts.put(canonical(measured).encode())
                self.artefacts.publish(Document(key=unit.key, status="failed", result=result))
            elif trainer.has_checkpoint(unit.key):
                publish(self.artefacts, trainer, unit)
