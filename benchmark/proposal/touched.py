"""What a pull request touches, and what it may: one folder below `submissions/`, plain files only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmark.proposal.git import ABSENT, EXECUTABLE, FILE, LINK, MODES, MODULE, Change

SUBMISSIONS = "submissions"
README = f"{SUBMISSIONS}/README.md"

PARTS = (
    ("workflow", r"\.github/|\.ci/"),
    ("git's configuration", r"(.*/)?\.git(attributes|modules|ignore|config)$"),
    ("track", r"benchmark/tracks/"),
    ("protocol", r"benchmark/protocol\.py$"),
    ("dataset", r"datasets/"),
    ("results", r"leaderboard/"),
    ("harness", r"benchmark/|bench/|Dockerfile$|\.dockerignore$|pyproject\.toml$|tox\.ini$"),
    ("tests", r"tests/"),
    ("documentation", r"docs/|[^/]+\.md$|submissions/README\.md$|mkdocs\.yml$"),
)
"""Parts of the repository by path; the first that fits."""


class Touched(NamedTuple):
    """What a pull request touches.

    Attributes:
        names: folders below `submissions/` in which something is, was or comes.
        own: the one that it brings or changes; None where there is none, or several.
        fresh: whether that folder was absent before.
        parts: what else it touches, by part of the repository.
        problems: what it may not do, a sentence each.
    """

    names: tuple[str, ...]
    own: str | None
    fresh: bool
    parts: dict[str, tuple[str, ...]]
    problems: tuple[str, ...]


def part_of(path: str) -> str:
    """Which part of the repository a path belongs to."""
    return next((name for name, pattern in PARTS if re.match(pattern, path)), "other files")


def owner_of(path: str) -> str | None:
    """Name of the submission that a path belongs to; None for any other path.

    What lies in `submissions/` itself counts as one, but for its README: a link or submodule there would be its folder.
    """
    parts = path.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == SUBMISSIONS and path != README else None


def look(changes: Sequence[Change], before: Iterable[str], after: Iterable[str]) -> Touched:
    """Judge the changes of a pull request.

    Args:
        changes: of `Repository.changes`.
        before: names of all submissions in the base.
        after: likewise, in the head.
    """
    known, kept = set(before), set(after)
    paths = [path for change in changes for path in (change.path, change.origin) if path]
    names = tuple(sorted({name for path in paths if (name := owner_of(path)) is not None}))
    own = [name for name in names if name in kept]
    parts: dict[str, list[str]] = {}
    for path in dict.fromkeys(path for path in paths if owner_of(path) is None):
        parts.setdefault(part_of(path), []).append(path)
    problems = [*_elsewhere(parts, bool(names)), *_others(changes, names, known, kept), *_kinds(changes)]
    single = own[0] if len(own) == 1 else None
    return Touched(names, single, single not in known, {k: tuple(v) for k, v in parts.items()}, tuple(problems))


def _elsewhere(parts: dict[str, list[str]], submits: bool) -> Iterable[str]:
    if submits:
        for part, paths in parts.items():
            yield f"changes the {part}: {_listed(paths)}; a submission may touch only its own folder"


def _others(changes: Sequence[Change], names: Sequence[str], known: set[str], kept: set[str]) -> Iterable[str]:
    gone = [name for name in names if name in known and name not in kept]
    came = {
        (owner_of(change.origin), owner_of(change.path))
        for change in changes
        if change.origin is not None and owner_of(change.origin) != owner_of(change.path)
    }
    for name in gone:
        new = sorted(str(to) for origin, to in came if origin == name and to is not None)
        what = f"renames {name} to {', '.join(new)}" if new else f"deletes {name}"
        yield f"{what}: what others measured stays; a submission is withdrawn by `karyobench ledger withdraw`"
    for origin, to in sorted((str(o), str(t)) for o, t in came if o is not None and o not in gone):
        yield f"moves a file of {origin} to {to}"
    rest = [name for name in names if name not in gone]
    if len(rest) > 1:
        yield f"touches {len(rest)} submissions: {_listed(rest)}; one pull request, one submission"


def _kinds(changes: Sequence[Change]) -> Iterable[str]:
    for change in changes:
        if owner_of(change.path) is None or change.kind == "deleted":
            continue
        if change.after in (LINK, MODULE):
            yield f"{change.path} is {MODES[change.after]}; only plain files can be in a submission"
        elif change.after == EXECUTABLE and change.before != EXECUTABLE:
            was = "is" if change.before == ABSENT else "becomes"
            yield f"{change.path} {was} executable (mode {change.after}); allowed: {FILE}"
        elif change.before not in (ABSENT, change.after) and change.before in MODES:
            now = MODES.get(change.after, change.after)
            if (change.before, change.after) != (EXECUTABLE, FILE):
                yield f"{change.path} was {MODES[change.before]} and becomes {now} (mode {change.after})"


def _listed(paths: Sequence[str], most: int = 5) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
