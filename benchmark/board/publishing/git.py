"""A branch of the repository that the command is called in, as hosts of static pages take it.

Files become objects and a commit by git's plumbing, with an index of its own: neither the work tree nor the
index nor the branch that is checked out is touched. The branch is moved last, and only from where it was
compared with.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from benchmark.board.publishing.base import Place, Plan, Publication, What
from benchmark.errors import InfrastructureError, InputError

PLAIN = "100644"


class GitBranch(Place):
    """A branch; made without a parent where there is none of its name."""

    kind: ClassVar[str] = "git"
    form: ClassVar[str] = "<branch>"
    tolerated: ClassVar[frozenset[str]] = frozenset({"README.md", "LICENSE", "CNAME", ".gitattributes", ".nojekyll"})

    def __init__(self, address: str, what: What) -> None:
        super().__init__(address, what)
        self.ref = f"refs/heads/{address}"
        if _git("check-ref-format", self.ref, check=False).returncode:
            raise InputError("not the name of a branch", field="git", found=address)
        if _git("rev-parse", "--git-dir", check=False).returncode:
            raise InputError("not in a git repository", file=Path.cwd(), field=str(self))
        for line in _git("worktree", "list", "--porcelain").stdout.splitlines():
            if line == f"branch {self.ref}":
                problem = "this branch is checked out; publishing would move it under its work tree"
                raise InputError(problem, field="git", found=address, allowed="a branch of its own, such as pages")
        self.state = self._head()
        if self.state is None:
            self._not_elsewhere()

    def _head(self) -> str | None:
        done = _git("rev-parse", "--verify", "--quiet", f"{self.ref}^{{commit}}", check=False)
        return done.stdout.strip() or None

    def _not_elsewhere(self) -> None:
        """A branch that a remote has must not be begun anew."""
        names = _git("for-each-ref", "--format=%(refname)", f"refs/remotes/*/{self.address}").stdout.split()
        if names:
            remote = names[0].removeprefix("refs/remotes/")
            hint = f"Run: git branch {self.address} {remote}"
            raise InputError("this branch is on a remote and not here", field="git", found=self.address, hint=hint)

    def prepared(self, publication: Publication) -> Publication:
        """With the file that keeps hosts of pages from building a site of their own out of ours."""
        extra = {".nojekyll": b""} if self.what == "board" else {}
        return replace(publication, absent={**publication.absent, **extra})

    def listing(self) -> tuple[dict[str, str], str | None]:
        """Files of the branch, by the names that git gives to their contents."""
        if self.state is None:
            return {}, None
        form = _git("rev-parse", "--show-object-format").stdout.strip()
        found = {}
        for entry in _git("ls-tree", "-r", "-z", "--full-tree", self.state).stdout.split("\0")[:-1]:
            meta, _, path = entry.partition("\t")
            mode, _, name = meta.split(" ")
            found[path] = f"blob-{form}:{name if mode == PLAIN else mode}"
        return found, self.state

    def read(self, path: str) -> bytes | None:
        """A file of the branch."""
        if self.state is None:
            return None
        done = subprocess.run(["git", "cat-file", "blob", f"{self.state}:{path}"], capture_output=True)  # noqa: S607
        return done.stdout if done.returncode == 0 else None

    def write(self, publication: Publication, plan: Plan) -> str:
        """One commit; nothing where nothing changed."""
        push = f"git push REMOTE {self.address}"
        if not plan.changes:
            return f"nothing changed on branch {self.address}; to publish it: {push}"
        sources = publication.everything()
        wanted = plan.of("added", "changed")
        with tempfile.TemporaryDirectory(prefix="karyobench-") as folder:
            paths = []
            for number, name in enumerate(wanted):
                source = sources[name]
                path = Path(folder) / str(number) if isinstance(source, bytes) else source.resolve()
                if isinstance(source, bytes):
                    path.write_bytes(source)
                paths.append(path)
            listed = "".join(f"{path}\n" for path in paths)
            names = _git("hash-object", "-w", "--no-filters", "--stdin-paths", input=listed).stdout.split()
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            _git("read-tree", plan.state if plan.state else "--empty", env=index)
            lines = [f"{PLAIN} {name}\t{path}\0" for name, path in zip(names, wanted, strict=True)]
            zero = "0" * len(names[0]) if names else "0" * 40
            lines += [f"0 {zero}\t{path}\0" for path in plan.of("removed")]
            _git("update-index", "-z", "--index-info", input="".join(lines), env=index)
            tree = _git("write-tree", env=index).stdout.strip()
        parent = ["-p", plan.state] if plan.state else []
        commit = _git("commit-tree", tree, *parent, "-m", publication.message).stdout.strip()
        moved = _git("update-ref", "-m", "karyobench publish", self.ref, commit, plan.state or zero, check=False)
        if moved.returncode:
            raise InputError(
                "the branch was moved meanwhile; run the same command again", field="git", found=self.address
            )
        self.state = commit
        return f"committed {commit[:12]} to branch {self.address}; to publish it: {push}"

    def push(self, remote: str) -> str:
        """Send the branch to a remote; what is there already is never overwritten.

        Raises:
            InfrastructureError: when git could not.
        """
        done = _git("push", remote, f"{self.ref}:{self.ref}", check=False)
        if done.returncode:
            raise InfrastructureError(f"git push {remote} {self.address}: {_said(done.stderr)}")
        return f"pushed branch {self.address} to {remote}"


def _git(
    *arguments: str, input: str | None = None, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run git.

    Raises:
        InputError: when git is not there, or refuses (with `check`); says its reason.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], input=input, capture_output=True, encoding="utf-8", errors="surrogateescape",  # noqa: S607
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise InputError("git is not installed", field="git", hint="Install it, or publish to dir:<path>") from error
    if check and done.returncode:
        raise InputError(f"git {arguments[0]}: {_said(done.stderr)}", field="git")
    return done


def _said(text: str) -> str:
    """What git said, on one line."""
    wanted = [line.strip() for line in text.splitlines() if line.startswith(("fatal:", "error:", " ! "))]
    return "; ".join(wanted or text.split("\n")[:1]) or "failed"
