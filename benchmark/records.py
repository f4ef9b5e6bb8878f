"""One record of the ledger and the file of them: its form, its link to the one before, its reading."""

from __future__ import annotations

import hashlib
import json
import marshal
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from benchmark.crew import crew, slices
from benchmark.errors import IntegrityError
from benchmark.files import canonical

FORMAT = 1
GENESIS = "0" * 64
REPRODUCTION = "reproduction"
"""The `type` of a record of a new training of a unit; a unit's own record has no type."""

WITHDRAWAL = "withdrawal"
"""The `type` of a record that takes a submission off the board; its units stay where they are."""

CORRECTION = "correction"
"""The `type` of a record by which a submission says something else of itself, and nothing that decides a result."""

LINES = 500
"""Lines that a process is given at once."""

Record = dict[str, Any]


def record_hash(record: Record) -> str:
    """Hash of a record without its own hash."""
    return hashlib.sha256(canonical({k: v for k, v in record.items() if k != "hash"}).encode()).hexdigest()


def intact(record: Record, line: bytes) -> bool:
    """Whether a record's hash fits every other byte of its line, as `chained` and `canonical` wrote it."""
    own = b'"hash":' + canonical(record["hash"]).encode()
    rest = line
    for part in (own + b",", b"," + own, own):
        rest = line.replace(part, b"", 1)
        if rest != line:
            break
    return bool(hashlib.sha256(rest).hexdigest() == record["hash"])


def chained(record: Record, previous: str) -> Record:
    """A record with its link to the one before it, and its own hash."""
    whole = {"format": FORMAT, **record, "prev": previous}
    return {**whole, "hash": record_hash(whole)}


def lines(path: Path) -> list[bytes]:
    """Whole lines only: what follows the last line end was never finished."""
    return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


class Checked(NamedTuple):
    """A line of the file: the record that it holds, and what is wrong with the line by itself."""

    record: Record | None
    problem: str | None


def parse(line: bytes) -> Any:
    """What the JSON of a line holds, as `json.loads` reads it, in half the time.

    Raises:
        ValueError: for a line that is no JSON.
    """
    try:
        return from_json(line)
    except ValueError:  # says another thing, and refuses halves of surrogate pairs
        return json.loads(line)


def _checked(line: bytes, whole: bool) -> Checked:
    try:
        record = parse(line)
        if whole and not intact(record, line):
            return Checked(record, "the record was changed: its hash does not fit")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Checked(None, f"not a record: {error}")
    return Checked(record, None)


def _packed(part: Sequence[bytes], whole: bool) -> bytes:
    """Checked lines on their way between processes: half a parse."""
    return marshal.dumps([tuple(_checked(line, whole)) for line in part])


class Reader:
    """Reads a file of records; again only what has been added to it, as long as its last line is where it was.

    Args:
        path: of the file, which need not exist.

    Attributes:
        size: bytes of the whole lines that were read.
        scored: keys of scored units among them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._seen: tuple[int, int, int] | None = None
        self._records: list[Record] = []
        self._last = b""
        self.size = 0
        self.scored: set[str] = set()

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def records(self) -> list[Record]:
        """All records of all types, oldest first, not to be changed.

        Raises:
            IntegrityError: for a line that is no record.
        """
        with self._lock:
            now = self._state()
            if now is None:
                self._forget()
            elif now != self._seen:
                added = self._added()
                self._take(
                    added, [self._parse(line, number) for number, line in enumerate(added, len(self._records) + 1)]
                )
                self._seen = now
            return self._records

    def _added(self) -> list[bytes]:
        """Whole lines after those that were read; all lines, where the last that was read is not there any more."""
        with self.path.open("rb") as file:
            file.seek(self.size - len(self._last))
            if file.read(len(self._last)) != self._last:
                self._forget()
                file.seek(0)
            return file.read().split(b"\n")[:-1]

    def _take(self, added: Sequence[bytes], records: Sequence[Record]) -> None:
        if added:
            self._records = [*self._records, *records]  # a list that was handed out does not grow
            self._last = added[-1] + b"\n"
            self.size += sum(map(len, added)) + len(added)
            self.scored.update(str(one.get("key")) for one in records if one.get("status") == "scored")

    def load(self, whole: bool, workers: int | None = None) -> tuple[list[Checked], bool]:
        """Read all lines again, by several processes; `records` then has them.

        Args:
            whole: check the hash and the form of every line, too.
            workers: processes; default: as many as there are processors.

        Returns:
            What each line holds, and whether an unfinished line follows.
        """
        with self._lock:
            self._forget()
            now = self._state()
            added = self._added() if now else []
            with crew(partial(_packed, whole=whole), slices(added, LINES), workers) as results:
                found = [Checked(*one) for part in results for one in marshal.loads(part)]  # noqa: S302 (from a fork)
            if now and not any(one.problem for one in found):
                try:
                    self._take(added, [self._known(one.record, number) for number, one in enumerate(found, 1)])
                    self._seen = now
                except IntegrityError:
                    self._forget()  # whoever asks for the records is told
            return found, now is not None and now[1] > sum(map(len, added)) + len(added)

    def _parse(self, line: bytes, number: int) -> Record:
        try:
            return self._known(parse(line), number)
        except ValueError as error:
            hint = "Run: karyobench ledger verify"
            raise IntegrityError("not a record", file=self.path, field=f"line {number}", hint=hint) from error

    def _known(self, record: Any, number: int) -> Record:
        where = f"line {number}"
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise IntegrityError("unknown record format", file=self.path, field=where, allowed=str(FORMAT))
        if record.get("type") not in (None, REPRODUCTION, WITHDRAWAL, CORRECTION):
            problem, hint = "unknown type of record", "A newer version of this program may know it"
            raise IntegrityError(problem, file=self.path, field=where, found=record["type"], hint=hint)
        return record
