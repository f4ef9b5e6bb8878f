from datetime import datetime
from xml.etree import ElementTree as ET

import pytest

from benchmark.board import model as m
from benchmark.board.exports.feed import ATOM, NEWEST, to_feed
from tests.board import made

URL = "https://example.org/board/"


def one(parent: ET.Element, tag: str) -> ET.Element:
    found = parent.findall(f"{{{ATOM}}}{tag}")
    assert len(found) == 1, f"{tag}: {len(found)} times"
    return found[0]


def text(parent: ET.Element, tag: str) -> str:
    return one(parent, tag).text or ""


def links(parent: ET.Element) -> dict[str, str]:
    return {link.attrib["rel"]: link.attrib["href"] for link in parent.findall(f"{{{ATOM}}}link")}


def entries(feed: ET.Element) -> list[ET.Element]:
    return feed.findall(f"{{{ATOM}}}entry")


@pytest.mark.parametrize("url", [URL, None])
@pytest.mark.parametrize("number", [1, 12, 200])
def test_the_feed_keeps_the_rules_of_atom(url: str | None, number: int) -> None:
    feed = ET.fromstring(to_feed(made.board(number), url))
    assert feed.tag == f"{{{ATOM}}}feed"
    assert text(feed, "title") and text(one(feed, "author"), "name")
    ids = [text(feed, "id")]
    dates = []
    for entry in entries(feed):
        ids.append(text(entry, "id"))
        dates.append(datetime.fromisoformat(text(entry, "updated")))
        assert text(entry, "title") and one(entry, "content").attrib == {"type": "text"} and text(entry, "content")
        assert ("alternate" in links(entry)) == (url is not None)
    assert len(set(ids)) == len(ids) and all(ident.startswith("urn:uuid:") for ident in ids)
    assert all(date.tzinfo for date in dates) and dates == sorted(dates, reverse=True)
    assert datetime.fromisoformat(text(feed, "updated")) >= max(dates)
    assert len(dates) == min(number, NEWEST)


def test_links_lead_to_the_feed_the_page_of_changes_and_the_submission() -> None:
    feed = ET.fromstring(to_feed(made.board(3), URL))
    assert links(feed) == {"self": f"{URL}feed.xml", "alternate": f"{URL}changes.html"}
    assert {links(entry)["alternate"] for entry in entries(feed)} == {
        f"{URL}submissions/net-{i:05d}.html" for i in range(3)
    }


def test_ids_stay_when_the_board_grows_and_texts_are_worded_anew() -> None:
    board = made.board(120)
    newer = m.Change(date="2027-01-01", kind="entered", submission="new", track=None, text="New.")
    again = tuple(change.model_copy(update={"text": "Other words."}) for change in board.changes)
    before = [text(entry, "id") for entry in entries(ET.fromstring(to_feed(board, URL)))]
    grown = board.model_copy(update={"changes": (newer, *again)})
    assert [text(entry, "id") for entry in entries(ET.fromstring(to_feed(grown, URL)))][1:] == before[:-1]


def test_two_changes_that_are_alike_have_two_ids() -> None:
    board = made.board(1)
    feed = ET.fromstring(to_feed(board.model_copy(update={"changes": board.changes * 3}), None))
    assert len({text(entry, "id") for entry in entries(feed)}) == 3


def test_a_hostile_text_stays_text_and_the_feed_well_formed() -> None:
    board = made.board(2)
    hostile = "]]></content><script>\x00\x1b\ufffe" + made.SCRIPT
    changes = tuple(change.model_copy(update={"text": hostile, "submission": '"/><x'}) for change in board.changes)
    feed = ET.fromstring(to_feed(board.model_copy(update={"changes": changes}), URL))
    assert all(element.tag.startswith(f"{{{ATOM}}}") and "script" not in element.tag for element in feed.iter())
    assert "<script>" in text(entries(feed)[0], "content") and "\x00" not in text(entries(feed)[0], "content")
    assert links(entries(feed)[0])["alternate"] == f"{URL}submissions/%22%2F%3E%3Cx.html"


def test_an_empty_list_of_changes_is_still_a_feed() -> None:
    board = made.board(1)
    feed = ET.fromstring(to_feed(board.model_copy(update={"changes": ()}), URL))
    assert entries(feed) == [] and datetime.fromisoformat(text(feed, "updated")).isoformat() == board.source.newest
