import re
import time
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from benchmark.board import model as m
from benchmark.board.pictures.bundle import CHARTS, LIMIT, drawings, files
from tests.board import made

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: bytes) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def changed(board: m.Board, change: Callable[[m.Row], m.Row]) -> m.Board:
    return board.model_copy(update={"rows": tuple(map(change, board.rows))})


def with_gain(row: m.Row, **changes: object) -> m.Row:
    found = row.results["two-step"]
    gain = found.gain and found.gain.model_copy(update=changes)
    return row.model_copy(update={"results": {**row.results, "two-step": found.model_copy(update={"gain": gain})}})


def svg(board: m.Board, chart: str, track: str = "pocket") -> bytes:
    return dict(drawings(board))[f"charts/{track}-{chart}"]()["svg"]


def charts(board: m.Board) -> set[str]:
    """The charts of the first track that there are."""
    return {path.removeprefix("charts/pocket-") for path, _ in drawings(board) if "pocket" in path}


@pytest.fixture(scope="module")
def three() -> dict[str, bytes]:
    return dict(files(made.board(3)))


def test_each_track_has_every_chart_as_svg_and_png(three: dict[str, bytes]) -> None:
    assert three.keys() == {f"charts/{t}-{c}.{k}" for t in ("pocket", "smoke") for c in CHARTS for k in ("svg", "png")}
    for name, content in three.items():
        assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<svg")


def test_the_bytes_are_the_same_each_time(three: dict[str, bytes]) -> None:
    for path, draw in drawings(made.board(3)):
        if "smoke" in path:
            assert draw() == {kind: three[f"{path}.{kind}"] for kind in ("svg", "png")}, path


@pytest.mark.usefixtures("svg_alone")
def test_a_title_that_is_a_script_or_a_formula_stays_text(three: dict[str, bytes]) -> None:
    title = r"$\alpha$ ]]> \x & <b>"
    board = changed(made.board(1, simulated=False), lambda row: row.model_copy(update={"title": title}))
    named = {f"{path}.svg": draw()["svg"] for path, draw in drawings(board)}
    for found, text in ((three, "<script>"), (named, title)):
        for name in (f"charts/pocket-{chart}.svg" for chart in CHARTS):
            tags = {element.tag for element in ET.fromstring(found[name]).iter()}
            assert not tags & {f"{SVG}script", f"{SVG}img", f"{SVG}a", f"{SVG}b"}
            assert any(text in one for one in texts(found[name])), name


def test_nothing_in_a_picture_is_loaded_from_elsewhere(three: dict[str, bytes]) -> None:
    for name, content in three.items():
        if name.endswith("svg"):
            assert not re.findall(rb'(?:href|src)="(?!#|data:image/png)[^"]*"', content), name
            assert b"@import" not in content and b"<style" not in content.replace(b'<style type="text/css">*{', b"")


def test_simulated_images_are_named_as_such_on_every_picture_of_them(three: dict[str, bytes]) -> None:
    for name, content in three.items():
        if name.endswith("svg"):
            assert ("Simulated images" in " ".join(texts(content))) == name.startswith("charts/smoke"), name


def test_a_board_of_one_row_has_all_charts_but_the_one_that_compares_the_stains() -> None:
    board = made.board(1, simulated=False)
    assert charts(board) == set(CHARTS)
    assert charts(board.model_copy(update={"rows": board.rows[:1]})) == set(CHARTS) - {"stains"}


def test_a_chart_with_nothing_to_draw_has_no_file_and_the_others_still_do() -> None:
    def failed(row: m.Row) -> m.Row:
        hole = {"macro_f1": None, "gain": None, "f1": (None,) * 24}
        return row.model_copy(update={"results": {k: v.model_copy(update=hole) for k, v in row.results.items()}})

    def alone(row: m.Row) -> m.Row:
        return row.model_copy(update={"results": {"imagenet": row.results["imagenet"]}})

    def timeless(row: m.Row) -> m.Row:
        return row.model_copy(
            update={"results": {k: v.model_copy(update={"seconds": None}) for k, v in row.results.items()}}
        )

    board = made.board(2, simulated=False)
    assert list(files(changed(board, failed))) == [] == list(files(board.model_copy(update={"rows": ()})))
    assert charts(changed(board, alone)) == {"dumbbell"}
    assert charts(changed(board, timeless)) == set(CHARTS) - {"cost"}


def test_withheld_verdicts_without_intervals_can_be_drawn() -> None:
    nothing = {"verdict": "withheld", "low": None, "high": None, "interval": "none", "smallest": None, "p": None}
    held = changed(made.board(2, simulated=False), lambda row: with_gain(row, **nothing))
    assert "withheld" in texts(svg(held, "forest")) and "withheld" in texts(svg(held, "cost"))
    assert "no difference shown" in texts(svg(held, "stains"))


@pytest.mark.usefixtures("svg_alone")
def test_two_submissions_of_one_title_are_told_apart_by_name() -> None:
    same = changed(made.board(2, simulated=False), lambda row: row.model_copy(update={"title": "ResNet"}))
    assert {"ResNet (tf-efficientnet-lite0)", "ResNet (net-00001)"} <= set(texts(svg(same, "dumbbell")))


@pytest.mark.usefixtures("svg_alone")
def test_of_many_gains_those_with_the_largest_lower_end_are_shown_and_the_picture_says_so() -> None:
    board = made.board(60, simulated=False)
    shown = texts(svg(board, "forest"))
    assert any(f"Shown: {LIMIT} of 120 results, those with the largest lower end" in text for text in shown)
    gains = [gain for row in board.rows if (gain := row.results["two-step"].gain) and gain.low is not None]
    best = sorted(gains, key=lambda gain: -(gain.low or 0))[:LIMIT]
    longer = [gain.over_long for gain in best if gain.over_long]
    assert sorted(text for text in shown if text in {gain.verdict for gain in gains}) == sorted(
        gain.verdict for gain in [*best, *longer]
    )
    assert longer and shown.count("↳ over longer training") == len(longer)


@pytest.mark.usefixtures("svg_alone")
def test_of_many_rows_the_highest_ranked_are_shown_by_target_and_score() -> None:
    board = made.board(60, simulated=False)
    shown = texts(svg(board, "classes"))
    assert any(f"Shown: {LIMIT} of 120 results, the highest ranked" in text for text in shown)
    assert any(f"Shown: {LIMIT} of 120 results, the highest ranked" in text for text in texts(svg(board, "dumbbell")))
    scores = [float(text) for text in shown if re.fullmatch(r"\d\d\.\d", text)]
    second = next(i for i in range(1, LIMIT) if scores[i] > scores[i - 1])
    assert len(scores) == LIMIT and scores[second:] == sorted(scores[second:], reverse=True)
    worst = max(row.rank.rank for row in board.rows if row.title in shown and row.rank)
    assert all(
        row.title in shown for row in board.rows if row.rank and row.rank.rank < worst and row.submission != "net-00001"
    )


@pytest.mark.slow
def test_the_pictures_of_ten_thousand_submissions_are_drawn_in_time() -> None:
    board = made.board(10_000, simulated=False)
    list(files(made.board(1, simulated=False)))
    start = time.process_time()
    found = dict(files(board))
    assert time.process_time() - start < 24, "8 s on a quiet machine; three times that where others use it too"
    assert max(len(content) for content in found.values()) < 1_500_000
