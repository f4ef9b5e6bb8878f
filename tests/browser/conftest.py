"""A browser for tests of the board's pages, made-up boards on disk and behind a server, and a check of accessibility.

`page` is a tab that fails its test on anything the browser complains of, and on every request that leaves
the board. `site` writes a made-up board once a session and size.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from benchmark.board import build, collect
from benchmark.board import model as m
from benchmark.insight import outputs
from benchmark.insight.karyotype.compare import compare
from benchmark.insight.kept import Kept
from benchmark.ledger import Ledger
from benchmark.results import Results
from tests.board import made, states

CHROMIUM = os.environ.get("KARYOBENCH_CHROMIUM", "/usr/bin/chromium")
REQUIRE = "KARYOBENCH_REQUIRE_BROWSER"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def _without(reason: str) -> Any:
    if os.environ.get(REQUIRE):
        pytest.fail(f"{REQUIRE} is set, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a worker; skips where there is none, or fails where one is required."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _without("playwright is not installed (pip install 'karyobench[dev]')")
    if not Path(CHROMIUM).is_file():
        _without(f"there is no chromium at {CHROMIUM} (see .ci/chromium, or set KARYOBENCH_CHROMIUM)")
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except Error as error:
            _without(f"chromium does not start: {str(error).splitlines()[0]}")
        yield found
        found.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[..., Any]]:
    """Makes watched tabs: `tab(width=360, color_scheme="dark")`. Whatever they complain of fails the test at its end."""
    contexts, complaints = [], []

    def watch(request: Any, allowed: tuple[str, ...]) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("file", "data", "blob") and parts.hostname not in allowed:
            complaints.append(f"request off the page: {request.url}")

    def make(width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on(
            "console",
            lambda said: complaints.append(f"{said.type}: {said.text}") if said.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
        page.on("requestfailed", lambda request: complaints.append(f"request failed: {request.url}"))
        page.on("request", lambda request: watch(request, ("127.0.0.1",)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(tab: Callable[..., Any]) -> Any:
    """A watched tab of 1280 × 900."""
    return tab()


class Site(NamedTuple):
    """A made-up board."""

    folder: Path
    board: m.Board
    http: str
    """Address of its folder behind a server of this machine, with a slash at the end."""

    @property
    def file(self) -> str:
        """Address of its folder on the disk, with a slash at the end."""
        return f"{self.folder.as_uri()}/"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _report() -> Kept:
    """Of the published ledger's real predictions, whose submission a made-up board has, too."""
    results = Results(Ledger(Path(__file__).parents[2] / "leaderboard" / "ledger"), "pocket", ["tf-efficientnet-lite0"])
    trials = outputs.trials(results, ["tf-efficientnet-lite0"], "pocket")
    return Kept("karyotype", compare(results, "pocket", trials, resamples=9))


def _write(folder: Path, board: m.Board, whole: bool) -> None:
    if not whole:
        made.write_first_page(folder, board)
        return
    report = _report()
    board = board.model_copy(update={"status": True, "insight": (collect.insight(report),)})
    names = list(dict.fromkeys(row.submission for row in board.rows))[:12]
    parts = [
        build.made(board, made.detail(board, name, withdrawn=name == "net-00003"), [made.tallies(name, 0.9 - 0.02 * k)])
        for k, name in enumerate(names)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build.pictures, "files", made.blank)
        build.write(folder, board, parts, run=states.found(), reports=[report])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Writes a made-up board of so many submissions and serves it: `site(12)`.

    `whole=False` writes the first page, its data and the shared files alone, which takes a moment even for thousands.
    """
    sites: dict[tuple[int, bool], Site] = {}
    servers = []

    def make(number: int = 12, whole: bool = True) -> Site:
        if (number, whole) not in sites:
            folder, board = tmp_path_factory.mktemp(f"board-{number}"), made.board(number)
            _write(folder, board, whole)
            server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            servers.append(server)
            sites[number, whole] = Site(folder, board, f"http://127.0.0.1:{server.server_port}/")
        return sites[number, whole]

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """Violations that axe-core finds on a page, a line each: `assert axe(page) == []`."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        _without("axe-playwright-python is not installed (pip install 'karyobench[dev]')")

    def check(page: Any) -> list[str]:
        options = {
            "resultTypes": ["violations"],
            "preload": False,
        }  # the pages' policy forbids to load a style sheet again
        found = Axe().run(page, options=options).response["violations"]
        return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]

    return check
