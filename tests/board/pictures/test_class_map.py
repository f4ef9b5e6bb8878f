import re

import pytest

from benchmark.board.pictures.class_map import FEW, Row, class_map
from benchmark.data.manifest import CLASSES


def rows(number: int, low: float = 0.9) -> list[Row]:
    f1 = tuple(low + (1 - low) * k / 23 for k in range(24))
    return [Row("Q-band" if i % 2 else "", f"Net {i}", f1, sum(f1) / 24) for i in range(number)]


def texts(svg: bytes) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.decode())


def test_every_chromosome_is_named_and_the_bytes_are_the_same() -> None:
    found = class_map(rows(2), CLASSES, "A note.")
    assert found == class_map(rows(2), CLASSES, "A note.") and found["png"].startswith(b"\x89PNG")
    shown = texts(found["svg"])
    assert set(CLASSES) <= set(shown) and {"Net 0", "Net 1", "macro-F1", "95.0", "A note.", "F1 of two-step, %"} <= set(shown)  # fmt: skip


@pytest.mark.usefixtures("svg_alone")
@pytest.mark.parametrize(("number", "numbers"), [(FEW, True), (FEW + 1, False)])
def test_cells_show_their_numbers_when_there_are_few_rows(number: int, numbers: bool) -> None:
    shown = texts(class_map(rows(number, 0.895), CLASSES)["svg"])
    assert (shown.count("93") >= number) == numbers


@pytest.mark.usefixtures("svg_alone")
def test_a_class_that_is_absent_is_a_dash_and_low_scores_are_still_in_the_scale() -> None:
    one = rows(1, 0.0)[0]
    svg = class_map([one._replace(f1=(None, *one.f1[1:]))], CLASSES)["svg"]
    assert texts(svg).count("–") == 1 and "0" in texts(svg)
