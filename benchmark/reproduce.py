"""Reproduction: a recorded unit is trained again from its record, graded, and the grade is recorded.

The whole chain is trained again, in a scratch workspace beside the old one with its own ledger and its own secret:
only the imported images are shared, nothing finished is. The scratch workspace is kept until every
record of the set is graded and written, so that a killed reproduction goes on where it was.

A record of a reproduction stands in the same hash-chained ledger as the units and says what it is of,
its grade and what that rests on, and what the new training was made with. Its predictions are kept, so that
`ledger verify` grades them again.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import secrets
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import grading, plausibility
from benchmark import protocol as protocols
from benchmark.errors import InputError
from benchmark.files import digest, disk_errors, write_json
from benchmark.ledger import Ledger
from benchmark.memory_format import MemoryFormats, recorded
from benchmark.plan import Plan, Unit
from benchmark.rebuild import Rebuilder, Rebuilt
from benchmark.records import REPRODUCTION, Record
from benchmark.trainer import Progress

SHORTEST = 8
"""Characters of a key that tell it apart."""

Bar = Callable[[Sequence[Unit]], AbstractContextManager[Progress]]
"""Given the units to train, a context that yields what is told of their progress."""


@dataclass(frozen=True)
class Way:
    """How to train again: name of the sandbox, device, processor threads a unit."""

    sandbox: str = "process"
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Draw:
    """A random sample: how many records, and the seed."""

    count: int
    seed: int = 0


def named(ledger: Ledger, prefixes: Sequence[str]) -> list[Record]:
    """Scored records by key or its first characters, each once.

    Raises:
        InputError: for a prefix that is too short, or fits no record or several.
    """
    scored = [record for record in ledger.by_key().values() if record["status"] == "scored"]
    found: dict[str, Record] = {}
    for prefix in prefixes:
        if len(prefix) < SHORTEST:
            raise InputError("too short", field="RECORD", found=prefix, allowed=f"{SHORTEST} characters or more")
        fits = [record for record in scored if record["key"].startswith(prefix)]
        if len(fits) != 1:
            keys = [record["key"] for record in fits] or "a key of `karyobench ledger list` that is scored"
            problem = "fits several records" if fits else "no scored record of this key"
            raise InputError(problem, file=ledger.path, field="RECORD", found=prefix, allowed=keys)
        found[fits[0]["key"]] = fits[0]
    return list(found.values())


def sample(ledger: Ledger, draw: Draw) -> list[Record]:
    """Scored records without a reproduction, drawn at random.

    Those whose learning curve is implausible come first, the least plausible at the head. The others are
    spread over submission × protocol × target as evenly as their number allows.

    Raises:
        InputError: when there is none.
    """
    units = ledger.by_key()
    done = {record["of"] for record in ledger.reproductions()}
    left = {
        key: record
        for key, record in sorted(units.items())
        if record["status"] == "scored" and protocols.known(record["arm"]) and key not in done
    }
    if not left:
        raise InputError("every scored record has a reproduction, or there is none", file=ledger.path)
    flagged = [left[key] for key in plausibility.flags(units.values()) if key in left]
    chosen = flagged[: draw.count]
    taken, waiting = Counter(map(_stratum, chosen)), defaultdict(list)
    random = np.random.default_rng(draw.seed)
    for key in random.permutation(sorted(left.keys() - {record["key"] for record in flagged})):
        waiting[_stratum(left[str(key)])].append(left[str(key)])
    order = list(waiting)
    while len(chosen) < draw.count and any(waiting.values()):
        stratum = min((one for one in order if waiting[one]), key=lambda one: taken[one])
        chosen.append(waiting[stratum].pop())
        taken[stratum] += 1
    return chosen


def _stratum(record: Record) -> tuple[str, str, str]:
    return record["submission"]["name"], record["arm"], record["dataset"]["name"]


class Scratch:
    """The scratch workspace of one set of records and one way to train them.

    Args:
        workspace: beside which it is made.
        keys: of the records.
        way: how they are trained.
        draw: how they were drawn, if they were.
    """

    def __init__(self, workspace: Path, keys: Iterable[str], way: Way, draw: Draw | None = None) -> None:
        self.keys = sorted(keys)
        self.note = {"keys": self.keys, "way": asdict(way), "draw": asdict(draw) if draw else None}
        name = digest({"keys": self.keys, "way": asdict(way)})[:12]
        self.folder = _beside(workspace, name)

    @contextmanager
    def held(self) -> Iterator[str]:
        """Make or take up the folder, against another reproduction of the same set.

        Yields:
            A random name of this attempt, which stays until the folder is removed.

        Raises:
            InputError: when one is under way.
        """
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            note = self.folder / "set.json"
            known = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
            attempt = str(known.get("attempt") or secrets.token_hex(8))
            write_json(note, self.note | {"attempt": attempt})
            yield attempt
        except BlockingIOError as error:
            raise InputError("these records are being reproduced by another process", file=self.folder) from error
        finally:
            os.close(handle)

    def remove(self) -> None:
        """Remove the folder and all in it, first what `unfinished` looks for; linked images stay."""
        (self.folder / "set.json").unlink()
        shutil.rmtree(self.folder)


def _beside(workspace: Path, name: str) -> Path:
    whole = workspace.resolve()
    return whole.parent / f".{whole.name}.reproduce-{name}"


def unfinished(workspace: Path, draw: Draw, way: Way) -> list[str] | None:
    """Keys that the same sample drew before it was interrupted; None where there was none."""
    start = _beside(workspace, "")
    for path in sorted(start.parent.glob(f"{start.name}*/set.json")):
        note = json.loads(path.read_text(encoding="utf-8"))
        if note["draw"] == asdict(draw) and note["way"] == asdict(way):
            return list(note["keys"])
    return None


def reproduce(
    workspace: Path,
    records: Sequence[Record],
    way: Way,
    bar: Bar,
    *,
    folders: Sequence[Path] = (),
    fetch: bool = True,
    draw: Draw | None = None,
) -> list[Record]:
    """Train records again, grade them, and write the grades into the workspace's ledger.

    Nothing is trained before everything that all records need was found.

    Args:
        workspace: whose ledger and images.
        records: scored ones.
        way: how to train.
        bar: told of progress.
        folders: submission folders, or folders of them, beside the shipped ones.
        fetch: whether weights that are not on this machine may be fetched.
        draw: how the records were drawn, so that a killed reproduction of a sample can go on.

    Returns:
        The records of the reproductions, in the order of `records`.

    Raises:
        InputError: when something that a record was made from is missing; names the record.
        InfrastructureError: when the machine failed; what is trained is kept for the next call.
    """
    scratch = Scratch(workspace, (record["key"] for record in records), way, draw)
    with scratch.held() as attempt:
        rebuilder = Rebuilder(workspace, scratch.folder, folders, fetch)
        try:
            found = [rebuilder.rebuild(record) for record in records]
            _train(rebuilder, found, way, bar)
        except InputError:
            if not (scratch.folder / "units").exists():
                scratch.remove()
            raise
        trained = Ledger(scratch.folder / "ledger")
        written = [_write(rebuilder.ledger, trained, one, attempt) for one in found]
        scratch.remove()
    return written


def _train(rebuilder: Rebuilder, found: Sequence[Rebuilt], way: Way, bar: Bar) -> None:
    families: dict[object, list[Rebuilt]] = defaultdict(list)
    for one in found:
        families[one.family].append(one)
    for members in families.values():
        units = {unit.key: unit for one in members for unit in one.chain}
        campaign = rebuilder.campaign(members[0].track, members[0].submission)
        for one in members:
            campaign.plan(*one.asked)
        todo = campaign.todo(Plan(members[0].track, list(units.values())))
        MemoryFormats(rebuilder.scratch).follow({key: recorded(rebuilder.known[key]) for key in units})
        if todo:
            with bar(todo) as progress:
                campaign.run(todo, progress, sandbox=way.sandbox, device=way.device, threads=way.threads)


def _write(ledger: Ledger, scratch: Ledger, one: Rebuilt, attempt: str) -> Record:
    """Grade one new training and record it, unless that was done before a crash."""
    trained = scratch.by_key()
    new = trained[one.record["key"]]
    for known in ledger.reproductions():
        if known["of"] == one.record["key"] and known["attempt"] == attempt:
            return known
    units = ledger.by_key()
    trainings = grading.siblings(one.record, units)
    predictions, failure = None, new["failure"]
    if failure is None:
        stored = scratch.predictions(new)
        result = grading.described(grading.compare(ledger, one.record, stored, trainings))
        predictions = {"sha256": ledger.put_reproduced(stored), "images": len(stored)}
    else:
        before = {"original": one.record["scores"]["macro_f1"], "reproduced": None}
        result = {"grade": "failed", "reason": f"the new training failed: {failure['kind']}", "macro_f1": before}
        result |= dict.fromkeys(("largest_difference", "agreement", "p"))
    stages = [trained[unit.key] for unit in one.chain]
    made_with = ("environment", "packages", "harness", "sandbox", "sandbox_details")
    whole: dict[str, Any] = {
        "type": REPRODUCTION,
        "of": one.record["key"],
        "original": one.record["hash"],
        **result,
        "trainings": [record["key"] for record in trainings],
        "predictions": predictions,
        "failure": failure,
        "attempt": attempt,
        "stages": [{"key": s["key"], "seconds": s["seconds"], "harness": s["harness"]} for s in stages],
        "seconds": sum(stage["seconds"] for stage in stages),
        **{name: new.get(name) for name in made_with},
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    return ledger.append(whole)
