import re

import pytest

from benchmark.board.pages.frame import BADGES, VERDICTS
from benchmark.board.pages.method import chains, files, recipe
from tests.board import made

BOARD = made.board(3)


def page() -> str:
    ((path, content),) = files(BOARD)
    assert path == "method.html"
    return content.decode()


def test_every_section_has_an_anchor_and_every_anchor_a_place() -> None:
    text = page()
    places = set(re.findall(r'\bid="([^"]+)"', text))
    wanted = {"question", "protocols", "controls", "data", "macro-f1", "verdicts", "intervals", "limits", "badges",
              "reproduction", "tracks", "files", "track-pocket", "track-smoke", "data-cir-g"}  # fmt: skip
    assert wanted <= places
    assert set(re.findall(r'href="#([^"]+)"', text)) <= places


def test_every_badge_and_verdict_is_explained() -> None:
    text = page()
    for name, meaning in {**BADGES, **VERDICTS}.items():
        assert f">{name}</span>" in text
        assert meaning.replace("'", "&#39;") in text


def test_every_dataset_says_its_size_folds_citation_and_terms() -> None:
    text = page()
    for info in BOARD.tracks:
        for one in info.datasets:
            assert one.title in text and one.manifest in text
            assert f"{one.images:,} images, {one.cells} cells, {one.groups} groups (people)" in text
            assert one.citation[0] in text and one.terms in text
            for size in one.fold_images:
                assert f'<td class="num">{size}</td>' in text


def test_a_dataset_of_two_tracks_stands_once() -> None:
    board = BOARD.model_copy(
        update={"tracks": (BOARD.tracks[0], BOARD.tracks[0].model_copy(update={"label": "other"}))}
    )
    ((_, content),) = files(board)
    assert content.decode().count('id="data-cir-g"') == 1


def test_a_recipe_is_a_table_of_every_setting() -> None:
    found = dict(recipe(made.RECIPE))
    assert found["folds"] == "0; 1; 2; 3; 4"
    assert found["recipe.augment.rotate"] == "10.0"
    assert found["preprocess.size"] == "64"
    text = page()
    for name, value in found.items():
        assert f"<code>{name}</code></th><td>{value}</td>" in text


def test_a_recipe_of_pairs_and_flags_is_in_words() -> None:
    found = dict(recipe({"pairs": [{"target": "q", "source": "g"}], "upright": True, "warm": None, "steps": []}))
    assert found == {"pairs": "target q, source g", "upright": "yes", "warm": "none", "steps": "none"}


def test_the_diagram_ends_every_protocol_on_the_target() -> None:
    found = {chain["name"]: [kind for _, kind in chain["boxes"]] for chain in chains(BOARD)}
    assert found["two-step"] == ["photos", "source", "target"]
    assert found["scratch"] == ["random", "target"]
    assert {kinds[-1] for kinds in found.values()} == {"target"}


@pytest.mark.parametrize(
    "name", ["board.json", "board.schema.json", "board.csv", "board.parquet", "board.md", "croissant.json", "feed.xml"]
)
def test_every_file_beside_the_board_is_linked(name: str) -> None:
    assert page().count(f'href="{name}"') >= 2  # in the text and at the foot


def test_figures_are_those_of_the_documents() -> None:
    from pathlib import Path

    documents = " ".join(path.read_text() for path in (Path(__file__).parents[3] / "docs").glob("*.md"))
    for figure in ("3.7 to 6.5", "4.7 to 77.4", "4.9 to 12.5"):
        assert figure in documents and figure in page()
