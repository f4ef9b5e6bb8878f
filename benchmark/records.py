"""One record of the ledger and the file of them: its form, its link to the one before, its reading."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO

from benchmark.errors import IntegrityError
from benchmark.files import canonical

FORMAT = 1
GENESIS = "0" * 64
REPRODUCTION = "reproduction"
"""The `type` of a record of a new training of a unit; a unit's own record has no type."""

WITHDRAWAL = "withdrawal"
"""The `type` of a record that takes a submission off the board; its units stay where they are."""

Record = dict[str, Any]


def record_hash(record: Record) -> str:
    """Hash of a record without its own hash."""
    return hashlib.sha256(canonical({k: v for k, v in record.items() if k != "hash"}).encode()).hexdigest()


def intact(record: Record, line: bytes) -> bool:
    """Whether a record's hash fits and its line is its canonical text: as two dumps would tell, by one a key."""
    parts = {key: f"{canonical(key)}:{canonical(value)}" for key, value in record.items()}
    own = f"{{{','.join(parts[key] for key in sorted(parts) if key != 'hash')}}}"
    whole = f"{{{','.join(parts[key] for key in sorted(parts))}}}"
    return whole.encode() == line and hashlib.sha256(own.encode()).hexdigest() == record["hash"]


def chained(record: Record, previous: str) -> Record:
    """A record with its link to the one before it, and its own hash."""
    whole = {"format": FORMAT, **record, "prev": previous}
    return {**whole, "hash": record_hash(whole)}


def lines(path: Path) -> list[bytes]:
    """Whole lines only: what follows the last line end was never finished."""
    return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


class Reader:
    """Reads a file of records; again only when it has changed, and then only what was appended, if that is all.

    Args:
        path: of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        """Bytes of the whole lines that were read."""
        self._seen: tuple[int, int, int] | None = None
        self._last = b""
        self._records: list[Record] = []

    def records(self) -> list[Record]:
        """All records of all types, oldest first, not to be changed.

        Raises:
            IntegrityError: for a line that is no record.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._seen, self.end, self._last, self._records = None, 0, b"", []
            return []
        now = (status.st_ino, status.st_size, status.st_mtime_ns)
        if now != self._seen:
            with self.path.open("rb") as file:
                known = self._records if self._grown(file, now) else []
                start = self.end if known else 0
                file.seek(start)
                whole = file.read().split(b"\n")[:-1]
            added = [self._parse(line, f"line {n}") for n, line in enumerate(whole, start=len(known) + 1)]
            self._records = [*known, *added]
            self.end = start + sum(len(line) + 1 for line in whole)
            self._last = whole[-1] if whole else self._last
            self._seen = now
        return self._records

    def _grown(self, file: BinaryIO, now: tuple[int, int, int]) -> bool:
        """Whether the same file is longer than it was, and what was read last still stands where it stood."""
        if not self._records or self._seen is None or now[0] != self._seen[0] or now[1] <= self._seen[1]:
            return False
        file.seek(self.end - len(self._last) - 1)
        return file.read(len(self._last) + 1) == self._last + b"\n"

    def _parse(self, line: bytes, where: str) -> Record:
        try:
            record = json.loads(line)
        except ValueError as error:
            hint = "Run: karyobench ledger verify"
            raise IntegrityError("not a record", file=self.path, field=where, hint=hint) from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise IntegrityError("unknown record format", file=self.path, field=where, allowed=str(FORMAT))
        if record.get("type") not in (None, REPRODUCTION, WITHDRAWAL):
            problem, hint = "unknown type of record", "A newer version of this program may know it"
            raise IntegrityError(problem, file=self.path, field=where, found=record["type"], hint=hint)
        return record
