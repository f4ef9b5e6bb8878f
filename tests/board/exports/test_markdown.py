import re
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from benchmark.board.exports.markdown import HEADS, LIMIT, escape, to_markdown
from benchmark.board.model import Board
from tests.board import made

HOSTILE = (
    made.SCRIPT[:79],
    "a | b || c",
    "`code` and ``` more",
    "**bold** _it_ ~~gone~~",
    "![x](http://example.org/x.png)",
    "[x](javascript:alert(1))",
    "https://example.org www.example.org me@example.org",
    "two\nlines\n\n# head",
    "$x$ \\| &lt;b&gt; &amp;",
    "<!-- hidden",
    "| --- |",
)


def tokens(text: str) -> list[Token]:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [one for token in parser.parse(text) for one in (token, *(token.children or ()))]


def cells(found: list[Token]) -> list[str]:
    """Text of every cell of every table, as a reader sees it."""
    texts = []
    for before, token in pairwise(found):
        if before.type in ("td_open", "th_open"):
            texts.append("".join(one.content for one in token.children or ()))
    return texts


def titled(title: str) -> Board:
    board = made.board(2, simulated=False)
    return board.model_copy(update={"rows": tuple(row.model_copy(update={"title": title}) for row in board.rows)})


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_is_shown_as_it_is_and_marks_up_nothing(title: str) -> None:
    found = tokens(to_markdown(titled(title)).decode())
    kinds = {token.type for token in found}
    assert not kinds & {
        "html_inline",
        "html_block",
        "link_open",
        "image",
        "em_open",
        "s_open",
        "fence",
        "heading_3_open",
    }
    texts = cells(found)
    assert len(texts) == len(HEADS) * (1 + 4), "no border was added"
    assert texts[len(HEADS) :: len(HEADS)] == [" ".join(title.split())] * 4
    assert {token.content for token in found if token.type == "code_inline"} == {
        "two-step",
        "imagenet",
        "imagenet-long",
    }


@pytest.mark.parametrize("text", ["https://x.org", "www.x.org", "a@x.org", "$x$", "@someone"])
def test_nothing_is_left_that_a_host_turns_into_a_link_formula_or_mention(text: str) -> None:
    assert not re.search(r"://|www\.|@|\$", escape(text))


def test_a_track_has_a_table_with_the_gain_first_and_a_note() -> None:
    board = made.board(12)
    text = to_markdown(board).decode()
    assert (
        text.index("## Pocket track") < text.index("## Smoke track")
        and text.count("95 % interval for new trainings") == 2
    )
    assert text.count("simulated images") == 1
    texts = cells(tokens(text))
    rows = [texts[i : i + len(HEADS)] for i in range(0, len(texts), len(HEADS))]
    assert rows[0] == [head.replace("\\", "") for head in HEADS] and HEADS[2].startswith("gain of two-step")
    first = next(row for row in rows if row[0] == "EfficientNet-Lite0" and row[1] == "bioimlab-q")
    gain = board.rows[0].results["two-step"].gain
    assert gain is not None and gain.low is not None
    assert first[2].startswith(f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to ") and gain.over_long is not None
    assert (
        first[3]
        == f"better, transfer; +{100 * gain.over_long.value:.1f} (+{100 * gain.over_long.low:.1f} to +{100 * gain.over_long.high:.1f}) over imagenet-long"
    )
    gains = [float(row[2].split()[0].replace("−", "-")) for row in rows[1:25]]
    assert gains[:12] == sorted(gains[:12], reverse=True) and gains[12:] == sorted(gains[12:], reverse=True)
    assert any(row[2].endswith(" *") and row[3] == "withheld" and row[4] == row[5] == "" for row in rows)


def test_a_control_of_few_trainings_is_marked_as_such() -> None:
    board = made.board(1, simulated=False)
    row = board.rows[0]
    two = row.results["two-step"]
    assert two.gain is not None and two.gain.over_long is not None
    few = two.gain.over_long.model_copy(update={"interval": "groups", "verdict": "withheld"})
    gain = two.gain.model_copy(update={"over_long": few, "transfer": "not tested"})
    changed = row.model_copy(update={"results": {**row.results, "two-step": two.model_copy(update={"gain": gain})}})
    texts = cells(tokens(to_markdown(board.model_copy(update={"rows": (changed,)})).decode()))
    [said] = [text for text in texts if "over imagenet-long" in text]
    assert said.startswith("better, transfer not tested; +") and ") * over imagenet-long" in said


def test_a_long_track_shows_the_largest_gains_and_says_where_the_rest_is() -> None:
    board = made.board(80, simulated=False)
    text = to_markdown(board).decode()
    assert text.count("\n| ") == LIMIT + 1 and f"Shown: {LIMIT} of 160 rows" in text and "`board.csv`" in text


def test_a_track_without_a_row_and_rows_without_two_step_break_nothing() -> None:
    board = made.board(3, simulated=False)
    alone = tuple(row.model_copy(update={"results": {"imagenet": row.results["imagenet"]}, "rank": None}) for row in board.rows)  # fmt: skip
    assert len(cells(tokens(to_markdown(board.model_copy(update={"rows": alone})).decode()))) == len(HEADS) * 7
    assert "##" not in to_markdown(board.model_copy(update={"rows": ()})).decode().replace("# KaryoBench", "")
