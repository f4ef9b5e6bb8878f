"""The pages of kept reports: what `karyobench insight` wrote, as a page, as JSON and, where it has one, with its picture."""

from __future__ import annotations

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markupsafe import Markup

from benchmark.board.model import Board
from benchmark.board.pages.frame import render
from benchmark.files import canonical
from benchmark.insight.kept import FOLDER, Kept

_READER = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
"""A report's text may hold what a submission is called: no markup of its own, no links, no pictures."""


def html(markdown: str) -> Markup:
    """A report as HTML, without its first heading; tables scroll, and every other heading is one lower than the page's."""
    found = _READER.render(markdown.split("\n", 1)[1] if markdown.startswith("# ") else markdown)
    scrolled = found.replace(
        "<table>", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table class="data tight">'
    ).replace("</table>", "</table></div>")
    return Markup(scrolled.replace("<th>", '<th scope="col">'))  # noqa: S704 - made by the reader, which escapes all text


def files(board: Board, one: Kept) -> Iterator[tuple[str, bytes]]:
    """Everything of one report, as (path, content).

    Args:
        board: for the frame.
        one: the report.
    """
    drawn = one.drawn
    for kind, content in drawn.items():
        yield f"{FOLDER}/{one.name}.{kind}", content
    yield f"{FOLDER}/{one.name}.json", f"{canonical(one.report.model_dump(mode='json'))}\n".encode()
    heading = one.markdown.split("\n", 1)[0].removeprefix("# ")
    yield f"{FOLDER}/{one.name}.html", render(
        "insight.html", root="../", page="", board=board, one=one, heading=heading, text=html(one.markdown), drawn=sorted(drawn),
    )  # fmt: skip
