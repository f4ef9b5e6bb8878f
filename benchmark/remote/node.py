"""Running a unit on a node, given the address of the artefact store and the hash of a kit.

Order: the unit's document, if it is there, is the answer. Else its claim; the checkpoint that it starts from;
the training, in the node's own folder; the blobs; and last the document. A node that dies in between leaves
nothing that anybody takes for a result, and one that comes back finds a unit that it had trained and publishes it.
"""

from __future__ import annotations

import functools
import json
import math
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.artefacts.documents import Document
from benchmark.artefacts.lease import Leases
from benchmark.artefacts.store import Artefacts, MissingError
from benchmark.data import manifest as manifests
from benchmark.data.store import Prepared
from benchmark.errors import InfrastructureError, IntegrityError, LostError
from benchmark.files import canonical
from benchmark.packing import pack as packed
from benchmark.plan import Unit
from benchmark.pretrained import Located
from benchmark.remote import cache as caches
from benchmark.remote import kit as kits
from benchmark.sandbox import SANDBOXES, Outcome, Sandbox
from benchmark.submission import Submission
from benchmark.trainer import CHECKPOINT, Trainer, after_failure


def execute(address: str, kit: str, unit: Unit) -> dict[str, Any]:
    """Run one unit on this machine, or find that it has ended.

    Args:
        address: of the artefact store.
        kit: hash of the kit.
        unit: one of the kit's units.

    Returns:
        Its document.

    Raises:
        TakenError: when another worker trains it now.
        InfrastructureError: when this machine or the store failed; nothing is published.
        InputError: when this machine does not fit the kit.
    """
    with _making:
        found = node(address, kit)
    return found.run(unit).model_dump(mode="json")


@functools.lru_cache(maxsize=4)
def node(address: str, kit: str) -> Node:
    """This process as a node for one kit, made once: its sandbox keeps what units share."""
    return Node(Artefacts(address), kit, caches.folder())


_making = threading.Lock()
"""Held while a node is looked up: of several units that come at once, one makes it."""


