import warnings
from typing import Any

import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from benchmark.board.pictures.figure import Kind, both, caption, dots, ladder, save, settings


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_the_same_figure_gives_the_same_bytes(kind: Kind, start: bytes) -> None:
    found = []
    for _ in range(2):
        with rc_context(settings(9)):
            figure = Figure(figsize=(2, 1))
            figure.subplots().plot([0, 1], [0, 1], label="a word")
            figure.text(0.5, 0.5, "a word")
            found.append(save(figure, kind))
    assert found[0] == found[1] and found[0].startswith(start)
    assert kind == "png" or b"a word" in found[0], "text stays text"


def test_a_figure_has_a_white_ground_in_the_png_and_none_in_the_svg(tmp_path: Any) -> None:
    with rc_context(settings(9)):
        figure = Figure(figsize=(3, 2), layout="constrained")
        figure.subplots().plot([0, 1], [0, 1])
        found = both(figure)
        assert both(figure) == found, "also when it is written again"
    (tmp_path / "a.png").write_bytes(found["png"])
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (600, 400) and image.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)
    assert b"#ffffff" not in found["svg"]


def test_dollars_make_no_formula_and_a_sign_the_font_lacks_no_warning() -> None:
    with rc_context(settings(9)), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = Figure(figsize=(3, 2), layout="constrained")
        figure.subplots().set_title(r"$\frac{1}{2}$ 染色体")
        svg = both(figure)["svg"].decode()
    assert r">$\frac{1}{2}$ 染色体</text>" in svg


def test_rows_are_named_from_the_top_below_bold_headings_and_the_figure_grows() -> None:
    with rc_context(settings(9)):
        figure = Figure(figsize=(3, 1), layout="constrained")
        axes = figure.subplots()
        heights = ladder(axes, [("Q", "one"), ("Q", "two"), ("G", "one")], 1.0)
        names = [(label.get_text(), label.get_fontweight()) for label in axes.get_yticklabels()]
        assert names == [("Q", "bold"), ("one", "normal"), ("two", "normal"), ("G", "bold"), ("one", "normal")]
        assert heights == [1, 2, 4] and axes.get_ylim()[0] > axes.get_ylim()[1] and figure.get_figheight() > 2


def test_rows_without_a_heading_have_no_line_for_one() -> None:
    with rc_context(settings(9)):
        assert ladder(Figure().subplots(), [("", "one"), ("", "two")], 1.0) == [0, 1]


def test_a_caption_is_folded_to_the_width_of_the_figure() -> None:
    with rc_context(settings(9)):
        figure = Figure(figsize=(2, 1), layout="constrained")
        caption(figure, "word " * 20)
        assert len(figure.get_supxlabel().splitlines()) > 2
        empty = Figure(figsize=(2, 1), layout="constrained")
        caption(empty, "")
        assert empty.get_supxlabel() == ""


@pytest.mark.parametrize(("number", "images"), [(10, 0), (1000, 1)])
def test_very_many_points_are_one_image_in_the_svg(number: int, images: int) -> None:
    with rc_context(settings(9)):
        figure = Figure(figsize=(3, 2))
        dots(figure.subplots(), [(i, i) for i in range(number)], "#000000")
        assert save(figure, "svg").count(b"<image") == images
