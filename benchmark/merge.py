"""Merging one ledger into another: what we lack is appended in its order, what we have is skipped, conflicts are named.

A record whose link fits the end of our chain is taken as it is, so that pulling into an empty ledger, or
into an older copy, gives the same bytes. Any other gets a new link, and with it a new hash; all that made it
stays, and `origin` says where it was first written and the hash it has there. A reproduction names its
original by hash: that becomes the hash of the same unit here.

A record that we have is one with the same content but for links and origin, or a unit of the same key with the
same outcome: the same predictions, or the same kind of failure. A unit that failed here and, likewise, there only
goes on. Anything else of the same key is a conflict.

Records are appended in one write, after all files that they point to: a merge that was interrupted has changed
nothing that counts, and the next one completes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from benchmark import grading, withdrawal
from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic, digest
from benchmark.ledger import CUT_OFF, Ledger
from benchmark.records import CORRECTION, GENESIS, REPRODUCTION, WITHDRAWAL, Record, chained

Keep = Literal["ours"]
LINKS = ("prev", "hash", "origin")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Conflict(NamedTuple):
    """A unit that two ledgers tell differently: hashes of the newest records, and in what they differ."""

    key: str
    ours: str
    theirs: str
    differs: str


@dataclass
class Merge:
    """What a merge would do, or did.

    Attributes:
        fresh: records to be appended, in order.
        skipped: number of records that we have.
        conflicts: units that were told differently.
        left_out: reproductions, withdrawals and corrections of records that lost a conflict: their hashes.
        added: records as they were appended.
    """

    fresh: list[Record] = field(default_factory=list)
    skipped: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    added: list[Record] = field(default_factory=list)


def entries(ledger: Ledger) -> list[Record]:
    """All records of all types, oldest first."""
    data = ledger.path.read_bytes() if ledger.path.is_file() else b""
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def merge(ours: Ledger, theirs: Ledger, origin: str, keep: Keep | None = None) -> Merge:
    """Append to a ledger what another one has beyond it.

    Args:
        ours: changed.
        theirs: read.
        origin: what to call the other ledger in records.
        keep: `ours`: in a conflict our record stays, and theirs is left out.

    Raises:
        IntegrityError: when one of the two does not verify.
        InputError: when they conflict and nothing says what to keep; nothing is changed.
        InfrastructureError: when the disk is full; the ledger is as before.
    """
    if not theirs.path.is_file():
        raise InputError("no ledger", file=theirs.folder, allowed="a folder with records.jsonl, or with ledger/")
    _verified(theirs, rescore=True)
    _verified(ours, rescore=False)
    found = plan(ours, theirs)
    if found.conflicts and keep is None:
        raise InputError(_named(found.conflicts), file=ours.path, field="key", hint=KEEP)
    _copy(theirs, ours, found.fresh)
    here, start = _index(ours), _head(ours)
    linked: list[Record] = []
    for record in found.fresh:
        linked.append(_linked(record, linked[-1]["hash"] if linked else start, here.units, origin))
        here.add(linked[-1])
    found.added = ours.extend(linked, after=start) if linked else []
    return found


KEEP = "Run it with --keep ours to leave theirs out"


def _named(conflicts: list[Conflict]) -> str:
    shown = [
        f"{c.key[:12]} ({c.differs}; ours {c.ours[:12]}, theirs {c.theirs[:12]})" for c in conflicts[:10]
    ]  # fmt: skip
    more = [f"and {len(conflicts) - 10} more"] if len(conflicts) > 10 else []
    number = f"{len(conflicts)} unit{'s' * (len(conflicts) > 1)}"
    return f"the two ledgers tell {number} differently, and nothing was changed: {'; '.join(shown + more)}"


class _Index:
    """What a ledger holds, as far as a merge asks."""

    def __init__(self, records: list[Record]) -> None:
        self.contents: set[str] = set()
        self.units: dict[str, Record] = {}
        self.history: dict[str, list[Record]] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        self.contents.add(essence(record))
        if "type" not in record:
            self.units[record["key"]] = record
            self.history.setdefault(record["key"], []).append(record)


def _index(ledger: Ledger) -> _Index:
    return _Index(entries(ledger))


def essence(record: Record) -> str:
    """Hash of what a record says, wherever it stands."""
    left = {*LINKS, "original"} if record.get("type") == REPRODUCTION else set(LINKS)
    return digest({name: value for name, value in record.items() if name not in left})


def plan(ours: Ledger, theirs: Ledger) -> Merge:
    """What merging would do; both must verify."""
    here, result = _index(ours), Merge()
    told: dict[str, set[str]] = {}
    conflicts: dict[str, Conflict] = {}
    for record in entries(theirs):
        kind, content = record.get("type"), essence(record)
        if kind is not None:
            if content in here.contents:
                result.skipped += 1
            elif _stands(kind, record, here.units, conflicts):
                result.fresh.append(record)
                here.add(record)
            else:
                result.left_out.append(record["hash"])
            continue
        key = record["key"]
        known, before = here.units.get(key), told.setdefault(key, set())
        before.add(content)
        conflicts.pop(key, None)
        if any(_difference(one, record) is None for one in here.history.get(key, ())):
            result.skipped += 1
            before.update(essence(one) for one in here.history[key] if _difference(one, record) is None)
        elif known is None or (known["status"] == "failed" and essence(known) in before):
            result.fresh.append(record)
            here.add(record)
        else:
            conflicts[key] = Conflict(key, known["hash"], record["hash"], str(_difference(known, record)))
    result.conflicts = list(conflicts.values())
    return result


def _difference(ours: Record, theirs: Record) -> str | None:
    """In what two records of one unit differ that matters; None where their outcome is the same."""
    if ours["status"] != theirs["status"]:
        return f"{ours['status']} here, {theirs['status']} there"
    if ours["status"] == "failed":
        kinds = ours["failure"]["kind"], theirs["failure"]["kind"]
        return None if kinds[0] == kinds[1] else f"failed by {kinds[0]} here, by {kinds[1]} there"
    if ours["predictions"]["sha256"] != theirs["predictions"]["sha256"]:
        return "other predictions"
    if grading.drifted(theirs["scores"], ours["scores"]):
        return "other scores"
    return None


def _stands(kind: str, record: Record, units: Mapping[str, Record], lost: Collection[str]) -> bool:
    """Whether a reproduction, withdrawal or correction is of records that we have, or will have, as they have them."""
    if kind == REPRODUCTION:
        keys = {record["of"], *record["trainings"]}
        return keys <= units.keys() and keys.isdisjoint(lost)
    if kind == CORRECTION:
        return record["version"] in withdrawal.versions(units.values(), record["submission"])
    return kind == WITHDRAWAL and withdrawal.problem(record, units) is None


def _linked(record: Record, head: str, units: Mapping[str, Record], origin: str) -> Record:
    """A record as it follows ours."""
    if record["prev"] == head:
        return record
    whole: dict[str, Any] = {"origin": {"ledger": origin, "hash": record["hash"]}, **record}
    if record.get("type") == REPRODUCTION:
        original = units[record["of"]]["hash"]
        if original != record["original"]:
            whole["origin"] = {"original": record["original"], **whole["origin"]}
            whole["original"] = original
    return chained(whole, head)


def _head(ledger: Ledger) -> str:
    records = entries(ledger)
    return str(records[-1]["hash"]) if records else GENESIS


def _copy(source: Ledger, target: Ledger, records: Sequence[Record]) -> None:
    """Bring along the files that records point to."""
    for name in files(source, records):
        path, wanted = source.folder / name, target.folder / name
        if not path.is_file():
            raise IntegrityError("a file that a record points to is missing", file=path)
        data = path.read_bytes()
        if not wanted.is_file() or wanted.read_bytes() != data:
            with atomic(wanted) as file:
                file.write(data)


def files(ledger: Ledger, records: Sequence[Record]) -> list[Path]:
    """Paths, below a ledger's folder, of what records point to, there or not; each once.

    Raises:
        IntegrityError: for a name that is not a plain file name.
    """
    cards: dict[str, list[str]] = {}
    for path in sorted((ledger.folder / "cards").glob("*.json")):
        cards.setdefault(str(ledger.document("cards", path.stem).get("name")), []).append(path.stem)
    return list(dict.fromkeys(path for record in records for path in _files(record, cards)))


def _files(record: Record, cards: Mapping[str, list[str]]) -> Iterator[Path]:
    """What one record points to; `cards` of those kept, by dataset: records of before they were kept name none."""
    if record.get("type") == REPRODUCTION and record["predictions"]:
        yield _path("reproductions", record["predictions"]["sha256"], "npz")
    if record.get("type") == CORRECTION:
        yield from (_path("submissions", record[name], "json") for name in ("before", "document"))
    if "type" in record:
        return
    predictions, dataset = _path("predictions", record["key"], "npz"), record["dataset"]
    if record["status"] == "scored":
        yield predictions
    yield _path("manifests", dataset["manifest"], "csv")
    yield _path("submissions", record["submission"]["document"], "json")
    yield _path("tracks", record["track"]["digest"], "json")
    for card in [dataset["card"]] if dataset.get("card") else cards.get(dataset["name"], []):
        yield _path("cards", card, "json")


def _path(kind: str, name: object, suffix: str) -> Path:
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        raise IntegrityError("a record points to a file that cannot be", field=kind, found=name)
    return Path(kind) / f"{name}.{suffix}"


def _verified(ledger: Ledger, rescore: bool) -> None:
    findings = [finding for finding in ledger.verify(rescore) if finding.problem != CUT_OFF]
    if findings:
        line, problem = findings[0]
        raise IntegrityError(problem, file=ledger.path, field=f"line {line}", hint="Run: karyobench ledger verify")
