"""What programs read of a board. The same board gives the same bytes: every date comes from its ledger.

`board.json` and its schema hold everything; `board.csv` and `board.parquet` one line a row and
protocol; `board.md` tables for a README; `feed.xml` the changes; `croissant.json` says what they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from benchmark.board.exports.croissant import to_croissant
from benchmark.board.exports.feed import to_feed
from benchmark.board.exports.markdown import to_markdown
from benchmark.board.exports.table import table, to_csv, to_parquet
from benchmark.board.model import Board
from benchmark.errors import InputError


def to_json(board: Board) -> bytes:
    """The whole board as JSON without spaces, keys in the order of the model; a number that is not finite is null."""
    return (board.model_dump_json() + "\n").encode()


def schema(url: str | None) -> dict[str, Any]:
    """The JSON Schema (2020-12) of `board.json`, under its address where that is known."""
    found = Board.model_json_schema(mode="serialization")
    found |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "KaryoBench board"}
    return found | ({"$id": f"{url}board.schema.json"} if url else {})


def base(url: str | None) -> str | None:
    """An address of a board with a slash at its end.

    Raises:
        InputError: when it is not http or https, or has a query or a fragment.
    """
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise InputError("not the address of a board", field="url", found=url, allowed="https://host/path/")
    return url.rstrip("/") + "/"


def files(board: Board, url: str | None) -> Iterator[tuple[str, bytes]]:
    """Every machine-readable file.

    Args:
        board: the whole board.
        url: where it is published; without it, files carry no address.

    Yields:
        Path relative to the board's folder, and content.

    Raises:
        InputError: for an address that cannot be one.
    """
    place = base(url)
    cells = table(board)
    tables = {"board.json": to_json(board), "board.csv": to_csv(cells), "board.parquet": to_parquet(cells, board.source)}  # fmt: skip
    yield from tables.items()
    yield "board.schema.json", _readable(schema(place))
    yield "board.md", to_markdown(board)
    yield "feed.xml", to_feed(board, place)
    yield "croissant.json", _readable(to_croissant(board, place, tables))


def _readable(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
