"""A git repository as data: the changes between two commits, and files as they are in a commit.

Nothing is checked out. Files are read as blobs, so that no filter, attribute, hook or link of the pull request
has a say in what is seen.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from benchmark.errors import InputError

FILE, EXECUTABLE, LINK, MODULE = "100644", "100755", "120000", "160000"
ABSENT = "000000"
MODES = {
    FILE: "a file", EXECUTABLE: "an executable file", LINK: "a symbolic link", MODULE: "a submodule",
    ABSENT: "absent", "100664": "a file",
}  # fmt: skip

_RANGE = re.compile(r"^(?P<base>[^.\s-](?:[^.\s]|\.(?!\.))*)(\.\.\.?)(?P<head>[^.\s-](?:[^.\s]|\.(?!\.))*)$")


class Change(NamedTuple):
    """One path that differs.

    Attributes:
        kind: `added`, `changed`, `deleted` or `renamed`.
        path: where it is now; for a deletion, where it was.
        before: its mode before; `000000` where it was absent.
        after: its mode now.
        origin: where it was, when it was renamed.
    """

    kind: str
    path: str
    before: str
    after: str
    origin: str | None = None


class Blob(NamedTuple):
    """A file of a commit.

    Attributes:
        path: from the root of the repository.
        mode: git's.
        name: git's name of its content.
        size: bytes; 0 for a submodule.
    """

    path: str
    mode: str
    name: str
    size: int


class Range(NamedTuple):
    """What a pull request is: hashes of commits.

    Attributes:
        base: what it is compared with: where the two histories part.
        head: its last commit.
    """

    base: str
    head: str


KINDS = {"A": "added", "M": "changed", "T": "changed", "D": "deleted", "R": "renamed"}


class Repository:
    """A repository on this machine.

    Args:
        folder: anywhere inside its work tree, or a bare repository.

    Raises:
        InputError: when it is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if self._run("rev-parse", "--git-dir", check=False).returncode:
            raise InputError("not in a git repository", file=folder.resolve(), field="--pr")

    def range(self, text: str) -> Range:
        """The commits that `BASE..HEAD` names.

        The base is where HEAD left BASE's history: what others merged meanwhile is not the pull request's.

        Raises:
            InputError: for another form, an unknown commit, or histories without a common commit.
        """
        found = _RANGE.match(text)
        if found is None:
            raise InputError("not a range of commits", field="--pr", found=text, allowed="BASE..HEAD, as main..HEAD")
        base, head = (self._commit(found[part]) for part in ("base", "head"))
        common = self._run("merge-base", base, head, check=False)
        if common.returncode:
            hint = "A shallow clone? Fetch the whole history: git fetch --unshallow"
            raise InputError("the two have no common commit", field="--pr", found=text, hint=hint)
        return Range(common.stdout.decode().strip(), head)

    def _commit(self, name: str) -> str:
        done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False)
        if done.returncode:
            raise InputError("no such commit", file=self.folder.resolve(), field="--pr", found=name)
        return done.stdout.decode().strip()

    def changes(self, of: Range) -> list[Change]:
        """What differs between the two commits, by path; a rename is told as one."""
        raw = self._run("diff-tree", "-r", "-z", "--raw", "-M", "--no-commit-id", "--no-ext-diff", of.base, of.head)
        parts = iter(raw.stdout.decode("utf-8", "backslashreplace").split("\0")[:-1])
        found = []
        for entry in parts:
            before, after, _, _, status = entry.removeprefix(":").split(" ")
            path = next(parts)
            origin, path = (path, next(parts)) if status[0] in "RC" else (None, path)
            found.append(Change(KINDS.get(status[0], "changed"), path, before, after, origin))
        return found

    def tree(self, commit: str, below: str) -> list[Blob]:
        """Files of a commit below a folder, such as `submissions/`."""
        raw = self._run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", below)
        found = []
        for entry in raw.stdout.decode("utf-8", "backslashreplace").split("\0")[:-1]:
            meta, _, path = entry.partition("\t")
            mode, _, name, size = meta.split()
            found.append(Blob(path, mode, name, 0 if size == "-" else int(size)))
        return found

    def read(self, blob: Blob) -> bytes:
        """Content of a file as git keeps it."""
        return self._run("cat-file", "blob", blob.name).stdout

    def _run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        surroundings = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_NO_REPLACE_OBJECTS": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C",
        }  # fmt: skip
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *arguments], capture_output=True, check=False, env=surroundings  # noqa: S607 (git from PATH, as every tool finds it)
            )  # fmt: skip
        except FileNotFoundError as error:
            raise InputError("git is not installed", field="--pr") from error
        if check and done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
            raise InputError(f"git {arguments[0]}: {said}", file=self.folder, field="--pr")
        return done
