"""The board's changes as an Atom feed (RFC 4287)."""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5
from xml.etree import ElementTree as ET

from benchmark.board.exports.table import moment
from benchmark.board.model import Board, Change
from benchmark.board.plain import plain

NEWEST = 100
"""Changes that the feed lists."""

ATOM = "http://www.w3.org/2005/Atom"
AUTHOR = "The KaryoBench authors"


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, tag, attributes)
    child.text = None if text is None else plain(text)
    return child


def _entry(parent: ET.Element, change: Change, ident: UUID, url: str | None) -> None:
    entry = _add(parent, "entry")
    place = f" ({change.track})" if change.track else ""
    _add(entry, "title", f"{change.submission}: {change.kind}{place}")
    _add(entry, "id", ident.urn)
    _add(entry, "updated", moment(change.date).isoformat())
    _add(entry, "category", term=change.kind)
    if url:
        name = quote(change.submission, safe="")
        page = f"elsewhere.html#{name}" if change.elsewhere else f"submissions/{name}.html"
        _add(entry, "link", rel="alternate", type="text/html", href=f"{url}{page}")  # fmt: skip
    _add(entry, "content", change.text, type="text")


def to_feed(board: Board, url: str | None) -> bytes:
    """The newest changes, newest first.

    Ids are name-based UUIDs: they stay the same from one build to the next, as long as the board keeps its address.

    Args:
        board: its newest record dates the feed.
        url: where the board is published, with a slash at the end; without it nothing links.
    """
    whole = uuid5(NAMESPACE_URL, f"{url or 'karyobench:board/'}feed.xml")
    feed = ET.Element("feed", {"xmlns": ATOM})
    _add(feed, "title", "KaryoBench: changes of the board")
    _add(feed, "id", whole.urn)
    shown = board.changes[:NEWEST]
    newest = max([moment(board.source.newest), *(moment(change.date) for change in shown)])
    _add(feed, "updated", newest.isoformat())
    _add(_add(feed, "author"), "name", AUTHOR)
    _add(feed, "generator", "KaryoBench", version=board.source.harness)
    if url:
        _add(feed, "link", rel="self", type="application/atom+xml", href=f"{url}feed.xml")
        _add(feed, "link", rel="alternate", type="text/html", href=f"{url}changes.html")
    seen: Counter[str] = Counter()
    idents = []
    for change in reversed(board.changes):
        name = "\n".join((change.date, change.kind, change.submission, change.track or ""))
        idents.append(uuid5(whole, f"{name}\n{seen[name]}"))
        seen[name] += 1
    for change, ident in zip(shown, reversed(idents), strict=False):
        _entry(feed, change, ident, url)
    ET.indent(feed, " ")
    text: str = ET.tostring(feed, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()
