"""Figures that were computed before, so that a board of many submissions is not computed twice.

A figure's key holds the hashes of the records that it rests on, each of which holds that of its
predictions, and the hash of this package's own code. Nothing in it can go stale: whatever changes
gives another key. Whoever changes stored predictions is found by their hash, not here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic_core import from_json

from benchmark.files import disk_errors
from benchmark.provenance import harness


def default() -> Path:
    """The file that all workspaces of a user share: `KARYOBENCH_CACHE`, or karyobench in the user's cache folder."""
    folder = os.environ.get("KARYOBENCH_CACHE")
    if folder is None:
        folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "karyobench")
    return Path(folder) / "figures.sqlite"


def key_of(kind: str, parts: Sequence[str]) -> str:
    """The key of a figure: of its kind, what decides it, and this package's own code."""
    return hashlib.sha256("\0".join([kind, harness()["code"], *parts]).encode()).hexdigest()


class Memo:
    """Plain data by what it was computed from, in one SQLite file.

    What is new is at hand, also of forks, and written at the end. A fork of the process that opened the file knows
    nothing else: a connection is its own process's alone.

    Args:
        path: of the file; None remembers nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.hits = self.misses = 0
        self._new: dict[str, str] | None = None if path is None else {}
        self._store = None if path is None else _open(path)
        self._owner = os.getpid()

    @classmethod
    def passing(cls) -> Memo:
        """Remembers as long as it is there."""
        found = cls()
        found._new = {}
        return found

    def get(self, kind: str, parts: Sequence[str], compute: Callable[[], Any]) -> Any:
        """A figure: looked up, or computed and kept.

        Args:
            kind: which figure.
            parts: what decides it: hashes of records, settings.
            compute: gives plain data of JSON's types; NaN and infinity are kept as such.
        """
        if self._new is None:
            return compute()
        key = key_of(kind, parts)
        found = self._find(key)
        if found is not None:
            self.hits += 1
            return from_json(found)
        self.misses += 1
        value = compute()
        if os.getpid() == self._owner:
            self._new[key] = json.dumps(value)
        return value

    def _find(self, key: str) -> str | None:
        if self._new and key in self._new:
            return self._new[key]
        if self._store is None or os.getpid() != self._owner:
            return None
        row = self._store.execute("SELECT value FROM figures WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def has(self, key: str) -> bool:
        """Whether a figure is remembered."""
        return self._find(key) is not None

    def put(self, figures: Iterable[tuple[str, str]]) -> None:
        """Keep figures that were computed elsewhere, as (key, JSON)."""
        if self._new is not None:
            self._new.update(figures)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is new."""
        if self._store is not None and self._new is not None:
            with contextlib.suppress(sqlite3.Error):  # a full disk costs time later and nothing else
                self._store.executemany("INSERT OR REPLACE INTO figures VALUES (?, ?)", sorted(self._new.items()))
                self._store.commit()
            self._store.close()
            self._new = self._store = None


def _open(path: Path) -> sqlite3.Connection:
    """The store; one that cannot be read is begun anew, since it can be computed again."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connect(path)
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path, timeout=60)
    try:
        store.execute("PRAGMA cache_spill = OFF")  # written at the end, and not page by page with a sync each time
        store.execute("CREATE TABLE IF NOT EXISTS figures (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        store.execute("SELECT key FROM figures LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        store.close()
        raise
    return store


class Gathered(Memo):
    """Keeps figures at hand, for another process to put them where they are remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.figures: dict[str, Any] = {}

    def get(self, kind: str, parts: Sequence[str], compute: Callable[[], Any]) -> Any:
        """As `Memo.get`."""
        key = key_of(kind, parts)
        if key not in self.figures:
            self.figures[key] = compute()
        return self.figures[key]

    def keep(self, kind: str, parts: Sequence[str], value: Any) -> None:
        """Keep a figure that was computed."""
        self.figures[key_of(kind, parts)] = value

    def texts(self) -> list[tuple[str, str]]:
        """All of them, for `Memo.put`."""
        return [(key, json.dumps(value)) for key, value in self.figures.items()]
