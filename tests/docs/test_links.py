"""Every link of every document leads to a file, a heading or an address that can be one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import requests
from markdown_it import MarkdownIt
from pymdownx.slugs import slugify

from tests.docs.documents import ROOT, documents

SLUG = slugify(case="lower")


def links(text: str) -> Iterator[str]:
    """Targets of all links and pictures of a document."""
    for block in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        for token in block.children or ():
            if token.type in ("link_open", "image"):
                yield str(token.attrs["href" if token.type == "link_open" else "src"])


def anchors(path: Path) -> set[str]:
    tokens = MarkdownIt().enable("table").parse(path.read_text())
    titles = [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]
    return {SLUG(re.sub(r"[`*]", "", title), "-") for title in titles}


def wrong(path: Path) -> list[str]:
    """Links of a document that lead nowhere."""
    found = []
    for target in links(path.read_text()):
        parts = urlsplit(target)
        if parts.scheme:
            if parts.scheme not in ("http", "https") or "." not in parts.netloc or " " in unquote(target):
                found.append(target)
            continue
        wanted = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        inside = wanted.is_relative_to(ROOT if path.is_relative_to(ROOT) else path.parent)
        if (
            not inside
            or not wanted.exists()
            or target.startswith("/")
            or (parts.fragment and parts.fragment not in anchors(wanted))
        ):
            found.append(target)
    return found


@pytest.mark.parametrize("name", documents())
def test_links_lead_somewhere(name: str) -> None:
    assert wrong(ROOT / name) == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A *good* heading\n")
    (tmp_path / "page.md").write_text(
        "[a](there.md#a-good-heading) [b](there.md#bad) [c](gone.md) ![d](gone.png) [e](ftp://example.org/x)\n"
        "[f](http://nowhere) [g](/etc/passwd) [h](../../etc/hosts) [i](#own) `[j](code.md)` <https://example.org/a>\n\n"
        "# Own\n\n```\n[k](fence.md)\n```\n\n| a |\n| --- |\n| [l](table.md) |\n"
    )
    assert wrong(tmp_path / "page.md") == [
        "there.md#bad", "gone.md", "gone.png", "ftp://example.org/x", "http://nowhere", "/etc/passwd",
        "../../etc/hosts", "table.md",
    ]  # fmt: skip


def external() -> list[str]:
    found = {target for name in documents() for target in links((ROOT / name).read_text())}
    return sorted(target for target in found if target.startswith("http"))


@pytest.mark.network
@pytest.mark.parametrize("address", external())
def test_addresses_answer(address: str) -> None:
    """Only a page that is gone fails: a host that is busy or wants a browser says nothing of the link."""
    if not os.environ.get("KARYOBENCH_NETWORK"):
        pytest.skip("asks other hosts: set KARYOBENCH_NETWORK=1")
    try:
        answer = requests.get(address, timeout=20, headers={"User-Agent": "Mozilla/5.0 (link check)"})
    except requests.RequestException as error:
        pytest.skip(f"no answer: {type(error).__name__}")
    assert answer.status_code not in (404, 410)
