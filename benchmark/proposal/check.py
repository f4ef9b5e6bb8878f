"""The check of a pull request, from a range of commits to a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmark import submission as submissions
from benchmark.errors import InputError
from benchmark.proposal.copies import Copy, copies
from benchmark.proposal.git import FILE, Blob, Range, Repository
from benchmark.proposal.names import Likeness, likenesses
from benchmark.proposal.report import Proposal, Step, line, step
from benchmark.proposal.touched import SUBMISSIONS, Touched, look, owner_of
from benchmark.submission import MAX_FILE, MAX_FILES, Submission


class Examined(NamedTuple):
    """What the check of one submission's folder found, a sentence each.

    Attributes:
        problems: what has to be mended.
        warnings: what should be looked at.
        facts: what else is worth knowing.
    """

    problems: list[str]
    warnings: list[str]
    facts: list[str]


Examine = Callable[[Path], Examined]
"""Checks one submission's folder, in a process or container of its own."""

Told = Callable[[str], None]
"""Told what is looked at next."""


def check(
    repository: Path, span: str, examine: Examine, sandbox: str = "process", told: Told | None = None
) -> Proposal:
    """Check what a pull request brings. Nothing of it runs in this process, and nothing is checked out.

    Args:
        repository: any folder in it.
        span: `BASE..HEAD`.
        examine: the check of one folder.
        sandbox: where networks are built to compare them: `process` or `docker`.
        told: what is looked at next, for a progress bar.

    Raises:
        InputError: when there is no such repository or range.
    """
    tell = told or (lambda text: None)
    git = Repository(repository)
    of = git.range(span)
    tell("what it touches")
    before, after = (_folders(git.tree(commit, f"{SUBMISSIONS}/")) for commit in of)
    seen = look(git.changes(of), before, after)
    if not seen.names:
        texts = [f"{part}: {', '.join(paths[:5])}" for part, paths in seen.parts.items()]
        steps = (step("touches", [], [], texts or ["nothing"]),)
        return Proposal(base=of.base, head=of.head, kind="none", steps=steps)
    first = step("touches", list(seen.problems), [], [f"{SUBMISSIONS}/{name}" for name in seen.names])
    if seen.own is None:
        return Proposal(base=of.base, head=of.head, kind="unclear", steps=(first,))
    kind = "new" if seen.fresh else "changed"
    with _folders_of(git, of, seen.own, before) as (folder, known):
        rest = _steps(git, of, seen, folder, known, examine, sandbox, tell)
    return Proposal(base=of.base, head=of.head, kind=kind, submission=line(seen.own)[:200], steps=(first, *rest))


def _steps(
    git: Repository,
    of: Range,
    seen: Touched,
    folder: Path,
    known: Sequence[Submission],
    examine: Examine,
    sandbox: str,
    tell: Told,
) -> list[Step]:
    name = str(seen.own)
    own, problem = _written(git, git.tree(of.head, f"{SUBMISSIONS}/{name}/"), folder)
    title = own.spec.title if own else None
    near = likenesses(name, title, {one.name: one.spec.title for one in known})
    found = [
        step("files", [problem] if problem else [], []),
        step("name", _of(near, "error"), _of(near, "warning")),
    ]
    if own is None:
        return [*found, Step(name="copy", level="skipped"), Step(name="check", level="skipped")]
    tell("whether its network is another's")
    found.append(_copied(own, known, sandbox))
    tell("the submission itself")
    return [*found, step("check", *examine(own.folder))]


def _written(git: Repository, blobs: Sequence[Blob], folder: Path) -> tuple[Submission | None, str | None]:
    """The submission, written out and read, or what is wrong with its files."""
    try:
        _write(git, blobs, folder)
        return submissions.read(folder), None
    except InputError as error:
        return None, str(error).replace(str(folder), f"{SUBMISSIONS}/{folder.name}")


def _copied(own: Submission, known: Sequence[Submission], sandbox: str) -> Step:
    try:
        found = copies(own, known, sandbox)
    except InputError as error:
        return step("copy", [str(error).replace(str(own.folder), f"{SUBMISSIONS}/{own.name}")], [])
    count = len(known) - len(found.unknown)
    facts = [f"compared with {count} other{'s' * (count != 1)}"]
    facts += [f"could not be built here, and so not compared: {name}" for name in found.unknown]
    return step("copy", _of(found.copies, "error"), _of(found.copies, "warning"), facts)


def _of(found: Sequence[Copy | Likeness], level: str) -> list[str]:
    return [one.text for one in found if one.level == level]


def _folders(blobs: Sequence[Blob]) -> set[str]:
    return {name for blob in blobs if (name := owner_of(blob.path)) is not None}


@contextmanager
def _folders_of(git: Repository, of: Range, own: str, before: set[str]) -> Iterator[tuple[Path, list[Submission]]]:
    """A folder for the submission, and those that were there before, as they were."""
    with tempfile.TemporaryDirectory(prefix="karyobench-") as name:
        known = []
        for other in sorted(before - {own}):
            place = Path(name) / "base" / SUBMISSIONS / other
            found, _ = _written(git, git.tree(of.base, f"{SUBMISSIONS}/{other}/"), place)
            if found is not None:
                known.append(found)
        yield Path(name) / "head" / SUBMISSIONS / own, known


def _write(git: Repository, blobs: Sequence[Blob], folder: Path) -> None:
    """Write plain files of one submission into a new folder.

    Raises:
        InputError: for anything that is no plain file in the folder itself, or too much.
    """
    if not _plain(folder.name):
        raise InputError("not a name for a folder", field="name", found=folder.name)
    if len(blobs) > MAX_FILES:
        raise InputError("too many files", file=folder, found=len(blobs), allowed=f"at most {MAX_FILES}")
    folder.mkdir(parents=True)
    for blob in blobs:
        name = blob.path.split("/", 2)[2]
        if not _plain(name):
            raise InputError("must be a plain file (no folders, links or devices)", file=folder / "…", found=name)
        if not blob.mode.startswith(FILE[:3]):
            raise InputError("must be a plain file (no folders, links or devices)", file=folder / name)
        if blob.size > MAX_FILE:
            size, most = f"{blob.size:,} bytes", f"at most {MAX_FILE:,} bytes"
            raise InputError("file is too large", file=folder / name, found=size, allowed=most)
        (folder / name).write_bytes(git.read(blob))


def _plain(name: str) -> bool:
    return name.isprintable() and "/" not in name and "\\" not in name and name not in ("", ".", "..", ".git")
