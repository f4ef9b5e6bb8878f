"""The ledger: the append-only store of scored units and their reproductions, with all it takes to score them again.

Layout::

    records.jsonl               one record a line; each carries the hash of the one before
    predictions/<key>.npz       float16 logits in manifest order
    reproductions/<sha256>.npz  those of new trainings of units that are recorded
    manifests/<digest>.csv      the manifests that were scored against
    tracks/<digest>.json  submissions/<digest>.json  cards/<digest>.json (of datasets)

A record is written last, after what it points to, in one synced write under a lock. A line that
was cut off by a crash has no line end and is removed at the next append. A record with a `type` is
not of a unit: `records` and `by_key` leave it out.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmark import correction, withdrawal
from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, Manifest
from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic, canonical, disk_errors, sha256_file, write_at, write_json
from benchmark.packing import pack, unpack
from benchmark.records import CORRECTION, GENESIS, REPRODUCTION, WITHDRAWAL, Reader, Record, chained
from benchmark.scoring import Stored, score

CUT_OFF = "the last line was cut off (a crash); the next append removes it"


class Finding(NamedTuple):
    """Something wrong in a ledger: the record's line (0: none) and what."""

    line: int
    problem: str


class Ledger:
    """One ledger folder.

    Args:
        folder: made at the first append.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "records.jsonl"
        self._reader = Reader(self.path)
        self._manifests: dict[tuple[str, str], Manifest] = {}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _of_type(self, wanted: str | None) -> list[Record]:
        return [record for record in self._reader.records() if record.get("type") == wanted]

    def records(self) -> list[Record]:
        """All records of units, oldest first; an `IntegrityError` for a line that is no record."""
        return self._of_type(None)

    def reproductions(self) -> list[Record]:
        """All records of reproductions, oldest first; see `benchmark.reproduce`. Errors as `records`."""
        return self._of_type(REPRODUCTION)

    def withdrawals(self) -> list[Record]:
        """All records that withdraw a submission, oldest first; see `benchmark.withdrawal`. Errors as `records`."""
        return self._of_type(WITHDRAWAL)

    def corrections(self) -> list[Record]:
        """All records that correct a submission, oldest first; see `benchmark.correction`. Errors as `records`."""
        return self._of_type(CORRECTION)

    def head(self) -> str:
        """Hash of the last record, which stands for the whole chain before it."""
        records = self._reader.records()
        return str(records[-1]["hash"]) if records else GENESIS

    def by_key(self) -> dict[str, Record]:
        """The newest record of every key."""
        return {record["key"]: record for record in self.records()}

    def append(self, record: Record) -> Record:
        """Chain and write one record of any type; errors as `extend`."""
        return self.extend([record])[0]

    def once(self, record: Record) -> Record:
        """Write a unit's record unless it, or a scored one of the unit, is there; returns the one that is then there.

        What two heads of one run write is one record: they read the same from the artefact store.

        Raises:
            InfrastructureError: when the disk is full; the ledger is as before.
        """
        with self._locked():
            same = [one for one in self._reader.records() if one.get("key") == record["key"] and "type" not in one]
            for one in reversed(same):
                if one["status"] == "scored" or all(
                    one.get(k) == record.get(k) for k in ("status", "ended", "failure")
                ):
                    return one
            return self._extend([record], None)[0]

    def extend(self, records: Sequence[Record], after: str | None = None) -> list[Record]:
        """Chain and write records in one write.

        Args:
            records: in their order.
            after: hash of the record that they are to follow; default: the last, whichever that is.

        Raises:
            InputError: when a scored record of such a unit is already there, or another record is the last.
            InfrastructureError: when the disk is full; the ledger is as before.
        """
        with self._locked():
            return self._extend(records, after)

    def _extend(self, records: Sequence[Record], after: str | None) -> list[Record]:
        known = self._reader.records()
        head = known[-1]["hash"] if known else GENESIS
        if after not in (None, head):
            raise InputError("the ledger has grown meanwhile", file=self.path, hint="Run the same command again")
        whole: list[Record] = []
        for record in records:
            if record.get("key") in self._reader.scored:
                raise InputError("this unit is already in the ledger", file=self.path, field="key", found=record["key"])
            whole.append(chained(record, whole[-1]["hash"] if whole else head))
        data = "".join(canonical(one) + "\n" for one in whole).encode()
        write_at(self.path, self._reader.size, data)
        return whole

    def predictions_path(self, key: str) -> Path:
        """Where the predictions of a unit are."""
        return self.folder / "predictions" / f"{key}.npz"

    def put_predictions(self, key: str, stored: Stored) -> str:
        """Store predictions; returns the file's hash."""
        data = pack(stored)
        with atomic(self.predictions_path(key)) as file:
            file.write(data)
        return hashlib.sha256(data).hexdigest()

    def put_reproduced(self, stored: Stored) -> str:
        """Store the predictions of a new training under their hash; returns it."""
        data = pack(stored)
        digest = hashlib.sha256(data).hexdigest()
        with atomic(self.folder / "reproductions" / f"{digest}.npz") as file:
            file.write(data)
        return digest

    def predictions(self, record: Record) -> Stored:
        """The stored logits of a unit or of its reproduction, (test images, 24).

        Raises:
            IntegrityError: when the file is missing or is not what the record says.
        """
        path = self._path_of(record)
        data = self._checked(path, record)
        stored = unpack(data)
        if stored.dtype != np.float16 or stored.shape != (record["predictions"]["images"], len(CLASSES)):
            raise IntegrityError("wrong type or shape", file=path, found=f"{stored.dtype} {stored.shape}")
        return np.asarray(stored)

    def check_predictions(self, record: Record) -> None:
        """Whether the predictions of a record are there and are those of the record; errors as `predictions`."""
        self._checked(self._path_of(record), record)

    def _path_of(self, record: Record) -> Path:
        if record.get("type") == REPRODUCTION:
            return self.folder / "reproductions" / f"{record['predictions']['sha256']}.npz"
        return self.predictions_path(record["key"])

    @staticmethod
    def _checked(path: Path, record: Record) -> bytes:
        try:
            data = path.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise IntegrityError("predictions are missing", file=path) from None
        if hashlib.sha256(data).hexdigest() != record["predictions"]["sha256"]:
            raise IntegrityError("predictions are not those of the record", file=path, field="sha256")
        return data

    def put_manifest(self, manifest: Manifest) -> None:
        """Keep a manifest that records refer to."""
        path = self.folder / "manifests" / f"{manifest.digest}.csv"
        if not path.is_file():
            manifests.write(path, manifest)

    def manifest(self, digest: str, group_by: str) -> Manifest:
        """A kept manifest.

        Raises:
            IntegrityError: when it is missing or altered.
        """
        if (digest, group_by) not in self._manifests:
            path = self.folder / "manifests" / f"{digest}.csv"
            if not path.is_file():
                raise IntegrityError("manifest is missing", file=path)
            if sha256_file(path) != digest:
                raise IntegrityError("manifest is not what its name says", file=path)
            self._manifests[digest, group_by] = manifests.read(path, group_by)
        return self._manifests[digest, group_by]

    def put_document(self, kind: str, digest: str, data: object) -> None:
        """Keep a track, a submission or a dataset's card that records refer to."""
        path = self.folder / kind / f"{digest}.json"
        if not path.is_file():
            write_json(path, data)

    def document(self, kind: str, digest: str) -> dict[str, Any]:
        """A kept track or submission.

        Raises:
            IntegrityError: when it is missing.
        """
        path = self.folder / kind / f"{digest}.json"
        if not path.is_file():
            raise IntegrityError(f"{kind.removesuffix('s')} is missing", file=path)
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return loaded

    def rescore(self, record: Record) -> dict[str, Any]:
        """Scores of a record, computed again from its stored predictions."""
        manifest = self.manifest(record["dataset"]["manifest"], record["dataset"]["group"])
        return score(self.predictions(record), manifest, record["fold"])

    def load(self, workers: int | None = None) -> None:
        """Read all records by several processes; `records` and its like then have them at hand."""
        self._reader.load(whole=False, workers=workers)

    def verify(self, rescore: bool = True, workers: int | None = None) -> list[Finding]:
        """Everything that is wrong: broken chain, changed bytes, missing files, drifted scores and grades.

        Args:
            rescore: also compute scores and grades again from the stored predictions.
            workers: processes that check the lines; default: as many as there are processors.
        """
        findings: list[Finding] = []
        before: dict[str, Record] = {}
        previous = GENESIS
        lines, cut_off = self._reader.load(whole=True, workers=workers)
        if cut_off:
            findings.append(Finding(len(lines) + 1, CUT_OFF))
        for number, (record, problem) in enumerate(lines, start=1):
            findings.extend([Finding(number, problem)] if problem else [])
            if record is None:
                continue
            try:
                if record["prev"] != previous:
                    broken = "the chain is broken: a record before it was changed, moved or removed"
                    findings.append(Finding(number, broken))
                previous = record["hash"]
                if "type" in record:
                    problem = self._verify_other(record, before, rescore)
                    findings.extend([Finding(number, problem)] if problem else [])
                    continue
                before[record["key"]] = record
                if rescore and record["status"] == "scored":
                    findings.extend(self._verify_scores(number, record))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                findings.append(Finding(number, f"not a record: {error}"))
        return findings

    def _verify_other(self, record: Record, before: dict[str, Record], rescore: bool) -> str | None:
        """What is wrong with a record that is not of a unit."""
        if record["type"] == WITHDRAWAL:
            return withdrawal.problem(record, before)
        if record["type"] == CORRECTION:
            return correction.problem(self, record, before)
        from benchmark import grading  # with scipy's statistics, which take long to import and are needed here only

        return grading.problem(self, record, before) if rescore else None

    def _verify_scores(self, number: int, record: Record) -> list[Finding]:
        try:
            again = self.rescore(record)
        except IntegrityError as error:
            return [Finding(number, str(error))]
        from benchmark import grading

        drifted = grading.drifted(again, record["scores"])
        return [Finding(number, f"scores drifted from the predictions: {', '.join(drifted)}")] if drifted else []
