"""The report is read as untrusted data, and shown so that nothing in it acts."""

import json
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from benchmark.errors import InputError
from benchmark.proposal.report import MARKER, Proposal, code, markdown, read, step

COMMIT = "a" * 40
EVIL = [
    "@someone look", "<img src=x onerror=alert(1)>", "[a](https://evil.example)", "![a](https://evil.example/x.png)",
    "`</code>`", "a | b | c", "line\n\n# heading\n| x |", "https://evil.example", "\u202egnp.exe", "<!-- x", "```\nx\n```",
    "\\` x",
]  # fmt: skip


def made(**change: object) -> Proposal:
    steps = (step("touches", [], [], ["submissions/x"]), step("name", ["bad"], ["odd"]))
    return Proposal.model_validate(
        {"base": COMMIT, "head": "b" * 40, "kind": "new", "submission": "x", "steps": steps, **change}
    )


def test_a_report_survives_its_way(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(made().model_dump_json())
    assert read(tmp_path / "r.json") == made()


@pytest.mark.parametrize("text", EVIL)
def test_nothing_in_a_report_is_rendered(text: str) -> None:
    shown = markdown(made(submission=text, steps=(step("check", [text], []),)))
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(shown)
    outside = html
    while "<code>" in outside:
        before, _, rest = outside.partition("<code>")
        outside = before + rest.partition("</code>")[2]
    assert "evil" not in outside and "someone" not in outside and "<img" not in outside and "onerror" not in outside
    assert html.count("<tr>") == 2 and html.count("<h3>") == 1 and "<h1>" not in html and "<a " not in html
    assert "\u202e" not in shown


def test_code_is_one_short_line() -> None:
    assert code("a\n`b` | c\u200b") == "`a 'b' ¦ c<U+200B>`"
    assert code("") == "`(empty)`"
    assert len(code("x" * 5000)) == 602


def test_the_comment_begins_with_its_marker_and_says_how_to_do_the_same() -> None:
    text = markdown(made())
    assert text.startswith(MARKER + "\n### New submission `x`: something has to be mended")
    assert "| ❌ error | name and title are its own | `bad`<br>`odd` |" in text
    assert "karyobench submission check --pr aaaaaaaaaaaa..bbbbbbbbbbbb" in text
    assert "ready for review" in markdown(made(steps=(step("touches", [], ["odd"]),)))
    assert "nothing to check" in markdown(made(kind="none", submission=None, steps=()))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"extra": 1}, "extra"), ({"kind": "evil"}, "kind"), ({"head": "main"}, "head"), ({"submission": "x" * 201}, "submission"),
        ({"steps": [{"name": "touches", "level": "ok", "texts": ["x" * 4001]}]}, "texts"),
        ({"steps": [{"name": "other", "level": "ok"}]}, "name"),
        ({"steps": [{"name": "touches", "level": "ok", "texts": ["x"] * 101}]}, "texts"),
        ({"version": 2}, "version"),
    ],
)  # fmt: skip
def test_a_report_that_is_none(tmp_path: Path, change: dict, says: str) -> None:
    plain = made().model_dump(mode="json") | change
    (tmp_path / "r.json").write_text(json.dumps(plain))
    with pytest.raises(InputError, match=f"not a report of a check.*|.*{says}") as caught:
        read(tmp_path / "r.json")
    assert says in str(caught.value.field)


@pytest.mark.parametrize("text", ["", "[]", "no json", '{"version": 1}', "x" * 300_000])
def test_bytes_that_are_no_report(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match=r"not a report|too large"):
        read(tmp_path / "r.json")


def test_a_step_cuts_what_is_long() -> None:
    found = step("check", ["x" * 9000] * 200, [])
    assert len(found.texts) == 100 and {len(text) for text in found.texts} == {2000}
