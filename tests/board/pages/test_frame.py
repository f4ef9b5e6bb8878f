import json
import re

import pytest
from jinja2 import UndefinedError

from benchmark.board.pages import frame as pages
from benchmark.board.pages.frame import STATIC, TEMPLATES, assets, link, render, script
from tests.board import made


def frame(root: str = "", page: str = "method") -> str:
    return render("base.html", root=root, page=page, board=made.board(2)).decode()


def test_the_frame_names_the_ledger_and_marks_the_page_that_is_open() -> None:
    found = frame()
    assert 'href="method.html" aria-current="page"' in found and found.count("aria-current") == 1
    for text in ("KaryoBench 0.1.0", "80 ledger records", "a" * 64, made.board(2).source.newest[:10]):
        assert text in found
    assert frame(page="submission").count("aria-current") == 0


def test_every_address_of_the_frame_starts_at_its_root() -> None:
    found = re.findall(r'(?:href|src)="([^"#][^"]*)"', frame(root="../"))
    assert len(found) > 10
    assert [one for one in found if not one.startswith(("../", "data:"))] == []


def test_scripts_are_classic_and_in_order_and_none_is_inline() -> None:
    found = re.findall(r"<script([^>]*)>([^<]*)</script>", frame())
    assert found == [(' src="assets/vendor.js"', ""), (' src="assets/common.js"', "")]


def test_the_policy_allows_nothing_but_the_boards_own_folder() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', frame())
    assert policy
    rules = dict(part.strip().split(" ", 1) for part in policy.group(1).split(";"))
    assert rules["default-src"] == "'none'" and rules["script-src"] == "'self'" and rules["img-src"] == "'self' data:"


def test_what_a_template_asks_for_and_does_not_get_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UndefinedError, match="tracks"):
        render("index.html", root="", page="board", board=made.board(1))


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//example.org/x", "http:", "JAVASCRIPT:alert(1)", " javascript:1", "", None,
     "http://[broken", "ftp://example.org", "/etc/passwd"],
)  # fmt: skip
def test_a_link_that_is_not_of_the_web_is_none(address: str | None) -> None:
    assert link(address) == ""


@pytest.mark.parametrize("address", ["https://example.org/a?b=c#d", "http://127.0.0.1:80/", "HTTPS://example.org"])
def test_a_link_of_the_web_stays_as_it_is(address: str) -> None:
    assert link(address) == address


def test_no_text_leaves_the_script_that_carries_it() -> None:
    hostile = {"t": "</script><!--<script>'\"\\ \u2028\u2029\n", "q": "');alert(1);//"}
    text = script("a'b<", hostile).decode()
    assert text.isascii() and "<" not in text.removeprefix('KB.put("a\'b<"')
    literal = re.search(r"JSON\.parse\('(.*)'\)\);\n$", text, re.S)
    assert literal and "\n" not in literal.group(1) and not re.search(r"(?<!\\)(\\\\)*'", literal.group(1))
    undone = re.sub(r"\\(u003c|.)", lambda m: "<" if m[1] == "u003c" else m[1], literal.group(1))
    assert json.loads(undone) == hostile


def test_a_script_holds_no_number_that_json_does_not_know() -> None:
    with pytest.raises(ValueError):
        script("x", [float("nan")])


def test_the_shared_files_are_those_of_the_folder_and_the_licences() -> None:
    found = dict(assets())
    assert {"assets/app.css", "assets/common.js", "assets/vendor.js", "assets/vendor-licenses.txt"} <= set(found)
    assert found["assets/vendor.js"] == (STATIC / "vendor.js").read_bytes()
    assert not [path for path in found if "package" in path or "entry" in path]


def test_no_script_of_ours_reads_data_as_html_or_loads_modules_or_asks_the_network() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|\bfetch\(|XMLHttpRequest|^import |^export ",
        re.M,
    )
    for path in STATIC.glob("*.js"):
        if path.name != "vendor.js":
            text = path.read_text()
            assert forbidden.findall(text) == [], path.name
            assert "'use strict'" in text and len(text.splitlines()) <= 300, path.name


def test_no_template_turns_escaping_off() -> None:
    for path in TEMPLATES.glob("*.html"):
        assert not re.search(r"autoescape\s+false|onclick=|onload=|javascript:", path.read_text()), path.name


def test_every_badge_and_verdict_has_words_and_a_look() -> None:
    from typing import get_args

    from benchmark.board.model import Badge, VerdictName

    assert set(pages.BADGES) == set(get_args(Badge)) and set(pages.VERDICTS) == set(get_args(VerdictName))
    css, common = (STATIC / "app.css").read_text(), (STATIC / "common.js").read_text()
    for name in pages.VERDICTS:
        assert f".verdict-{name} " in css and css.count(f"--{name}-text:") == 2 and f"'--{name}'" in common
