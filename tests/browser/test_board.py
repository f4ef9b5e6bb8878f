"""The board's first page in a browser: its table, its charts, its address, and who can use it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmark.board.pages.index import ordered
from benchmark.protocol import TWO_STEP
from benchmark.wording import points
from tests.board import made
from tests.browser.waiting import counted

pytestmark = pytest.mark.browser

NAMES = "[...document.querySelectorAll('#table tbody tr')].map(row => row.dataset.key)"
CHARTS = ("forest", "dumbbell", "cost", "classes", "stains")
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture
def board(site: Callable[..., Any]) -> Any:
    return site(30, whole=False)


def opened(page: Any, address: str, fragment: str = "") -> Any:
    page.goto(f"{address}index.html{fragment}")
    page.wait_for_selector("#live:not(:empty)")
    return page


def drawn(page: Any, chart: str = "forest") -> Any:
    """The marks of a chart that is on the screen."""
    page.locator("#chart-panel").scroll_into_view_if_needed()
    marks = page.locator(f"#chart-panel[aria-labelledby='tab-{chart}'] .hit")
    marks.first.wait_for()
    return marks


def keys(page: Any) -> list[str]:
    found: list[str] = page.evaluate(NAMES)
    return found


def sort_button(page: Any, column: str) -> Any:
    return page.locator(f"#table [data-sort='{column}']")


def status(page: Any) -> str:
    return str(page.locator("#live").inner_text())


def pocket(board: Any) -> list[Any]:
    return ordered(row for row in board.board.rows if row.track == "pocket")


def test_the_page_opens_with_what_may_be_claimed_at_least_on_top(page: Any, board: Any) -> None:
    opened(page, board.file)
    wanted = pocket(board)
    assert keys(page) == [f"{row.submission}@{row.target}" for row in wanted[:25]]
    assert status(page) == "60 rows, sorted by lower end of the gain, descending, page 1 of 3"
    assert "Rows without a verdict come last" in page.locator("#caption").inner_text()
    first = page.locator("#table tbody tr").first
    gain = wanted[0].results[TWO_STEP].gain
    assert first.locator(".gain-value").inner_text() == points(gain.value, signed=True)
    assert f"{points(gain.low, signed=True)} to {points(gain.high, signed=True)}" in first.locator(".gain").inner_text()
    assert first.locator(".verdict").inner_text() == gain.verdict


def test_a_header_sorts_both_ways_says_so_and_puts_what_is_not_known_last(page: Any, board: Any) -> None:
    opened(page, board.file, "#size=100")
    by = {f"{row.submission}@{row.target}": row for row in pocket(board)}
    for clicks, sign, said in ((1, 1, "ascending"), (2, -1, "descending")):
        sort_button(page, "parameters").click()
        found = [by[key].parameters for key in keys(page)]
        known = [value for value in found if value is not None]
        assert known == sorted(known, key=lambda value: sign * value) and len(known) > 40, clicks
        assert found[len(known) :] == [None] * (60 - len(known))
        assert page.locator("th[data-column='parameters']").get_attribute("aria-sort") == said
        counted(page.locator("th[aria-sort]"), 1)
        assert status(page) == f"60 rows, sorted by parameters, {said}"
    assert page.evaluate("document.activeElement.dataset.sort") == "parameters"


@pytest.mark.parametrize("width", [1920, 1024, 768, 700, 412, 390, 360])
def test_neither_the_page_nor_an_open_list_is_wider_than_the_screen(page: Any, board: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, board.file)
    menus = page.locator("details.menu")
    for menu in [None, *menus.all()]:
        if menu is not None:
            menu.locator("summary").click()
            page.wait_for_function(  # where it goes is known a moment after it opened
                "([box, width]) => box.getBoundingClientRect().left >= 0 && box.getBoundingClientRect().right <= width",
                arg=[menu.locator(".menu-box").element_handle(), width], timeout=5000,
            )  # fmt: skip
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert menus.count() == 5


def test_filters_search_and_no_result_with_a_way_back(page: Any, board: Any) -> None:
    opened(page, board.file, "#size=100")
    page.locator("#menu-verdict summary").click()
    page.get_by_role("checkbox", name="better").check()
    page.get_by_role("checkbox", name="worse").check()
    wanted = {
        f"{row.submission}@{row.target}"
        for row in pocket(board)
        if row.results[TWO_STEP].gain.verdict in ("better", "worse")
    }
    assert set(keys(page)) == wanted and status(page).startswith(f"{len(wanted)} of 60 rows")
    page.keyboard.press("Escape")
    page.locator("#menu-badge summary").click()
    page.get_by_role("checkbox", name="flagged").check()
    badged = {f"{row.submission}@{row.target}" for row in pocket(board) if "flagged" in row.badges}
    assert set(keys(page)) == wanted & badged != set()
    page.get_by_label("Search").fill("no such network")
    assert "No row fits what was chosen" in page.locator("#table").inner_text()
    assert status(page).startswith("0 of 60 rows")
    page.get_by_role("button", name="Show all rows").click()
    assert len(keys(page)) == 60 and page.get_by_label("Search").input_value() == ""
    page.get_by_label("Search").press_sequentially("net-00012 q")
    assert keys(page) == ["net-00012@bioimlab-q"]


def test_columns_can_be_chosen_and_controls_are_hidden_at_first(page: Any, board: Any) -> None:
    opened(page, board.file)
    header = page.locator("#table thead")
    assert "Energy" not in header.inner_text()
    counted(page.locator("th[data-column='imagenet-long']"), 0)
    counted(page.locator("th[data-column='longer']"), 1)
    page.locator("#menu-columns summary").click()
    page.get_by_role("checkbox", name="imagenet-long").check()
    page.get_by_role("checkbox", name="scratch").uncheck()
    counted(page.locator("th[data-column='imagenet-long']"), 1)
    counted(page.locator("th[data-column='scratch']"), 0)
    counted(page.locator("#menu-columns[open]"), 1)  # the menu stays open for the next choice


@pytest.mark.parametrize("how", ["file", "http"])
def test_an_address_holds_the_whole_view_and_back_and_forward_follow_it(tab: Any, board: Any, how: str) -> None:
    address = getattr(board, how)
    page = opened(tab(), address)
    sort_button(page, TWO_STEP).click()
    page.locator("#menu-target summary").click()
    page.get_by_role("checkbox", name="cir-g").check()
    page.get_by_role("tab", name="Protocols").click()
    page.get_by_label("Rows", exact=True).select_option("10")
    page.get_by_role("button", name="Next").click()
    view, said, link = keys(page), status(page), page.url
    assert said == "30 of 60 rows, sorted by macro-F1 of two-step, descending, page 2 of 3"
    other = opened(tab(), address, link.removeprefix(f"{address}index.html"))
    assert (keys(other), status(other)) == (view, said)
    assert other.get_by_role("tab", name="Protocols").get_attribute("aria-selected") == "true"
    for _ in range(5):
        page.go_back()
    assert status(page) == "60 rows, sorted by lower end of the gain, descending, page 1 of 3"
    for _ in range(5):
        page.go_forward()
    assert (keys(page), page.url) == (view, link)


def test_an_address_that_makes_no_sense_shows_the_first_view(page: Any, board: Any) -> None:
    fragment = (
        "#sort=nothing&track=none&size=-4&page=999&chart=%3Cb%3E&columns=zzz&badge=odd&map=%00&selected=%3Cscript%3E"
    )
    opened(page, board.file, fragment)
    assert status(page) == "60 rows, sorted by lower end of the gain, descending, page 3 of 3"
    drawn(page, "forest")


def test_a_link_within_the_page_leaves_the_view_alone(page: Any, board: Any) -> None:
    opened(page, board.file, "#sort=p")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert "sorted by p" in status(page) and page.url.endswith("#sort=p")


def test_the_link_of_the_view_is_copied(tab: Any, board: Any) -> None:
    page = tab(permissions=["clipboard-read", "clipboard-write"])
    opened(page, board.http, "#sort=p")
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Link copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_the_track_of_simulated_images_is_chosen_apart_and_says_what_it_is(page: Any, board: Any) -> None:
    opened(page, board.file)
    assert page.get_by_text("drawn by a program").is_hidden()
    page.get_by_label("Track").select_option("smoke")
    assert page.get_by_text("drawn by a program").is_visible()
    assert {key.split("@")[1] for key in keys(page)} == {"sim-q", "sim-g"}
    assert page.locator(".badge-simulated").count() >= len(keys(page))
    counted(page.locator(".finding:visible"), 0)


def test_what_is_missing_is_said_in_words(page: Any, board: Any) -> None:
    opened(page, board.file, "#size=100")
    rows = {f"{row.submission}@{row.target}": row for row in pocket(board)}

    def cell(key: str, column: str) -> str:
        return str(page.locator(f"tr[data-key='{key}'] [data-column='{column}']").inner_text())

    withheld = next(key for key, row in rows.items() if row.results[TWO_STEP].gain.verdict == "withheld")
    assert "withheld" in cell(withheld, "gain") and "needs 6 trainings or more" in cell(withheld, "gain")
    assert cell(withheld, "p") == "none"
    assert cell("net-00003@cir-g", "scratch") == "failed\nnan, time-out"
    assert cell("net-00005@cir-g", "scratch") == "not run" and cell("net-00005@cir-g", "parameters") == "not known"
    assert "no interval" in cell("net-00004@bioimlab-q", "gain")
    assert cell("net-00009@cir-g", "rank") == "none"


def test_trainings_of_a_row_without_two_step_are_counted(page: Any, tmp_path: Path) -> None:
    """The reference architectures from scratch, for which there are no ImageNet weights."""
    whole = made.board(2, simulated=False)
    first = whole.rows[0]
    alone = first.model_copy(update={"results": {"scratch": first.results["scratch"]}, "rank": None})
    made.write_first_page(tmp_path, whole.model_copy(update={"rows": (alone,)}))
    page.set_viewport_size({"width": 900, "height": 900})
    opened(page, f"{tmp_path.as_uri()}/")
    cells = page.locator(f"tr[data-key='{alone.submission}@{alone.target}']")
    assert cells.locator("[data-column='trainings']").inner_text() == "10"
    gain = cells.locator("[data-column='gain']")
    assert "no two-step" in gain.inner_text() and gain.bounding_box()["width"] > 140


def test_titles_that_are_scripts_stay_text(page: Any, board: Any) -> None:
    opened(page, board.file, "#search=net-00001")
    assert page.locator("tr[data-key='net-00001@cir-g'] .title").inner_text() == made.SCRIPT
    for chart in CHARTS:
        page.locator(f"#tab-{chart}").click()
        drawn(page, chart).first.hover()
        assert made.SCRIPT in page.locator(".tip-title").inner_text()
    assert page.evaluate("window.hacked") is None
    counted(page.locator("main img, main script"), 0)


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_follows_the_view_and_has_its_pictures(page: Any, board: Any, chart: str) -> None:
    opened(page, board.file, f"#chart={chart}&target=cir-g,bioimlab-q&family=cnn-classic")
    marks = drawn(page, chart)
    wanted = {"classes": 12 * 24, "stains": 6}.get(chart, 12)
    counted(marks, wanted)
    assert "net-00005@bioimlab-q" in {mark.get_attribute("data-key") for mark in marks.all()}
    links = [link.get_attribute("href") for link in page.locator(".chart-links a").all()]
    assert links == [f"charts/pocket-{chart}.png", f"charts/pocket-{chart}.svg"]
    label = marks.first.get_attribute("aria-label")
    assert re.search(r"\d", label) and " on " in label


def test_the_gain_over_longer_training_stands_in_a_column_and_in_the_chart(page: Any, board: Any) -> None:
    opened(page, board.file, "#size=100&sort=-longer")
    by = {f"{row.submission}@{row.target}": row.results[TWO_STEP].gain.over_long for row in pocket(board)}
    known = [by[key].value for key in keys(page) if by[key]]
    assert len(known) > 5 and known == sorted(known, reverse=True), "the largest first"
    assert [by[key] is None for key in keys(page)] == [False] * len(known) + [True] * (60 - len(known))
    cell = page.locator("#table tbody tr").first.locator("[data-column='longer']")
    longer = by[keys(page)[0]]
    assert cell.inner_text().split("\n")[0] == points(longer.value, signed=True) and longer.verdict in cell.inner_text()
    mark = drawn(page).first
    mark.hover()
    assert f"over longer training {points(longer.value, signed=True)}" in page.locator(".tip").inner_text()
    assert "hollow: over equally long training" in page.locator(".keys").inner_text()


def test_a_mark_tells_what_it_is_and_selects_its_row_by_mouse(page: Any, board: Any) -> None:
    opened(page, board.file)
    mark = drawn(page).nth(3)
    key = mark.get_attribute("data-key")
    mark.hover()
    assert "95 % interval" in page.locator(".tip").inner_text()
    counted(page.locator(f"tr[data-key='{key}'].lit"), 1)
    mark.click()
    page.locator(f"tr[data-key='{key}'].selected").wait_for()
    counted(page.locator(f".hit[data-key='{key}'][aria-pressed='true']"), 1)
    page.locator(f"tr[data-key='{key}']").hover()
    counted(page.locator(f".hit[data-key='{key}'].lit"), 1)
    page.get_by_role("button", name="Clear selection (1)").click()
    counted(page.locator("tr.selected"), 0)


def test_selecting_a_mark_turns_the_table_to_its_page(page: Any, board: Any) -> None:
    opened(page, board.file, "#size=10")
    mark = drawn(page).nth(15)
    key = mark.get_attribute("data-key")
    assert key not in keys(page)
    mark.click()
    page.locator(f"tr[data-key='{key}'].selected").wait_for()


def test_everything_works_by_keyboard(page: Any, board: Any) -> None:
    opened(page, board.file)
    press = page.keyboard.press

    def to(selector: str) -> None:
        for _ in range(60):
            press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    to("#search")
    page.keyboard.type("net")
    to("#menu-verdict summary")
    press("Enter")
    to("#menu-verdict input")
    press("Space")
    assert page.evaluate("document.activeElement.value") == "better"
    assert set(page.locator("td.gain .verdict").all_inner_texts()) == {"better"}
    press("Escape")
    assert page.evaluate("document.activeElement.matches('#menu-verdict summary')")
    to("[role='tab']")
    press("ArrowRight")
    assert page.get_by_role("tab", name="Protocols").get_attribute("aria-selected") == "true"
    marks = drawn(page, "dumbbell")
    to(".hit")
    press("ArrowDown")
    press("ArrowDown")
    assert page.locator(".tip").is_visible()
    key = marks.nth(2).get_attribute("data-key")
    press("Enter")
    page.locator(f"tr[data-key='{key}'].selected").wait_for()
    to("[data-sort='p']")
    press("Enter")
    assert page.locator("th[data-column='p']").get_attribute("aria-sort") == "ascending"
    assert page.evaluate("document.activeElement.dataset.sort") == "p"


def test_a_screen_reader_is_told_what_everything_is(page: Any, board: Any) -> None:
    opened(page, board.file)
    drawn(page)
    assert page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link").all_inner_texts() == [
        "Board", "Compare", "Method", "Changes", "Elsewhere",
    ]  # fmt: skip
    assert page.locator("nav [aria-current='page']").inner_text() == "Board"
    table = page.get_by_role("table", name="All rows")
    counted(table.get_by_role("columnheader", name="Gain of two-step"), 1)
    counted(table.get_by_role("rowheader"), 25)
    counted(page.get_by_role("searchbox", name="Search"), 1)
    counted(page.get_by_role("combobox", name="Order"), 1)
    counted(page.get_by_role("tabpanel", name="Gains"), 1)
    counted(page.get_by_role("group", name="Gains. 40 marks"), 1)
    assert page.get_by_role("status").inner_text() == status(page)
    counted(page.locator("#chart-panel .hit[tabindex='0']"), 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_no_width_and_no_theme_makes_the_page_scroll_sideways(tab: Any, board: Any, width: int, theme: str) -> None:
    page = opened(tab(width, color_scheme=theme), board.file)
    drawn(page)
    assert page.evaluate(OVERFLOW) <= 0
    panel = page.locator("#chart-panel").bounding_box()
    figure = page.locator("#chart-panel .chart-scroll > svg").bounding_box()
    assert figure["width"] <= panel["width"] and figure["width"] > 0.6 * panel["width"]
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 22, 26)"
    assert dark == (theme == "dark")


def test_a_change_of_theme_draws_the_chart_again_in_its_colours(page: Any, board: Any) -> None:
    opened(page, board.file)
    drawn(page)
    colour = "() => document.querySelector('#chart-panel svg [aria-label=\"dot\"] path').getAttribute('stroke')"
    before = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => ({colour})() !== before", arg=before)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(tab: Any, board: Any, axe: Any, theme: str) -> None:
    page = opened(tab(color_scheme=theme), board.file, "#size=10&family=other&selected=net-00004@cir-g")
    page.locator("#legend").evaluate("one => { one.open = true; one.querySelector('details').open = true; }")
    for chart in CHARTS:
        page.locator(f"#tab-{chart}").click()
        drawn(page, chart)
        assert axe(page) == [], chart
    page.locator("#menu-columns summary").click()
    assert axe(page) == []
    page.get_by_label("Search").fill("no such network")
    assert axe(page) == []


def test_axe_finds_no_violation_on_a_telephone(tab: Any, board: Any, axe: Any) -> None:
    page = opened(tab(360, 740), board.file, "#size=10")
    drawn(page)
    assert axe(page) == []


def test_without_javascript_there_is_the_picture_and_the_table_as_a_file(tab: Any, site: Any) -> None:
    whole = site(12)
    page = tab(java_script_enabled=False)
    page.goto(f"{whole.file}index.html")
    counted(page.locator("noscript a"), 2)
    shown = page.locator("img[src='charts/pocket-forest.png']")
    shown.scroll_into_view_if_needed()
    assert shown.is_visible() and shown.bounding_box()["height"] > 100
    assert page.locator("#app").is_hidden()


def test_every_link_and_file_of_the_page_is_there(page: Any, site: Any) -> None:
    whole = site(12)
    opened(page, whole.file, "#size=100")
    found = set()
    for chart in CHARTS:
        page.locator(f"#tab-{chart}").click()
        drawn(page, chart)
        found |= set(page.evaluate("[...document.querySelectorAll('[href], [src]')].map(one => one.href || one.src)"))
    local = {address.split("#")[0] for address in found if address.startswith("file:")}
    missing = sorted(a for a in local if not (whole.folder / a.removeprefix(whole.file)).is_file())
    assert missing == [] and len(local) > 30
    assert [a for a in found if not a.startswith(("file:", "data:"))] == []


def clock(page: Any) -> Any:
    """A session that counts what the page's main thread works, whatever else the machine does."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return session


