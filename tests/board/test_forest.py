import struct
from typing import Any

import pytest

from benchmark.board.forest import forest, lines
from benchmark.findings import summary
from benchmark.results import Results


@pytest.fixture
def rows(maker: Any) -> list[dict[str, Any]]:
    maker.fill(imagenet=0.6, two_step=0.9)
    maker.fill(repeats=1, name="late", imagenet=0.6, two_step=0.7)
    return summary(Results(maker.ledger))


def test_every_gain_is_a_line_with_its_verdict(rows: list[dict[str, Any]]) -> None:
    assert [(one["submission"], one["verdict"]) for one in lines(rows)] == [("late", "withheld"), ("net", "better")]
    svg = forest(rows).decode()
    assert svg.startswith("<svg") and "better" in svg and "withheld" in svg and "net → tiny" in svg


def test_the_same_rows_give_the_same_bytes(rows: list[dict[str, Any]]) -> None:
    assert forest(rows) == forest(rows)
    png = forest(rows, "png")
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">I", png[16:20])[0] > 1000


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="no gain to draw"):
        forest([])
