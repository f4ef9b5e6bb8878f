import re

from benchmark.board import model as m
from benchmark.board.pages.changes import OPEN, files, months
from tests.board import made


def change(day: str, kind: m.ChangeKind = "entered", text: str = "It came.") -> m.Change:
    return m.Change(date=f"{day}T12:00:00+00:00", kind=kind, submission="net", track="pocket", text=text)


def page(*changes: m.Change) -> str:
    ((path, content),) = files(made.board(2).model_copy(update={"changes": changes}))
    assert path == "changes.html"
    return content.decode()


def test_changes_stand_newest_first_by_month() -> None:
    found = months((change("2026-01-31"), change("2026-03-02"), change("2026-01-01"), change("2025-12-30")))
    assert [(one["title"], [c.date[:10] for c in one["changes"]]) for one in found] == [
        ("March 2026", ["2026-03-02"]),
        ("January 2026", ["2026-01-31", "2026-01-01"]),
        ("December 2025", ["2025-12-30"]),
    ]


def test_only_the_newest_months_are_open() -> None:
    old = [change(f"2025-{month:02d}-{day:02d}") for month in range(1, 13) for day in range(1, 21)]
    found = months(tuple(old))
    assert [one["open"] for one in found] == [True] * (OPEN // 20) + [False] * 10


def test_every_change_links_its_submission_and_says_what_happened() -> None:
    text = page(change("2026-01-31", "withdrawn", made.SCRIPT))
    assert 'href="submissions/net.html"' in text
    assert "&lt;script&gt;" in text and made.SCRIPT not in text
    assert '<time datetime="2026-01-31T12:00:00+00:00">2026-01-31</time>' in text
    assert 'href="feed.xml"' in text


def test_only_kinds_that_occur_are_offered() -> None:
    text = page(change("2026-01-31", "withdrawn"), change("2026-01-30"))
    assert re.findall(r'name="kind" value="(\w+)"', text) == ["entered", "withdrawn"]


def test_a_board_to_which_nothing_happened_says_so() -> None:
    assert "Nothing has happened yet." in page()
