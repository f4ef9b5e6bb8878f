"""Submission, method, compare and changes pages in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.board import made
from tests.browser.waiting import counted

pytestmark = pytest.mark.browser

PAIR = "compare.html?track=pocket&target=cir-g&protocol=two-step&a=tf-efficientnet-lite0&b=net-00002"
TWO_TRACKS = "submissions/net-00001.html"
PAGES = (
    "submissions/net-00003.html",
    TWO_TRACKS,
    "method.html",
    PAIR,
    "compare.html",
    "changes.html",
    "elsewhere.html",
    "submissions/net-00002@1b2c3d4e.html",
    "status.html",
    "insight/karyotype-pocket-072f4f60.html",
)
HACKED = "window.hacked"


def ready(page: Any) -> Any:
    """Wait until a page has drawn what it draws."""
    if "compare.html?" in page.url:
        page.locator("#result h2").wait_for()
    if "submissions/" in page.url:
        page.locator("[data-chart]").first.scroll_into_view_if_needed()
        page.locator("[data-chart] .drawing svg[role=img]").first.wait_for()
    return page


def opened(page: Any) -> Any:
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    return page


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_violation_in_light_and_dark(site: Any, page: Any, axe: Any, path: str) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(site().file + path)
    assert axe(ready(page)) == []
    page.emulate_media(color_scheme="light")
    assert axe(page if path == TWO_TRACKS else opened(page)) == []  # opened, that page has ten thousand cells


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_the_screen(site: Any, page: Any, path: str) -> None:
    page.goto(site().file + path)
    opened(ready(page))
    for width in (1920, 768, 412, 390, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(250)  # charts are drawn again a moment after the width changes
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", PAGES)
def test_texts_of_a_submission_are_not_run_and_links_are_of_the_board_or_of_the_web(
    site: Any, page: Any, path: str
) -> None:
    page.goto(site().file + path)
    opened(ready(page))
    assert page.evaluate(HACKED) is None
    counted(page.locator("img[src=x]"), 0)
    links = page.eval_on_selector_all("a[href]", "(all) => all.map((one) => one.href)")
    assert links
    assert all(re.match(r"https?://", link) or link.startswith(site().file) for link in links)


def test_links_within_the_board_lead_somewhere(site: Any, page: Any) -> None:
    found = site()
    for path in ("submissions/net-00003.html", "method.html", "changes.html", "elsewhere.html"):
        page.goto(found.file + path)
        links = page.eval_on_selector_all("main a[href]", "(all) => all.map((one) => one.href.split(/[?#]/)[0])")
        missing = {
            link
            for link in links
            if link.startswith(found.file) and not (found.folder / link[len(found.file) :]).is_file()
        }
        assert missing <= {
            f"{found.file}submissions/net-00000.html"
        }  # the made-up changes speak of one that is not there


def test_a_submission_is_readable_without_scripts(site: Any, tab: Callable[..., Any]) -> None:
    page = tab(java_script_enabled=False)
    page.goto(site().file + "submissions/net-00003.html")
    assert page.locator("[data-chart]").first.is_hidden()
    text = page.locator("main").inner_text()
    for words in ("Withdrawn", "Macro-F1", "Commonest mistakes", "Run it again", "karyobench run net-00003"):
        assert words in text
    assert page.locator(".target .scroll table").first.is_visible()


def test_charts_have_tables_with_the_same_figures(site: Any, page: Any) -> None:
    page.goto(site().file + "submissions/net-00002.html")
    figure = ready(page).locator("[data-chart=confusion]").first
    figure.locator("summary").click()
    table = figure.locator("table")
    counted(table.locator("tbody tr"), 24)
    detail = made.detail(site().board, "net-00002")
    matrix = detail.tracks[0].targets[0].confusion["two-step"]
    row = table.locator("tbody tr").nth(4).locator("td").all_inner_texts()
    assert [int(text.replace("·", "0")) for text in row] == [*matrix[4]]
    curves = page.locator("[data-chart=curves]").first
    curves.locator("summary").click()
    counted(curves.locator("tbody tr"), len(detail.tracks[0].targets[0].curves))


def test_the_matrix_of_another_protocol_can_be_chosen_by_keyboard(site: Any, page: Any) -> None:
    page.goto(site().file + "submissions/net-00002.html")
    figure = ready(page).locator("[data-chart=confusion]").first
    figure.locator("summary").click()
    figure.get_by_label("Protocol").focus()
    page.keyboard.press("ArrowUp")
    assert figure.get_by_label("Protocol").input_value() == "imagenet"
    assert "imagenet" in figure.locator("caption").inner_text()
    counted(figure.locator(".drawing svg[role=img]"), 1)


def test_charts_are_drawn_again_when_the_theme_changes(site: Any, page: Any) -> None:
    page.goto(site().file + "submissions/net-00002.html")
    drawing = ready(page).locator("[data-chart=curves] .drawing").first
    before = drawing.inner_html()
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "(before) => document.querySelector('[data-chart=curves] .drawing').innerHTML !== before", arg=before
    )


def test_commands_are_copied(site: Any, tab: Callable[..., Any]) -> None:
    page = tab(permissions=["clipboard-read", "clipboard-write"])
    page.goto(site().http + "submissions/net-00002.html")
    button = page.get_by_role("button", name="Copy the command run for track pocket")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("karyobench run net-00002 --track pocket")


def test_a_comparison_says_scores_difference_and_verdict(site: Any, page: Any) -> None:
    page.goto(site().file + PAIR)
    result = ready(page).locator("#result")
    text = result.inner_text()
    assert "tf-efficientnet-lite0 against net-00002" in text
    for words in (
        "Exploratory",
        "Difference, first minus second",
        "Smallest detectable difference",
        "By chromosome",
        "5 folds × 2 repeats",
    ):
        assert words in text
    assert result.locator(".verdict").inner_text() in ("better", "worse", "equivalent", "undecided")
    counted(result.locator("table").nth(1).locator("tbody tr"), 24)
    counted(result.locator("svg[role=img]"), 1)
    assert "EfficientNet-Lite0" in result.locator("table").first.inner_text()


def test_a_link_shows_the_same_comparison_to_everybody(site: Any, tab: Callable[..., Any]) -> None:
    texts = []
    for address in (site().file, site().http):
        page = tab()
        page.goto(address + PAIR)
        texts.append(ready(page).locator("#result").inner_text())
    assert texts[0] == texts[1]


def test_choosing_by_keyboard_changes_the_address_and_back_returns(site: Any, page: Any) -> None:
    page.goto(site().file + "compare.html")
    page.get_by_label("First submission").focus()
    page.keyboard.type("EfficientNet-Lite0")
    page.keyboard.press("Tab")
    assert page.get_by_label("First submission").input_value() == "tf-efficientnet-lite0"
    page.keyboard.press("Tab")
    page.keyboard.type("net-00003")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="tf-efficientnet-lite0 against net-00003").wait_for()
    assert "a=tf-efficientnet-lite0" in page.url and "b=net-00003" in page.url
    page.get_by_role("button", name="Swap first and second").press("Enter")
    page.get_by_role("heading", name="net-00003 against tf-efficientnet-lite0").wait_for()
    page.go_back()
    page.get_by_role("heading", name="tf-efficientnet-lite0 against net-00003").wait_for()
    page.reload()
    page.get_by_role("heading", name="tf-efficientnet-lite0 against net-00003").wait_for()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "Choose two submissions."),
        ("a=net-00002&b=net-00002", "Choose two different submissions."),
        ("a=nobody&b=net-00002", "There is no submission nobody."),
        (
            "a=net-00005&b=net-00003&protocol=scratch",
            "net-00005 has no score of scratch on bioimlab-q in track pocket.",
        ),
        ("a=net-00000&b=<img src=x onerror='window.hacked=1'>", "There is no submission net-00000."),
        (
            "a=net-00006&b=net-00003&protocol=imagenet-long",
            "cannot be compared: net-00006 has no full repeat of imagenet-long",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(site: Any, page: Any, query: str, sentence: str) -> None:
    page.goto(f"{site().file}compare.html?{query}")
    page.locator("#trouble", has_text=sentence).wait_for()
    assert page.locator("#result").is_hidden() and page.locator("#working").is_hidden()
    assert page.evaluate(HACKED) is None


def test_a_comparison_without_scripts_points_to_the_board(site: Any, tab: Callable[..., Any]) -> None:
    page = tab(java_script_enabled=False)
    page.goto(site().file + "compare.html")
    assert "needs JavaScript" in page.locator("main").inner_text()
    assert page.locator("#choice").is_hidden()


def test_the_verdict_is_announced(site: Any, page: Any) -> None:
    page.goto(site().file + PAIR)
    ready(page)
    assert page.locator("#live").inner_text() == page.locator("#result .answer").inner_text().split(" Exploratory:")[0]


def test_changes_are_filtered_by_kind_and_the_choice_is_in_the_address(site: Any, page: Any) -> None:
    page.goto(site().file + "changes.html")
    whole = page.locator("[data-kind]:visible").count()
    assert whole == len(site().board.changes)
    page.get_by_label("entered").focus()
    page.keyboard.press("Space")
    counted(page.locator("[data-kind=entered]:visible"), 0)
    shown = page.locator("[data-kind]:visible").count()
    assert 0 < shown < whole
    assert page.locator("#live").inner_text() == f"{shown} changes shown"
    page.reload()
    counted(page.locator("[data-kind]:visible"), shown)


def test_contents_of_the_method_lead_to_their_sections(site: Any, page: Any) -> None:
    page.goto(site().file + "method.html")
    page.get_by_role("link", name="From a gain to a verdict").press("Enter")
    assert page.url.endswith("#verdicts")
    assert (
        page.get_by_role("heading", name="From a gain to a verdict").evaluate(
            "(one) => one.getBoundingClientRect().top"
        )
        < 200
    )


def test_scores_from_elsewhere_are_listed_by_name_and_marked(site: Any, page: Any) -> None:
    page.goto(site().file + "index.html")
    page.get_by_role("link", name="Elsewhere", exact=True).click()
    page.get_by_role("heading", name="Scores from elsewhere").wait_for()
    names = page.locator("table").first.locator("tbody th a").all_inner_texts()
    assert names == ["outside-0", "outside-1"]
    text = page.locator("main").inner_text()
    assert "Self-run: labels were in reach, folds as stated, not checked." in text and "a leak" in text
    assert page.locator("#outside-0 ~ dl a, section:has(#outside-0) a").count() == 0  # its link was none of the web
    page.locator("summary").first.click()
    counted(page.locator("details[open] tbody tr"), 24)
    assert "no image" in page.locator("details[open]").inner_text()


def test_a_change_leads_to_the_score_that_it_is_of(site: Any, page: Any) -> None:
    page.goto(site().file + "changes.html?kind=self-run")
    opened(page)
    link = page.locator("li[data-kind=self-run] a").first
    link.click()
    assert page.url.endswith("elsewhere.html#outside-1")
    assert page.evaluate("document.getElementById('outside-1') !== null")