def busy(session: Any) -> float:
    """Milliseconds that it has worked for so far."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return 1000 * float(metrics["TaskDuration"])


def test_first_paint_of_a_hundred_submissions_takes_half_a_megabyte_and_a_second(page: Any, site: Any) -> None:
    found = site(100, whole=False)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    session = clock(page)
    start = busy(session)
    opened(page, found.file)
    assert 0 < busy(session) - start < 1000
    files = [found.folder / url.removeprefix(found.file) for url in asked if url.startswith("file:")]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= 500_000
    assert len(files) > 8


SORT = """column => {
  document.querySelector(`[data-sort="${column}"]`).click();
  document.body.getBoundingClientRect();
}"""


@pytest.mark.slow
def test_ten_thousand_submissions_sort_in_a_fifth_of_a_second(page: Any, site: Any) -> None:
    opened(page, site(10_000, whole=False).file)
    assert status(page).startswith("20,000 rows")
    session = clock(page)
    taken: dict[str, list[float]] = {}
    for column in ("p", "submission", TWO_STEP, "gain"):
        for _ in range(4):
            page.wait_for_timeout(300)
            start = busy(session)
            page.evaluate(SORT, column)
            taken.setdefault(column, []).append(busy(session) - start)
    assert all(0 < median(times) < 200 for times in taken.values()), taken
    page.get_by_label("Search").fill("net-09999")
    assert set(keys(page)) == {"net-09999@bioimlab-q", "net-09999@cir-g"}


def test_the_small_pictures_hold_every_interval_where_there_are_few(page: Any, board: Any) -> None:
    opened(page, board.file)
    ask = "ends => KB.board.reach(ends.map(high => ({ gain: { value: high, low: 0, high } })))"
    assert page.evaluate(ask, [0.007, 0.032]) == pytest.approx(3.2)
    assert page.evaluate(ask, [0.02] * 99 + [0.9]) == pytest.approx(2.0), "one outlier does not flatten all others"
