import re
import struct
from typing import Any

import pytest

from benchmark.board.pictures.forest import Line, forest, lines, said
from benchmark.findings import summary
from benchmark.results import Results


@pytest.fixture
def found(maker: Any) -> list[Line]:
    maker.fill(imagenet=0.6, two_step=0.9)
    maker.fill(repeats=1, name="late", imagenet=0.6, two_step=0.7)
    return lines(summary(Results(maker.ledger)))


def line(**changed: Any) -> Line:
    whole = Line("", "net", 0.01, 0.004, 0.016, True, "better", 0.008)
    return whole._replace(**changed)


def test_every_gain_is_a_line_with_its_verdict(found: list[Line]) -> None:
    assert [(one.label, one.verdict) for one in found] == [
        ("late → tiny\ntwo-step over imagenet", "withheld"),
        ("net → tiny\ntwo-step over imagenet", "better"),
    ]
    assert found[0].smallest is None and found[1].smallest is not None and found[1].whole and not found[0].whole
    svg = forest(found)["svg"].decode()
    assert svg.startswith("<svg") and "better" in svg and "withheld" in svg and "net → tiny" in svg and said(found[1]) in svg  # fmt: skip


def test_a_gain_over_longer_training_follows_hollow_and_is_explained(maker: Any) -> None:
    maker.fill(imagenet=0.6, imagenet_long=0.7, two_step=0.9)
    found = lines(summary(Results(maker.ledger)))
    assert [(one.label.split("\n")[1], one.control) for one in found] == [
        ("two-step over imagenet", False), ("two-step over imagenet-long", True), ("imagenet-long over imagenet", False),
    ]  # fmt: skip
    key = "hollow: over equally long training on the target alone"
    whole, without = (forest(some)["svg"].decode() for some in (found, [one for one in found if not one.control]))
    assert key in whole and key not in without
    assert whole.count("fill: #ffffff") == without.count("fill: #ffffff") + 2, "that of the key, and the mark itself"


def test_the_same_lines_give_the_same_bytes(found: list[Line]) -> None:
    assert forest(found) == forest(found)
    png = forest(found)["png"]
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">I", png[16:20])[0] > 1000


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="no gain to draw"):
        forest([])


@pytest.mark.parametrize(
    ("change", "text"),
    [({}, "+1.0 (+0.4 to +1.6)"), ({"low": None, "high": None}, "+1.0"), ({"value": -0.0004}, "+0.0 (+0.4 to +1.6)")],
)
def test_a_gain_is_said_with_its_interval_where_there_is_one(change: dict[str, Any], text: str) -> None:
    assert said(line(**change)) == text


@pytest.mark.usefixtures("svg_alone")
def test_an_interval_far_longer_than_usual_does_not_make_the_others_unreadable() -> None:
    usual = [line(label=f"net {i}") for i in range(6)]
    ticks = re.compile(r">(\d+)</text>")
    svg = forest([*usual, line(label="wild", low=-0.4, high=0.4)])["svg"].decode()
    assert max(int(tick) for tick in ticks.findall(svg)) < 10 and "+1.0 (−40.0 to +40.0)" in svg


def test_all_intervals_may_be_missing() -> None:
    svg = forest([line(low=None, high=None, smallest=None, verdict="withheld")], "A note.")["svg"].decode()
    assert "withheld" in svg and "A note." in svg
