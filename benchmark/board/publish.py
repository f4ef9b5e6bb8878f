"""Bringing a board and the results it rests on to a place where others find them.

What is published is one frozen state of a ledger that verifies to the last score and keeps the policy. The
results of a place only ever grow: they are replaced by ours when they are the beginning of ours.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmark.board.policy import rules as policy
from benchmark.board.policy.published import Published
from benchmark.board.publishing import Place, Plan, Publication
from benchmark.board.publishing.base import Source
from benchmark.elsewhere.store import Store
from benchmark.errors import InputError, IntegrityError
from benchmark.insight import kept
from benchmark.ledger import Ledger
from benchmark.merge import files

RECORDS = "ledger/records.jsonl"

README = b"""---
license: apache-2.0
pretty_name: KaryoBench results
tags: [benchmark, chromosomes, karyotyping, transfer-learning]
viewer: false
---

# KaryoBench results

The ledger of KaryoBench, a benchmark of chromosome classifiers: one record a training, chained by hashes, with the
predictions that every score is computed from. It holds no image.

```sh
karyobench results pull hf:OWNER/NAME -w workspace    # this dataset's name
karyobench ledger verify -w workspace
karyobench compare -w workspace
```
"""


class Job(NamedTuple):
    """Something to be published and what that would change."""

    place: Place
    publication: Publication
    plan: Plan


@contextmanager
def frozen(ledger: Ledger) -> Iterator[Ledger]:
    """The ledger as it is now with what its records point to, in a temporary folder; a run may go on meanwhile.

    Raises:
        IntegrityError: when it does not verify, or breaks the policy with an error; names the first.
        InputError: when there is none.
    """
    if not ledger.path.is_file():
        raise InputError("no ledger", file=ledger.folder, hint="Run: karyobench run or karyobench demo")
    with TemporaryDirectory(prefix="karyobench-") as temporary:
        copy = Ledger(Path(temporary) / "ledger")
        copy.folder.mkdir()
        data = ledger.path.read_bytes()
        copy.path.write_bytes(data[: data.rfind(b"\n") + 1])
        for name in (
            *files(ledger, [record for _, record in Published(copy).sound]),
            *kept.files(ledger),
            *Store(ledger).files(),
        ):
            _linked(ledger.folder / name, copy.folder / name)
        _refuse(ledger, policy.check(Published(copy)))
        yield copy


def _linked(path: Path, copy: Path) -> None:
    """A second name for a file, or a copy where that cannot be; what is missing, the policy reports."""
    copy.parent.mkdir(exist_ok=True)
    try:
        os.link(path, copy)
    except FileNotFoundError:
        return
    except OSError:
        shutil.copyfile(path, copy)


def _refuse(ledger: Ledger, findings: Sequence[policy.Finding]) -> None:
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        rule, where, problem = errors[0][1:]
        more = f"{len(errors) - 1} more; " if len(errors) > 1 else ""
        raise IntegrityError(
            f"must not be published: {problem}", file=ledger.path, field=f"{where}, rule {rule}",
            hint=f"{more}Run: karyobench ledger verify, or karyobench leaderboard check",
        )  # fmt: skip


def head(ledger: Ledger) -> str:
    """Hash of the last record."""
    lines = _lines(ledger.path.read_bytes())
    return _hash(lines[-1]) if lines else "none"


def board_job(folder: Path, ledger: Ledger, place: Place) -> Job:
    """Publication of a built board; hidden files are the builder's own and stay here.

    Args:
        folder: holds it.
        ledger: that it was built from.
        place: where to.
    """
    contents: dict[str, Source] = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    return _job(place, Publication("board", contents, head(ledger)))


def results_job(ledger: Ledger, place: Place) -> Job:
    """Publication of a ledger.

    Raises:
        InputError: when what is there is not the beginning of ours; says at which record they part.
    """
    contents: dict[str, Source] = {RECORDS: ledger.path}
    for name in (
        *files(ledger, [record for _, record in Published(ledger).sound]),
        *kept.files(ledger),
        *Store(ledger).files(),
    ):
        contents[f"ledger/{name.as_posix()}"] = ledger.folder / name
    _grows(place, ledger)
    return _job(place, Publication("results", contents, head(ledger), absent={"README.md": README}))


def _job(place: Place, publication: Publication) -> Job:
    publication = place.prepared(publication)
    return Job(place, publication, place.compare(publication))


def _grows(place: Place, ledger: Ledger) -> None:
    """Refuse to change or remove a record that is published."""
    there = _lines(place.read(RECORDS) or b"")
    for number, (theirs, ours) in enumerate(zip_longest(there, _lines(ledger.path.read_bytes())), start=1):
        if theirs is None:
            return
        if theirs != ours:
            raise InputError(
                "the published records are not the beginning of these: they part",
                file=f"{place}/{RECORDS}", field=f"record {number}", found=_hash(theirs),
                allowed=_hash(ours) if ours else "no further record",
                hint=f"Pull them into a new workspace (karyobench results pull {place} -w NEW), pull this one into it, and publish that",
            )  # fmt: skip


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")[:-1]


def _hash(line: bytes) -> str:
    """The hash that a record says it has."""
    try:
        return str(json.loads(line)["hash"])
    except (ValueError, KeyError, TypeError):
        return "not a record"