def device_of(device: str, sandbox: Sandbox) -> str:
    """The device that an engine leased to this process: the first GPU that it lets it see."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if not device.startswith("cuda") or not visible:
        return device
    return sandbox.lease(visible.split(",")[0].strip())


def jobs(kit: kits.Kit) -> int:
    """How many units of a kit this machine can run at once, by its processors or its GPUs; of packs, one device."""
    if kit.pack > 1:
        return kit.pack * max(1, math.floor(1 / kit.share))
    if kit.device == "cpu":
        return max(1, len(os.sched_getaffinity(0)) // kit.threads)
    gpus = sum(path.name.removeprefix("nvidia").isdigit() for path in Path("/dev").glob("nvidia*"))
    return max(1, math.floor(gpus / kit.share))


class Node:
    """One process that runs units of one kit; several at once, where threads ask it to.

    Args:
        artefacts: the store.
        kit: hash of the kit.
        folder: the node's own, shared by all of its processes.
    """

    def __init__(self, artefacts: Artefacts, kit: str, folder: Path) -> None:
        self.artefacts, self.folder = artefacts, folder
        self.kit = kits.read(artefacts, kit)
        self.cache = caches.Cache(folder)
        self.leases = Leases(artefacts, self.kit.beat)
        self.sandbox = SANDBOXES[self.kit.sandbox]()
        self.sandbox.jobs = self.kit.jobs or jobs(self.kit)
        self._prepared: dict[str, Prepared] = {}
        self._submissions: dict[str, Submission] = {}
        self._weights: dict[str, Located] = {}
        self._fetching = threading.RLock()

    def run(self, unit: Unit) -> Document:
        """See `execute`."""
        found = self.artefacts.document(unit.key)
        if found is not None:
            return found
        before = self._before(unit)
        with self.leases.hold(unit.key, lambda: self.artefacts.document(unit.key) is not None) as held:
            if held is not None:
                return self._run(unit, before, held.report)
        found = self.artefacts.document(unit.key)
        if found is None:
            raise InfrastructureError(f"{unit.key[:12]}: its document was there and is gone", transient=True)
        return found

    def _before(self, unit: Unit) -> Document | None:
        if unit.parent is None:
            return None
        before = self.artefacts.document(unit.parent)
        if before is None:
            raise LostError(unit.parent)
        return before

    def _run(self, unit: Unit, before: Document | None, report: Any) -> Document:
        self.sandbox.prepare()
        trainer = self._trainer(unit, report)
        if before is not None and before.status == "failed":
            failure = json.loads(self.artefacts.get(before.result))["failure"]
            return self._failed(unit, trainer, after_failure(failure["kind"]))
        parent = self._checkpoint(unit, before) if before is not None else None
        with trainer.claimed(unit.key):
            if not self._trained(trainer, unit):
                outcome = trainer.train(unit, parent)
                if outcome.status == "model-failure":
                    return self._failed(unit, trainer, outcome)
            return publish(self.artefacts, trainer, unit, self.cache)

    def _trainer(self, unit: Unit, report: Any) -> Trainer:
        with self._fetching:
            self._submission(unit.submission)
        return Trainer(
            self.folder, self.kit.track, self._submissions, self._weights, self.sandbox,
            device_of(self.kit.device, self.sandbox), self.kit.threads, lambda _, line: report(line), self.prepared,
        )  # fmt: skip

    def _trained(self, trainer: Trainer, unit: Unit) -> bool:
        """Whether this node has trained the unit before, and all that it left is as it was."""
        try:
            return trainer.has_checkpoint(unit.key) and bool(trainer.checkpoint(unit.key))
        except IntegrityError:
            shutil.rmtree(trainer.folder(unit.key), ignore_errors=True)
            return False

    def _failed(self, unit: Unit, trainer: Trainer, outcome: Outcome) -> Document:
        result = self.artefacts.put(canonical(trainer.failed(outcome)).encode())
        return self.artefacts.publish(Document(key=unit.key, status="failed", result=result))

    def _checkpoint(self, unit: Unit, before: Document) -> Path:
        assert before.checkpoint is not None
        assert unit.parent is not None
        try:
            return self.cache.blob(self.artefacts, before.checkpoint, Path(CHECKPOINT).suffix)
        except MissingError as error:
            self.artefacts.discard(before.checkpoint)
            self.artefacts.forget(unit.parent)
            raise LostError(unit.parent) from error

    def prepared(self, name: str) -> Prepared:
        """A dataset of the kit, fetched once."""
        with self._fetching:
            if name not in self._prepared:
                given = self.kit.datasets[name]
                listed = manifests.read(self.cache.blob(self.artefacts, given.manifest, ".csv"), given.group)
                file = self.cache.blob(self.artefacts, given.images, ".npy")
                images = np.load(file, mmap_mode="r", allow_pickle=False)
                self._prepared[name] = Prepared(images, listed, given.card)
            return self._prepared[name]

    def _submission(self, name: str) -> None:
        """Have a submission's code and weights on this machine; something may have cleaned up since the last unit."""
        known = self._submissions.get(name)
        if known is not None:
            kept = [*known.code, *([self._weights[name].path] if name in self._weights else [])]
            if all(path.is_file() for path in kept):
                return
        code, weights = self.kit.submissions[name], self.kit.weights.get(name)
        folder = self.folder / "code" / kits.code_hash(code)
        for file, sha256 in code.files.items():
            blob = self.cache.blob(self.artefacts, sha256)
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".{file}.{os.getpid()}"
            shutil.copyfile(blob, temporary)
            os.replace(temporary, folder / file)
        if weights is not None:
            path = self.cache.blob(self.artefacts, weights.sha256, weights.suffix)
            self._weights[name] = Located(path, weights.sha256, weights.reference, weights.layout, weights.classifier)
        self._submissions[name] = kits.submission(code, folder)


def publish(artefacts: Artefacts, trainer: Trainer, unit: Unit, cache: caches.Cache | None = None) -> Document:
    """Put a unit that was trained here into the store.

    Args:
        artefacts: the store.
        trainer: in whose folder the unit is.
        unit: the unit.
        cache: takes its checkpoint, for the units after it; its folder is then removed.

    Returns:
        The document that is believed: its own, or that of another worker that was first.
    """
    folder = trainer.folder(unit.key)
    result = trainer.result(unit.key)
    checkpoint = artefacts.put(folder / CHECKPOINT)
    if checkpoint != result["checkpoint"]:
        raise IntegrityError("the checkpoint was altered", file=folder / CHECKPOINT)
    document = Document(
        key=unit.key,
        status="finished",
        result=artefacts.put(canonical(result).encode()),
        checkpoint=checkpoint,
        logits=artefacts.put(packed(trainer.stored(unit))),
    )
    believed = artefacts.publish(document)
    if cache is not None:
        cache.keep(checkpoint, Path(CHECKPOINT).suffix, folder / CHECKPOINT)
        shutil.rmtree(folder, ignore_errors=True)
    return believed
