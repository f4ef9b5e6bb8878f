"""What all places have in common: what would change, and what is somebody else's.

Beside what is published stands a marker, a JSON file that lists every file of ours. Only files that it
lists are ever removed, and a place that holds other things and no marker is refused. A file of ours never
replaces one that somebody else put there.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal, NamedTuple

from benchmark.errors import InputError, IntegrityError

What = Literal["board", "results"]
Source = Path | bytes
"""What a file holds: the path of a local one, or its bytes."""

MARKERS: dict[What, str] = {"board": ".karyobench-board.json", "results": ".karyobench-results.json"}
LAST: dict[What, str] = {"board": "index.html", "results": "ledger/records.jsonl"}
"""What makes the rest visible; written after it where files are written one by one."""

FORMAT = 1


class Change(NamedTuple):
    """One file that would change, and its size in bytes afterwards (0: removed)."""

    kind: Literal["added", "changed", "removed"]
    path: str
    size: int


class Plan(NamedTuple):
    """What publishing would do.

    Attributes:
        changes: sorted by path.
        same: number of files that are there already.
        state: what the place was at (a commit); None where it is new or knows none.
        owned: paths that an earlier publication put there.
    """

    changes: tuple[Change, ...]
    same: int
    state: str | None
    owned: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Bytes to be written."""
        return sum(change.size for change in self.changes)

    def of(self, *kinds: str) -> list[str]:
        """Paths of some kinds of change."""
        return [change.path for change in self.changes if change.kind in kinds]


@dataclass(frozen=True)
class Publication:
    """What is to be at a place.

    Args:
        what: it is.
        files: path at the place, with `/`, to its content.
        head: hash of the last record of the ledger that it was made from.
        absent: files that are written only where there are none of their name, and belong to the place's owner.
        completed: files of the place's owner to which something necessary was added.
    """

    what: What
    files: Mapping[str, Source]
    head: str
    absent: Mapping[str, bytes] = field(default_factory=dict)
    completed: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """For a commit."""
        name = {"board": "the board of", "results": "the records of"}[self.what]
        return f"Publish {name} ledger {self.head[:12]}"

    def marker(self, owned: frozenset[str] = frozenset(), complete: bool = True) -> bytes:
        """Content of the marker; with `owned`, for the time until it is complete."""
        names = sorted({*self.files, *owned})
        data = {"format": FORMAT, "what": self.what, "head": self.head, "complete": complete, "files": names}
        return (json.dumps(data, indent=0) + "\n").encode()

    def ours(self) -> dict[str, Source]:
        """Our files with the marker; what makes the others visible comes last."""
        last = LAST[self.what]
        order = sorted(self.files, key=lambda name: (name == last, name))
        return {MARKERS[self.what]: self.marker(), **{name: self.files[name] for name in order}}

    def everything(self) -> dict[str, Source]:
        """Our files after those of the place's owner."""
        return {**self.absent, **self.completed, **self.ours()}


