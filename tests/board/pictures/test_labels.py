import random

import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from benchmark.board.pictures.figure import settings
from benchmark.board.pictures.labels import Point, place


def written(points: list[Point], sure: int | None = None) -> list[Annotation]:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    number = place(axes, points, sure=sure)
    figure.draw_without_rendering()
    found = [child for child in axes.get_children() if isinstance(child, Annotation)]
    frame = axes.get_window_extent()
    boxes = [Text.get_window_extent(one) for one in found]
    spots = axes.transData.transform([(point.x, point.y) for point in points])
    assert len(found) == number
    for i, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[i + 1 :]), "a name covers a name"
        assert not any(box.contains(x, y) for x, y in spots), "a name covers a point"
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
    return found


@pytest.mark.parametrize("seed", range(5))
def test_names_cover_neither_names_nor_points_nor_leave_the_plot(seed: int) -> None:
    chance = random.Random(seed)
    with rc_context(settings(9)):
        points = [Point(chance.random(), chance.random(), f"Network {i}") for i in range(20)]
        assert len(written(points)) > 12


def test_in_a_crowd_the_first_are_named_and_the_rest_left_out() -> None:
    with rc_context(settings(9)):
        found = written([Point(0.5 + 0.002 * i, 0.5, f"Network {i:02d}") for i in range(60)])
    assert 0 < len(found) < 60 and found[0].get_text() == "Network 00"


def test_only_the_names_that_must_be_there_stand_far_from_their_points() -> None:
    crowd = [Point(0.5 + 0.002 * i, 0.5, f"Network {i:02d}") for i in range(20)]
    with rc_context(settings(9)):
        assert len(written(crowd)) > len(written(crowd, sure=4)) >= 4


def test_nothing_to_name_is_no_error_and_a_long_name_is_shortened() -> None:
    with rc_context(settings(9)):
        assert written([]) == []
        assert written([Point(0.5, 0.5, "x" * 80)])[0].get_text().endswith("x…")
