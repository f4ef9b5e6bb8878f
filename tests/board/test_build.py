import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmark.board.build import build, points
from benchmark.board.charts import dumbbell
from benchmark.errors import InputError, IntegrityError
from benchmark.ledger import Ledger

NAN = float("nan")


def row(name: str = "net", **protocols: float) -> dict[str, Any]:
    entries = {
        key.replace("_", "-"): {
            "macro_f1": {"value": value, "low": value - 0.02, "high": value + 0.02},
            "trainings": 1,
            "failed": [],
        }
        for key, value in protocols.items()
    }
    return {
        "submission": name,
        "track": "t",
        "target": "sim-q",
        "simulated": True,
        "pinned": True,
        "protocols": entries,
    }


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        self.links += [v for k, v in attributes if k in ("href", "src") and not str(v).startswith("#")]


def test_points_show_sign_and_leave_out_what_is_not_known() -> None:
    assert points({"value": -0.0123, "low": -0.03, "high": 0.01}, signed=True) == {
        "value": "−1.2",
        "bounds": "−3.0 to +1.0",
    }
    assert points({"value": 0.5, "low": NAN, "high": NAN}) == {"value": "50.0", "bounds": ""}
    assert points(None) is None


def test_the_chart_has_every_protocol_and_name_as_text_and_is_the_same_twice() -> None:
    rows = [row("first", scratch=0.5, imagenet=0.7, two_step=0.8), row("second", scratch=0.4)]
    svg = dumbbell(rows).decode()
    assert svg == dumbbell(rows).decode() and dumbbell(rows, "png") == dumbbell(rows, "png")
    assert dumbbell(rows, "png").startswith(b"\x89PNG")
    for text in ("first", "second", "scratch", "imagenet", "two-step", "macro-F1"):
        assert text in svg
    assert "imagenet-long" not in svg


def test_a_name_that_is_a_script_stays_text() -> None:
    assert b"<script" not in dumbbell([row("<script>alert(1)</script>", scratch=0.5)])


def test_an_empty_ledger_makes_no_page(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no result yet"):
        build(Ledger(tmp_path / "ledger"), tmp_path)


def test_the_page_stands_alone_and_shows_what_the_ledger_holds(scored_ledger: Ledger, tmp_path: Path) -> None:
    path = build(scored_ledger, tmp_path / "board")
    page = path.read_text()
    parser = Text()
    parser.feed(page)
    assert (
        parser.links == []
        and "script" not in parser.tags
        and "http" not in re.sub(r"https?://www\.w3\.org\S*|http://purl\S*|http://creative\S*", "", page)
    )
    for record in scored_ledger.records():
        assert f"{100 * record['scores']['macro_f1']:.1f}" in page
    assert "simulated images" in page and "tiny-net" in page
    assert {p.name for p in path.parent.iterdir()} == {"index.html", "tiny.svg", "tiny.png"}


def test_a_ledger_that_was_changed_makes_no_page(scored_ledger: Ledger, tmp_path: Path) -> None:
    scored_ledger.path.write_text(scored_ledger.path.read_text().replace("tiny-net", "best-net"))
    with pytest.raises(IntegrityError, match="its hash does not fit"):
        build(scored_ledger, tmp_path / "board")
    assert not (tmp_path / "board").exists()
