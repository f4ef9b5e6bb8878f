"""What was found about a pull request, as data, and as a table for a comment.

The data travels from a job that ran strangers' code to one that may write comments. It is therefore read strictly
and with limits, and every word that is not ours is set as code, where a host of repositories neither links, mentions nor renders
anything.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from benchmark.errors import InputError
from benchmark.files import Strict, read_text, validate

MOST_BYTES = 256 * 1024
MARKER = "<!-- karyobench: check of a submission -->"
"""First line of the comment, by which it is found and replaced."""

Level = Literal["ok", "warning", "error", "skipped"]
Text = Annotated[str, StringConstraints(max_length=4000)]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]

SIGNS: dict[str, str] = {"ok": "✅ ok", "warning": "⚠️ warning", "error": "❌ error", "skipped": "➖ not done"}
TITLES = {
    "touches": "touches only its own folder",
    "files": "files and fields",
    "name": "name and title are its own",
    "copy": "network is its own",
    "check": "`karyobench submission check`",
}


class Step(Strict):
    """One thing that was looked at.

    Attributes:
        name: which.
        level: the worst that was found.
        texts: what, a sentence each.
    """

    name: Literal["touches", "files", "name", "copy", "check"]
    level: Level
    texts: tuple[Text, ...] = Field((), max_length=100)


class Proposal(Strict):
    """What was found about a pull request."""

    version: Literal[1] = 1
    base: Commit
    head: Commit
    kind: Literal["new", "changed", "unclear", "none"] = Field(description="none: it touches no submission")
    submission: str | None = Field(None, max_length=200)
    steps: tuple[Step, ...] = Field(max_length=10)

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return any(step.level == "error" for step in self.steps)


def read(path: Path) -> Proposal:
    """Read a report that somebody else wrote.

    Raises:
        InputError: when it is too large, or anything else than a report.
    """
    try:
        return Proposal.model_validate_json(read_text(path, MOST_BYTES))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or None
        raise InputError(f"not a report of a check: {first['msg'][:200]}", file=path, field=field) from error


def step(name: str, problems: list[str], warnings: list[str], facts: list[str] | None = None) -> Step:
    """A step whose level follows from what was found; texts become one plain line each, and long ones are cut."""
    level = "error" if problems else "warning" if warnings else "ok"
    texts = [_cut(line(text)) for text in (*problems, *warnings, *(facts or ()))][:100]
    return validate({"name": name, "level": level, "texts": tuple(texts)}, Step, "report")


def line(text: str) -> str:
    """A text of strangers as one line: no control characters for a terminal, no command to the host that keeps the log."""
    return re.sub(r"\s+", " ", "".join(map(_visible, text))).strip()


def _cut(text: str, most: int = 2000) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def markdown(found: Proposal) -> str:
    """The report as a comment."""
    what = {
        "new": "New submission", "changed": "Changed submission", "unclear": "Pull request",
        "none": "No submission is touched",
    }[found.kind]  # fmt: skip
    name = f" {code(found.submission)}" if found.submission else ""
    lines = [MARKER, f"### {what}{name}: {_verdict(found)}", ""]
    if found.steps:
        lines += ["| | checked | found |", "| --- | --- | --- |"]
        for one in found.steps:
            texts = "<br>".join(code(text) for text in one.texts) or "nothing to say"
            lines.append(f"| {SIGNS[one.level]} | {TITLES[one.name]} | {texts} |")
        lines.append("")
    span = f"{found.base[:12]}..{found.head[:12]}"
    lines.append(f"The same on your machine: `karyobench submission check --pr {span}`")
    return "\n".join(lines) + "\n"


def _verdict(found: Proposal) -> str:
    if found.failed:
        return "something has to be mended"
    return "ready for review" if found.kind in ("new", "changed") else "nothing to check"


def code(text: str) -> str:
    """Any text as code in a cell of a Markdown table, on one line: nothing in it is rendered, linked or mentioned."""
    plain = line(text).replace("`", "'").replace("|", "¦") or "(empty)"
    return f"`{_cut(plain, 600)}`"


def _visible(character: str) -> str:
    """The character; what directs, hides or breaks text is shown by its number."""
    if character in "\t\n\r ":
        return " "
    return f"<U+{ord(character):04X}>" if unicodedata.category(character)[0] in "CZ" else character
