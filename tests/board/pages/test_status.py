import re

import pytest

from benchmark.board.pages.status import AGAIN, PATH, files, rows
from tests.board import made, states


def page(life: states.Life = "alive", **changes: object) -> str:
    found = states.found(life, **changes)
    ((path, content),) = files(made.board(2).model_copy(update={"status": True}), found.state, found.life)
    assert path == PATH
    return content.decode()


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def test_it_says_what_is_done_what_runs_what_failed_and_how_long_it_takes_yet() -> None:
    text = words(page())
    for part in (
        "Run under way: 232 of 660 trainings have ended", "220 with a score", "8 running", "4 queued", "415 waiting",
        "12 failed, 1 given up", "about 67 min ( 60 min to 75 min , 95 % interval)", "By guess, at the mean rate: zoo-net",
        "17 attempts that the machines failed", "20261124T120000Z-abc123", "ray, process on cuda, 8 at once",
    ):  # fmt: skip
        assert part.replace(" ,", ",").replace("( ", "(") in text.replace(" ,", ",").replace("( ", "("), part


def test_texts_of_others_are_escaped() -> None:
    text = page()
    assert made.SCRIPT not in text and text.count("&lt;script&gt;") >= 3


def test_a_dead_head_is_said_to_be_dead_and_its_page_does_not_load_itself_again() -> None:
    text = page("dead")
    assert "Its head is dead" in text and "Run dead:" in text and "Time left" not in text and "Running now" not in text
    assert "status.js" not in text and 'id="again"' not in text
    assert f'data-seconds="{AGAIN}"' in page() and "assets/status.js" in page()


@pytest.mark.parametrize(
    ("phase", "message", "said"),
    [
        ("finished", "", "Run finished"),
        ("failed", "the disk is full", "failed</strong>: the disk is full"),
        ("stopped", "", "Run stopped"),
    ],
)
def test_how_it_ended_is_said(phase: str, message: str, said: str) -> None:
    text = page("ended", phase=phase, message=message, remaining=None)
    assert said in text and "Running now" not in text


def test_without_an_interval_or_a_time_it_says_so() -> None:
    left = states.state().remaining
    assert left
    assert "too little was timed for an interval" in page(remaining=left.model_copy(update={"low": None, "high": None}))
    assert "not known yet" in page(remaining=None)
    assert "Nothing yet." in page(under_way=(), running=0)


def test_submissions_that_are_not_done_come_first() -> None:
    found = rows(states.state())
    assert [row["submission"] for row in found] == [made.SCRIPT, "zoo-net", "tf-efficientnet-lite0"]
    assert [row["waiting"] for row in found] == [183, 237, 0]


def test_the_frame_links_it_only_where_a_run_is_given() -> None:
    from benchmark.board.pages.frame import render

    without = made.board(2)
    shown = without.model_copy(update={"status": True})
    assert "status.html" not in render("base.html", root="", page="method", board=without).decode()
    assert 'href="../status.html"' in render("base.html", root="../", page="", board=shown).decode()
    assert 'href="status.html" aria-current="page"' in page()


def test_it_is_no_part_of_the_published_data() -> None:
    shown = made.board(2).model_copy(update={"status": True})
    assert "status" not in shown.model_dump() and shown.model_dump_json() == made.board(2).model_dump_json()
    assert "status" not in type(shown).model_json_schema(mode="serialization")["properties"]
