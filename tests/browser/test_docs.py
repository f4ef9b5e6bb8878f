"""The documentation site in a real browser: it draws, it can be searched, and it asks nothing of another host."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.docs.site import built

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
NAMES = ("index", "api", "commands", "library")
OF_THE_THEME = ("aria-dialog-name", "landmark-unique")
"""What axe-core finds in the theme's own search box and copy buttons."""

LONG = 60_000
"""Milliseconds that the search may take to read its index on a machine that has other things to do."""

WIDER = "document.documentElement.scrollWidth - window.innerWidth"
PICTURES = "[...document.images].every(one => one.complete && one.naturalWidth > 0)"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the site is served, with a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(built(tmp_path_factory))))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_pages_draw_at_every_width_in_the_light_and_in_the_dark(
    tab: Callable[..., Any], address: str, axe: Callable[..., list[str]], width: int, scheme: str
) -> None:
    page = tab(width=width, color_scheme=scheme)
    for name in NAMES:
        page.goto(f"{address}{name}.html", wait_until="networkidle")  # its search is loaded by a worker, later
        page.locator("article h1").wait_for()
        assert page.evaluate(WIDER) <= 0, f"{name} is wider than the window"
        assert page.evaluate(PICTURES)
        assert (
            width < 1280
            or name in ("api", "commands")
            or [one for one in axe(page) if not one.startswith(OF_THE_THEME)] == []
        )
        assert (
            page.locator("body").get_attribute("data-md-color-scheme") == {"light": "default", "dark": "slate"}[scheme]
        )


def test_the_search_finds_a_function_and_a_command(page: Any, address: str) -> None:
    for words, found in (("gain_of", "api.html"), ("karyobench results pull", "commands.html")):
        page.goto(f"{address}index.html", wait_until="load")
        query = page.locator("input[data-md-component=search-query]")
        query.click()
        page.locator(".md-search-result__meta", has_text="Type to start searching").wait_for(
            state="attached", timeout=LONG
        )
        query.fill(words)
        query.press("End")  # the search listens to keys
        page.locator(f".md-search-result__link[href*='{found}']").first.wait_for(timeout=LONG)


def test_the_landing_page_leads_to_the_walkthrough(page: Any, address: str) -> None:
    page.goto(f"{address}index.html", wait_until="load")
    page.locator("article a[href='library.html']").first.click()
    page.get_by_role("heading", name="In a notebook").wait_for()
