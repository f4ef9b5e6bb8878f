"""A folder of published results, read once for all that is asked of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ValidationError

from benchmark.board.policy.required import Corrected, Failed, Reproduced, Scored, Withdrawn
from benchmark.ledger import Ledger
from benchmark.records import Record

_MODELS: dict[str, type[BaseModel]] = {
    "scored": Scored, "failed": Failed, "reproduction": Reproduced, "withdrawal": Withdrawn,
    "correction": Corrected,
}  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A folder of results, read once.

    Args:
        ledger: its ledger.
        folder: around the ledger; None where that is a workspace and no matter of ours.
        board: a built board, if it is to be fresh.
    """

    ledger: Ledger
    folder: Path | None = None
    board: Path | None = None

    @cached_property
    def lines(self) -> list[tuple[int, Record]]:
        """Number and content of every line that is a record; what is none, rule `whole` reports."""
        found = []
        for number, line in enumerate(self.ledger.path.read_bytes().split(b"\n"), start=1):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                found.append((number, record))
        return found

    @cached_property
    def sound(self) -> list[tuple[int, Record]]:
        """Those that say all that rule `provenance` wants; the other rules read only these."""
        return [(number, record) for number, record in self.lines if wanting(record) is None]

    @cached_property
    def units(self) -> list[tuple[int, Record]]:
        """Sound records of units."""
        return [(number, record) for number, record in self.sound if "type" not in record]

    @cached_property
    def files(self) -> list[Path]:
        """All files of the folder, of the ledger, and of each of its folders; deeper ones break the layout."""
        ledger = self.ledger.folder
        folders = {ledger, *(path for path in ledger.iterdir() if path.is_dir())} | (
            {self.folder} if self.folder else set()
        )
        return sorted(path for folder in folders for path in folder.iterdir() if path.is_file())

    def name(self, path: Path) -> str:
        """A path as people see it."""
        return path.relative_to(self.folder or self.ledger.folder).as_posix()


def wanting(record: Record) -> str | None:
    """What a record does not say, or says wrongly; None where nothing is."""
    kind = record.get("type") or record.get("status")
    model = _MODELS.get(str(kind))
    if model is None:
        return f"unknown type or status of record: {kind!r}"
    try:
        model.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    return None
