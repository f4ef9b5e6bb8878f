"""Building the board: a folder of pages, pictures and files from a ledger that verifies, and from nothing else."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.board import collect, detail
from benchmark.board.counted import TOGETHER
from benchmark.board.detail_model import Detail, Tallies
from benchmark.board.exports import bundle as exports
from benchmark.board.model import Board
from benchmark.board.pages import changes, compare, elsewhere, frame, index, insight, method, status, submission
from benchmark.board.pictures import bundle as pictures
from benchmark.board.reading import Reading
from benchmark.crew import crew, slices
from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic, digest, disk_errors
from benchmark.insight.kept import Kept
from benchmark.ledger import Ledger
from benchmark.memo import Memo, key_of
from benchmark.status.reading import Found

Step = Callable[[int, int | None], None]

FIRST = "index.html"
BUILT = ".built.json"
"""Lists what the last build wrote, so that the next one removes what is gone and touches nothing else."""


def build(
    ledger: Ledger,
    folder: Path,
    *,
    memo: Memo | None = None,
    url: str | None = None,
    step: Step | None = None,
    workers: int | None = None,
    run: Found | None = None,
) -> Path:
    """Write the board into a folder.

    Args:
        ledger: its chain and every file of predictions must be whole; every figure is computed from them.
        folder: made when absent. Files of an earlier build that this one does not have are removed.
        memo: remembers figures between builds.
        url: where the board will be found, for the feed and the metadata.
        step: told how many submissions are done and how many there are.
        workers: processes that share the work; default: as many as there are processors.
        run: that a page of its own shows; without one there is no such page.

    Returns:
        Path of the first page.

    Raises:
        IntegrityError: when the ledger does not verify.
        InputError: when it holds no result, or the folder holds something else.
    """
    with _no_collection():
        verify(ledger, memo or Memo(), workers)
        try:
            reading = Reading(ledger, memo, workers)
        except IntegrityError as error:
            raise IntegrityError(error.problem, file=error.file, hint=HINT) from error
        board = collect.board(reading).model_copy(update={"status": run is not None})
        look = frame.look()
        parts = [
            Part(one.submission, partial(_key, one, look, board), partial(_own, board, one.make))
            for one in detail.pages(reading, board)
        ]
        return write(folder, board, parts, url, step=step, workers=workers, run=run, reports=reading.reports)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Records stay until the end: no collector needs to walk through gigabytes of them again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def verify(ledger: Ledger, memo: Memo, workers: int | None = None) -> None:
    """Refuse a ledger whose chain is broken; its records are then at hand. Predictions are checked as they are read.

    Args:
        ledger: to be read.
        memo: what it found of the very same bytes before need not be found again.
        workers: processes; default: as many as there are processors.

    Raises:
        IntegrityError: names the line.
    """

    def compute() -> list[tuple[int, str]]:
        return [(one.line, one.problem) for one in ledger.verify(rescore=False, workers=workers)]

    parts = [_hash(ledger.path) or ""]
    known = memo.has(key_of("chain", parts))
    findings = memo.get("chain", parts, compute)
    if known:
        ledger.load(workers)
    if findings:
        line, problem = findings[0]
        raise IntegrityError(problem, file=ledger.path, field=f"line {line}", hint=HINT)


def _hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


HINT = "Run: karyobench ledger verify"


class Part(NamedTuple):
    """What a board holds of one submission.

    Attributes:
        submission: its name.
        key: gives a hash of all that decides its files; where it and the files are as they were, nothing is made. None: always made.
        files: makes them.
        last: they link to all others, and are written when those are there.
    """

    submission: str
    key: Callable[[], str] | None
    files: Callable[[], Iterable[tuple[str, bytes]]]
    last: bool = False


def _key(page: detail.Page, look: str, board: Board) -> str:
    return digest([page.key(), look, board.status, bool(board.self_run)])


def _own(board: Board, make: Callable[[], tuple[Detail, Iterable[Tallies]]]) -> Iterator[tuple[str, bytes]]:
    shown, counts = make()
    yield from submission.files(board, shown)
    yield from map(compare.tallies_file, counts)


def made(board: Board, detail: Detail, tallies: Iterable[Tallies] = ()) -> Part:
    """The part of a submission whose data are at hand."""
    return Part(detail.submission, None, partial(_own, board, lambda: (detail, tallies)))


class _Built(NamedTuple):
    """What an earlier build wrote: all paths, and by submission its key and the hashes of its files."""

    files: set[str]
    parts: dict[str, dict[str, Any]]


def write(
    folder: Path,
    board: Board,
    parts: Iterable[Part],
    url: str | None = None,
    *,
    step: Step | None = None,
    workers: int | None = None,
    run: Found | None = None,
    reports: Iterable[Kept] = (),
) -> Path:
    """Write every file of a board; the first page last, so that it never links to what is not there yet.

    A file that is as it should be is left alone, and keeps its date.

    Args:
        folder: made when absent.
        board: what the pages show.
        parts: of every submission that has a page.
        url: where the board will be found.
        step: told how many submissions are done and how many there are.
        workers: processes; default: as many as there are processors.
        run: shown by a page of its own, which `board.status` announces.
        reports: each shown by a page of its own, which `board.insight` announces.

    Raises:
        InputError: when the folder holds something that is no board.
    """
    own = list(parts)
    before = built(folder)
    now = _Built(set(), {})
    _list(folder, before)
    finished, late = 0, dict[str, bytes]()

    def done(shared: Sequence[Part]) -> None:
        nonlocal finished
        finished += sum(part.submission != "" for part in shared)
        if step:
            step(finished, len(own))

    def make(share: Sequence[Part]) -> list[dict[str, Any]]:
        return [_make(folder, part, before.parts.get(part.submission)) for part in share]

    shared = [*_shared(board, url, run, reports), Part("", None, frame.assets)]
    shares = [*([one] for one in shared), *slices(own, TOGETHER)] if len(own) > TOGETHER else [[*own, *shared]]
    if step:
        step(0, len(own))
    try:
        with crew(make, shares, workers, done) as results:
            for share, made_ in zip(shares, results, strict=True):
                for part, known in zip(share, made_, strict=True):
                    late.update(known.pop("last", {}))
                    now.files.update(known["files"])
                    if part.submission:
                        now.parts[part.submission] = known
    finally:
        _list(folder, _Built(before.files | now.files, before.parts | now.parts))
    for path in sorted(late, key=lambda one: one == FIRST):
        put(folder / path, late[path])
    for path in sorted(before.files - now.files):
        (folder / path).unlink(missing_ok=True)
    _list(folder, now)
    return folder / FIRST


def _make(folder: Path, part: Part, known: dict[str, Any] | None) -> dict[str, Any]:
    """Make the files of one part, where they are not there already. What comes last is returned, not written."""
    key = part.key() if part.key else ""
    same = known if known and key and known["key"] == key else None
    if same and all(_hash(folder / path) == wanted for path, wanted in same["files"].items()):
        return same
    made: dict[str, Any] = {"key": key, "files": {}}
    for path, content in part.files():
        made["files"][path] = hashlib.sha256(content).hexdigest()
        if part.last:
            made.setdefault("last", {})[path] = content
        else:
            put(folder / path, content)
    return made


def _shared(board: Board, url: str | None, run: Found | None, reports: Iterable[Kept]) -> Iterator[Part]:
    """All files that hang on the whole board, the slowest first."""
    yield Part("", None, partial(pictures.files, board))
    yield Part("", None, partial(exports.files, board, url))
    yield Part("", None, partial(index.files, board), last=True)
    yield from (Part("", None, partial(insight.files, board, one)) for one in reports)
    for files in (changes.files, compare.files, elsewhere.files, method.files):
        yield Part("", None, partial(files, board))
    if run:
        yield Part("", None, partial(status.files, board, run.state, run.life))


def _list(folder: Path, built: _Built) -> None:
    with atomic(folder / BUILT, durable=False) as file:
        file.write(json.dumps({"files": sorted(built.files), "parts": built.parts}).encode())


def built(folder: Path) -> _Built:
    """What an earlier build wrote into the folder."""
    marker = folder / BUILT
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return _Built(set(), {})
    if not marker.is_file():
        raise InputError(
            "holds something else than a board", file=folder, field="output",
            allowed="a new or empty folder, or one that a board was built into",
        )  # fmt: skip
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
        paths = {name for name in found["files"] if not Path(name).is_absolute() and ".." not in Path(name).parts}
        parts = {name: {"key": str(one["key"]), "files": dict(one["files"])} for name, one in found["parts"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError("not a list of files", file=marker, hint="Delete the folder and build again") from error
    return _Built(paths, {name: one for name, one in parts.items() if paths.issuperset(one["files"])})


def put(path: Path, content: bytes) -> None:
    """Write a file unless it is as it should be."""
    with disk_errors(path):
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return
    with atomic(path, durable=False) as file:
        file.write(content)
