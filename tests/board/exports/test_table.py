import csv
import io
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from benchmark.board.exports.table import COLUMNS, csv_text, moment, table, to_csv, to_parquet
from benchmark.board.model import Board
from tests.board import made

NAMES = [column.name for column in COLUMNS]


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def titled(title: str) -> Board:
    board = made.board(2, simulated=False)
    return board.model_copy(
        update={"rows": tuple(row.model_copy(update={"title": title, "devices": (title,)}) for row in board.rows)}
    )


def test_there_is_one_line_a_row_and_protocol_with_the_figures_of_the_board() -> None:
    board = made.board(12)
    lines = read(to_csv(table(board)))
    wanted = [(row, name, found) for row in board.rows for name, found in row.results.items()]
    assert len(lines) == len(wanted) and list(lines[0]) == NAMES
    for line, (row, name, found) in zip(lines, wanted, strict=True):
        assert [line[k] for k in ("track", "submission", "target", "protocol")] == [
            row.track,
            row.submission,
            row.target,
            name,
        ]
        assert line["macro_f1"] == ("" if found.macro_f1 is None else repr(found.macro_f1.value))
        assert line["gain_low"] == ("" if found.gain is None or found.gain.low is None else repr(found.gain.low))
        assert line["verdict"] == (found.gain.verdict if found.gain else "")
        longer = found.gain.over_long if found.gain else None
        shown = [line[f"over_long{part}"] for part in ("", "_low", "_verdict")]
        assert shown == (["", "", ""] if longer is None else [repr(longer.value), repr(longer.low), longer.verdict])
        assert line["failed"] == str(len(found.failed)) and line["failures"] == "; ".join(sorted(set(found.failed)))
        assert line["exploratory"] == ("" if found.gain is None else "false")
        assert line["rank"] == ("" if row.rank is None else str(row.rank.rank))
        assert line["energy_joules"] == ("" if found.energy_joules is None else repr(found.energy_joules))
    verdicts = {line["verdict"] for line in lines}
    assert {line["over_long_verdict"] for line in lines} == {"", "better", "undecided"}
    assert verdicts == {"", "better", "worse", "equivalent", "undecided", "withheld"}  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t=", "\r=", " =", "\u200b="])
def test_no_cell_of_the_csv_is_a_formula_whatever_the_title_begins_with(start: str) -> None:
    title = f'{start}HYPERLINK("http://example.org","x")\nnext, line'
    content = to_csv(table(titled(title)))
    lines = read(content)
    for line in lines:
        assert line["title"].startswith("'") and line["devices"].startswith("'")
        assert line["title"].endswith("next, line") and "\n" not in line["title"]
    assert len(content.decode().splitlines()) == len(lines) + 1


def test_a_number_below_nothing_stays_a_number_in_the_csv() -> None:
    lines = read(to_csv(table(made.board(12))))
    assert min(float(line["gain"]) for line in lines if line["gain"]) < 0
    assert csv_text("Net-1 = good") == "Net-1 = good"


def test_parquet_holds_the_same_table_typed_and_described_with_every_text_as_submitted() -> None:
    board = titled("=1+1\n\u202e")
    found = parquet.read_table(io.BytesIO(to_parquet(table(board), board.source)))
    assert found.column_names == NAMES
    types = {"text": pa.string(), "number": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_(), "date": pa.timestamp("us", tz="UTC")}  # fmt: skip
    for column in COLUMNS:
        field = found.schema.field(column.name)
        assert field.type == types[column.type]
        assert field.metadata[b"description"].decode() == column.meaning != ""
    assert set(found["title"].to_pylist()) == {"=1+1\n\u202e"}
    assert found.schema.metadata[b"ledger_head"].decode() == board.source.head
    lines = read(to_csv(table(board)))
    for name in ("macro_f1", "gain", "gain_low", "parameters", "seconds"):
        assert [None if line[name] == "" else float(line[name]) for line in lines] == found[name].to_pylist()
    assert found["updated"].to_pylist() == [moment(line["updated"]) for line in lines]


def test_a_number_that_is_not_finite_is_not_known() -> None:
    row = made.row(0, "cir-g", 1)
    gain = row.results["two-step"].gain
    assert gain is not None
    hole = row.results["two-step"].model_copy(
        update={"gain": gain.model_copy(update={"low": float("nan"), "p": float("inf")})}
    )
    board = made.board(1, simulated=False).model_copy(update={"rows": (row.model_copy(update={"results": {"two-step": hole}}),)})  # fmt: skip
    cells = dict(zip(NAMES, table(board), strict=True))
    assert cells["gain_low"] == [None] and cells["p_adjusted"] == [None] and cells["gain"] == [gain.value]
    found = parquet.read_table(io.BytesIO(to_parquet(table(board), board.source)))
    assert found["gain_low"].null_count == 1


def test_an_empty_board_is_an_empty_table_of_the_same_columns() -> None:
    board = made.board(1).model_copy(update={"rows": ()})
    assert to_csv(table(board)).decode().strip().split(",") == NAMES
    found: Any = parquet.read_table(io.BytesIO(to_parquet(table(board), board.source)))
    assert found.num_rows == 0 and found.column_names == NAMES


@pytest.mark.parametrize("date", ["2026-03-01", "2026-03-01T00:00:00", "2026-03-01T01:00:00+01:00"])
def test_a_date_without_a_zone_is_in_utc(date: str) -> None:
    assert moment(date).isoformat() == "2026-03-01T00:00:00+00:00"
