import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from benchmark.board.exports.bundle import base, files, schema, to_json
from benchmark.board.model import Board
from benchmark.errors import InputError
from tests.board import made

URL = "https://example.org/board/"
NAMES = {"board.json", "board.schema.json", "board.csv", "board.parquet", "board.md", "feed.xml", "croissant.json"}


def strict(text: bytes) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_same_board_gives_the_same_bytes_also_when_it_was_read_back() -> None:
    board = made.board(12)
    first = dict(files(board, URL))
    again = Board.model_validate_json(first["board.json"])
    assert first.keys() == NAMES and again == board and dict(files(again, URL)) == first


@pytest.mark.parametrize("number", [1, 12])
def test_the_board_keeps_its_own_published_schema(number: int) -> None:
    found = dict(files(made.board(number), URL))
    rules = strict(found["board.schema.json"])
    Draft202012Validator.check_schema(rules)
    assert (
        rules["$schema"] == "https://json-schema.org/draft/2020-12/schema" and rules["$id"] == f"{URL}board.schema.json"
    )
    validator = Draft202012Validator(rules)
    data = strict(found["board.json"])
    validator.validate(data)
    data["rows"][0]["results"]["two-step"]["gain"]["verdict"] = "great"
    with pytest.raises(ValidationError):
        validator.validate(data)


def test_without_an_address_nothing_carries_one() -> None:
    found = dict(files(made.board(3), None))
    assert "$id" not in strict(found["board.schema.json"]) and "$id" not in schema(None)
    assert b"<link" not in found["feed.xml"] and "url" not in strict(found["croissant.json"])


def test_a_number_that_is_not_finite_is_null() -> None:
    board = made.board(1, simulated=False)
    row = board.rows[0].model_copy(update={"results": {"two-step": board.rows[0].results["two-step"].model_copy(update={"seconds": float("nan")})}})  # fmt: skip
    track = board.tracks[0].model_copy(update={"document": {"lr": float("inf")}})
    holed = board.model_copy(update={"rows": (row,), "tracks": (track,)})
    data = strict(to_json(holed))
    assert data["rows"][0]["results"]["two-step"]["seconds"] is None and data["tracks"][0]["document"] == {"lr": None}
    Draft202012Validator(schema(None)).validate(data)


def test_an_address_gets_its_slash_and_only_the_web_is_one() -> None:
    assert base("https://example.org/board") == base(URL) == URL and base(None) is None
    for wrong in (
        "javascript:alert(1)",
        "ftp://example.org/",
        "https://",
        "https://example.org/?q",
        "https://example.org/#x",
    ):
        with pytest.raises(InputError, match="url: not the address of a board; found"):
            base(wrong)
