"""The documents of this repository, and the blocks of code in them.

A block of `python` or `sh` is run by the tests, in the order of its document. One that cannot be run there has a
comment right above it that says why, `<!-- not run: needs a GPU -->`; it is still parsed. Every line that calls
`karyobench`, in whatever block, must be one that the command line takes.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from markdown_it import MarkdownIt
from sybil import Document, Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from benchmark.cli.main import app

ROOT = Path(__file__).parents[2]
READMES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "submissions/README.md",
    "bench/README.md",
    "leaderboard/README.md",
)
SECONDS = 300
"""That one block of a shell may take."""

NOT_RUN = re.compile(r"<!-- not run: (\S.*?) -->\s*\Z")
COMMAND = "karyobench"


def documents() -> list[str]:
    """Paths of all documents, below the repository's root."""
    return [*READMES, *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


def why_not(text: str, start: int) -> str | None:
    """Why the block that starts there is not run; None where it is."""
    found = NOT_RUN.search(text[:start])
    return found.group(1) if found else None


class Python:
    """Runs a block of Python in the namespace of its document, or parses it where it cannot be run."""

    def __init__(self) -> None:
        self.run = PythonEvaluator()

    def __call__(self, example: Example) -> Any:
        ast.parse(example.parsed)
        return None if why_not(example.document.text, example.start) else self.run(example)


class Shell:
    """Runs a block of shell in the present folder; its calls of `karyobench` are parsed in any case."""

    def __call__(self, example: Example) -> str | None:
        for line in calls(example.parsed):
            parse(line)
        if why_not(example.document.text, example.start):
            return None
        others = [line for line in commands(example.parsed) if not line.startswith(f"{COMMAND} ")]
        if others:
            return f"only calls of {COMMAND} are run, not {others[0]!r}: write above the block why it is not run"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", example.parsed],
            env=os.environ | {"PATH": f"{Path('bin').resolve()}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        return None if done.returncode == 0 else f"exit {done.returncode}:\n{example.parsed}\n{done.stderr[-2000:]}"


def parsed(path: Path, root: Path = ROOT) -> Document:
    """A document with its blocks."""
    parsers = [CodeBlockParser("python", Python()), CodeBlockParser("sh", Shell())]
    return Sybil(parsers, pattern="*.md", path=str(root)).parse(path)


def has_block_to_run(path: Path) -> bool:
    """Whether any block of a document is run."""
    document = parsed(path)
    return any(why_not(document.text, example.start) is None for example in document.examples())


def code(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of every block of code of a document, fenced or indented."""
    for token in MarkdownIt().parse(text):
        if token.type in ("fence", "code_block"):
            yield token.info.strip(), token.content


def commands(content: str) -> list[str]:
    """The commands in some lines of shell: comments dropped, continued lines joined."""
    lines = content.replace("\\\n", " ").splitlines()
    parts = [part.strip().removeprefix("$ ") for line in lines for part in re.split(r"\s(?:&&|\|\|?|;)\s", line)]
    return [part for part in parts if part and not part.startswith("#")]


def calls(content: str) -> list[str]:
    """The calls of `karyobench` among the `commands` of some lines."""
    return [line for line in commands(content) if line.startswith(f"{COMMAND} ")]


@cache
def root() -> Any:
    """The whole command line, as Typer's own kind of command."""
    return typer.main.get_command(app)


def parse(line: str) -> None:
    """Parse one call as the command line would, without running it.

    Raises:
        Exception: of the parser of the command line: what is unknown, missing or of another type.
    """
    try:
        _, *words = shlex.split(line, comments=True)
        command = root()
        context = command.make_context(COMMAND, words)
        while hasattr(command, "resolve_command"):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, rest, parent=context)
    except Exception as error:
        error.add_note(f"in: {line}")
        raise


def scene(folder: Path) -> None:
    """A folder as after a clone, with the published ledger, the submissions, and a `karyobench` that is this code."""
    for name in ("leaderboard", "submissions"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "bin").mkdir()
    command = folder / "bin" / COMMAND
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m benchmark "$@"\n')
    command.chmod(0o755)
