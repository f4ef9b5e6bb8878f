"""Building the board: a folder of pages, pictures and files from a ledger that verifies, and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from benchmark.board import collect, detail
from benchmark.board.detail_model import Detail, Tallies
from benchmark.board.exports import bundle as exports
from benchmark.board.model import Board
from benchmark.board.pages import changes, compare, frame, index, method, submission
from benchmark.board.pictures import bundle as pictures
from benchmark.board.reading import Reading
from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic, disk_errors, sha256_file
from benchmark.ledger import Ledger
from benchmark.memo import Memo

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
) -> Path:
    """Write the board into a folder.

    Args:
        ledger: its chain and every file of predictions must be whole; every figure is computed from them.
        folder: made when absent. Files of an earlier build that this one does not have are removed.
        memo: remembers figures between builds.
        url: where the board will be found, for the feed and the metadata.
        step: told how many submissions are done and how many there are.

    Returns:
        Path of the first page.

    Raises:
        IntegrityError: when the ledger does not verify.
        InputError: when it holds no result, or the folder holds something else.
    """
    verify(ledger)
    reading = Reading(ledger, memo)
    board = collect.board(reading)
    names = list(reading.by_submission)

    def details() -> Iterator[Detail]:
        for done, one in enumerate(detail.details(reading, board)):
            if step:
                step(done, len(names))
            yield one
        if step:
            step(len(names), len(names))

    tallies = (one for name in names for one in detail.tallies(reading, name))
    return write(folder, board, details(), tallies, url)


def verify(ledger: Ledger) -> None:
    """Refuse a ledger whose chain is broken or whose predictions are not those recorded.

    Raises:
        IntegrityError: names the line.
    """
    hint = "Run: karyobench ledger verify"
    findings = ledger.verify(rescore=False)
    if findings:
        raise IntegrityError(findings[0].problem, file=ledger.path, field=f"line {findings[0].line}", hint=hint)
    wanted = [
        (ledger.predictions_path(record["key"]), record["predictions"]["sha256"])
        for record in ledger.records()
        if record["status"] == "scored"
    ]
    with ThreadPoolExecutor() as pool:
        for (path, digest), found in zip(wanted, pool.map(_hash, (path for path, _ in wanted)), strict=True):
            if found != digest:
                problem = "predictions are missing" if found is None else "predictions are not those of the record"
                raise IntegrityError(problem, file=path, hint=hint)


def _hash(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None


def write(
    folder: Path, board: Board, details: Iterable[Detail], tallies: Iterable[Tallies], url: str | None = None
) -> Path:
    """Write every file of a board; the first page last, so that it never links to what is not there yet.

    A file that is as it should be is left alone, and keeps its date.

    Args:
        folder: made when absent.
        board: what the pages show.
        details: of every submission that has a page.
        tallies: of every submission and track.
        url: where the board will be found.

    Raises:
        InputError: when the folder holds something that is no board.
    """
    before = _built(folder)
    written: set[str] = set()
    first: bytes | None = None
    _list(folder, before)
    try:
        for path, content in _files(board, details, tallies, url):
            written.add(path)
            if path == FIRST:
                first = content
            else:
                _put(folder / path, content)
    finally:
        _list(folder, before | written)
    assert first is not None
    _put(folder / FIRST, first)
    for path in sorted(before - written):
        (folder / path).unlink(missing_ok=True)
    _list(folder, written)
    return folder / FIRST


def _files(
    board: Board, details: Iterable[Detail], tallies: Iterable[Tallies], url: str | None
) -> Iterator[tuple[str, bytes]]:
    yield from frame.assets()
    yield from chain.from_iterable(submission.files(board, one) for one in details)
    yield from (compare.tallies_file(one) for one in tallies)
    yield from pictures.files(board)
    yield from exports.files(board, url)
    yield from method.files(board)
    yield from changes.files(board)
    yield from compare.files(board)
    yield from index.files(board)


def _list(folder: Path, names: Iterable[str]) -> None:
    with atomic(folder / BUILT, durable=False) as file:
        file.write(json.dumps(sorted(names)).encode())


def _built(folder: Path) -> set[str]:
    """What an earlier build wrote into the folder."""
    marker = folder / BUILT
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return set()
    if not marker.is_file():
        raise InputError(
            "holds something else than a board", file=folder, field="output",
            allowed="a new or empty folder, or one that a board was built into",
        )  # fmt: skip
    try:
        names = json.loads(marker.read_text(encoding="utf-8"))
        return {name for name in names if not Path(name).is_absolute() and ".." not in Path(name).parts}
    except (ValueError, TypeError) as error:
        raise InputError("not a list of files", file=marker, hint="Delete the folder and build again") from error


def _put(path: Path, content: bytes) -> None:
    with disk_errors(path):
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return
    with atomic(path, durable=False) as file:
        file.write(content)