class Place(ABC):
    """Somewhere that files are published.

    Args:
        address: what follows the kind.
        what: is published there.

    Raises:
        InputError: when there can be no such address.
    """

    kind: ClassVar[str]
    form: ClassVar[str]
    """The address, for people."""

    tolerated: ClassVar[frozenset[str]] = frozenset()
    """Names that the place itself or its owner puts beside what is published."""

    replaceable: ClassVar[frozenset[str]] = frozenset()
    """Names that a new place holds and that are no one's."""

    def __init__(self, address: str, what: What) -> None:
        self.address, self.what = address, what

    def __str__(self) -> str:
        return f"{self.kind}:{self.address}"

    @abstractmethod
    def listing(self) -> tuple[dict[str, str], str | None]:
        """Digest of each file that is there (`sha256:...` or, as git has them, `blob-sha1:...`), and its state."""

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """A small file that is there now; None where there is none."""

    @abstractmethod
    def write(self, publication: Publication, plan: Plan) -> str:
        """Make it so.

        Args:
            publication: what is to be there.
            plan: what `compare` found.

        Returns:
            One sentence for people: where it is, or what is left to do.

        Raises:
            InputError: when it is refused, or what is there is no longer what was compared with.
            InfrastructureError: when the place or the way to it failed; the same command continues.
        """

    def push(self, remote: str) -> str:
        """Send what was written on to a remote; only places that have one.

        Raises:
            InputError: for a place without remotes.
        """
        raise InputError(
            "has no remote to push to", file=str(self), field="--push", found=remote, allowed="git:<branch>"
        )

    def prepared(self, publication: Publication) -> Publication:
        """The publication with what this kind of place wants beside it."""
        return publication

    def compare(self, publication: Publication) -> Plan:
        """What publishing would change.

        Raises:
            InputError: when the place holds other things.
            InfrastructureError: when it cannot be asked.
        """
        there, state = self.listing()
        owned = self._owned(there)
        files = publication.ours()
        found: list[Change] = []
        for path, source in files.items():
            if path not in there:
                found.append(Change("added", path, size(source)))
            elif not holds(there[path], source):
                if path not in owned | self.replaceable | {MARKERS[self.what]}:
                    problem = "would replace a file that was not published from here"
                    raise InputError(problem, file=str(self), found=path, hint="Move it away, or publish elsewhere")
                found.append(Change("changed", path, size(source)))
        found += [Change("added", path, len(data)) for path, data in publication.absent.items() if path not in there]
        found += [
            Change("changed", path, len(data))
            for path, data in publication.completed.items()
            if path not in there or not holds(there[path], data)
        ]
        if self.what == "board":
            found += [Change("removed", path, 0) for path in owned & there.keys() - files.keys()]
        done = sum(change.kind != "removed" for change in found)
        total = len(publication.everything())
        return Plan(tuple(sorted(found, key=lambda one: one.path)), total - done, state, owned)

    def _owned(self, there: Mapping[str, str]) -> frozenset[str]:
        """What an earlier publication put there."""
        marker = MARKERS[self.what]
        if marker in there:
            return owned_files(self.read(marker) or b"", f"{self}/{marker}")
        foreign = sorted(there.keys() - self.tolerated - self.replaceable)
        if foreign:
            raise InputError(
                "holds other things", file=str(self), found=foreign[0],
                allowed=f"an empty place, or one with {marker} of an earlier publication",
            )  # fmt: skip
        return frozenset()


def owned_files(data: bytes, where: str) -> frozenset[str]:
    """The files that a marker lists.

    Raises:
        IntegrityError: when it is no marker, or lists a path that leads outside.
    """
    try:
        names = json.loads(data)["files"]
        if not isinstance(names, list) or not all(isinstance(name, str) and inside(name) for name in names):
            raise ValueError("files must be paths that stay inside")
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"not a list of published files: {error}", file=where) from error
    return frozenset(names)


def inside(path: str) -> bool:
    """Whether a path stays below the folder that it is relative to."""
    parts = PurePosixPath(path)
    return bool(parts.parts) and not parts.is_absolute() and ".." not in parts.parts and "\\" not in path


def size(source: Source) -> int:
    """Bytes of a file."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def content(source: Source) -> bytes:
    """The bytes themselves."""
    return source if isinstance(source, bytes) else source.read_bytes()


def holds(digest: str, source: Source) -> bool:
    """Whether a digest from `Place.listing` is that of a file."""
    form, _, value = digest.partition(":")
    return _DIGESTS[form](content(source)) == value


def blob(data: bytes, algorithm: str = "sha1") -> str:
    """The name that git gives to a file's content."""
    total = hashlib.new(algorithm, b"blob %d\0" % len(data), usedforsecurity=False)
    total.update(data)
    return total.hexdigest()


_DIGESTS: dict[str, Callable[[bytes], str]] = {
    "sha256": lambda data: hashlib.sha256(data).hexdigest(),
    "blob-sha1": blob,
    "blob-sha256": lambda data: blob(data, "sha256"),
}
