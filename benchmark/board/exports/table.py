"""The board as one flat table, a line a row and protocol: CSV for spreadsheets, Parquet for programs.

Both hold the same columns in the same order; what is not known is an empty cell, and a null. They
differ in one thing. A spreadsheet runs a cell that begins with = + - or @ as a formula, and a title
is anybody's text, so the CSV puts an apostrophe before such a text and keeps every text on one line.
Parquet holds every text as it was submitted.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from benchmark.board.model import Board, Row, Source
from benchmark.board.model import Gain as GainModel
from benchmark.board.model import Result as ResultModel
from benchmark.board.plain import plain

Type = Literal["text", "number", "integer", "boolean", "date"]
Cell = str | float | int | bool | None

FORMULA = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
"""A text that begins so is a formula to some spreadsheet."""


class Line(NamedTuple):
    """What one line of the table is made of."""

    row: Row
    protocol: str
    result: ResultModel
    gain: GainModel | None


class Column(NamedTuple):
    """One column: its name, what its cells are, what they mean, and where they come from."""

    name: str
    type: Type
    meaning: str
    of: Callable[[Line], Cell]


def _score(line: Line, name: str) -> float | None:
    return None if line.result.macro_f1 is None else getattr(line.result.macro_f1, name)


def _gain(name: str) -> Callable[[Line], Cell]:
    return lambda line: None if line.gain is None else getattr(line.gain, name)


def _over_long(name: str) -> Callable[[Line], Cell]:
    return lambda line: getattr(line.gain.over_long, name) if line.gain and line.gain.over_long else None


def _rank(name: str) -> Callable[[Line], Cell]:
    return lambda line: None if line.row.rank is None else getattr(line.row.rank, name)


COLUMNS: tuple[Column, ...] = (
    Column("track", "text", "the frozen recipe; results of two tracks never mix", lambda x: x.row.track),
    Column("submission", "text", "name of the architecture's folder", lambda x: x.row.submission),
    Column("title", "text", "its title for people, as submitted", lambda x: x.row.title),
    Column("family", "text", "kind of architecture", lambda x: x.row.family),
    Column("target", "text", "the data set that is scored", lambda x: x.row.target),
    Column("stain", "text", "Q or G; empty where the ledger does not say", lambda x: x.row.stain),
    Column("protocol", "text", "how the network came to the target", lambda x: x.protocol),
    Column("macro_f1", "number", "mean F1 of the 24 classes, part of 1; empty where every training failed", lambda x: _score(x, "value")),
    Column("low", "number", "lower end of the 95 % interval of macro_f1, part of 1", lambda x: _score(x, "low")),
    Column("high", "number", "upper end of the 95 % interval of macro_f1, part of 1", lambda x: _score(x, "high")),
    Column("accuracy", "number", "part of the images that are named rightly, part of 1", lambda x: x.result.accuracy),
    Column("gain", "number", "macro_f1 minus that of the baseline on the same folds and seeds, part of 1 (0.01 is one point)", _gain("value")),
    Column("gain_low", "number", "lower end of the 95 % interval of gain, part of 1", _gain("low")),
    Column("gain_high", "number", "upper end of the 95 % interval of gain, part of 1", _gain("high")),
    Column("gain_over", "text", "the baseline protocol of gain", _gain("over")),
    Column("gain_interval", "text", "what the interval of gain speaks of: new trainings on new groups, these trainings on new groups, or nothing", _gain("interval")),
    Column("verdict", "text", "better, worse, equivalent (within half a point), undecided, or withheld for want of trainings or groups", _gain("verdict")),
    Column("exploratory", "boolean", "whether the contrast lies outside the family that was fixed before any result", _gain("exploratory")),
    Column("p_adjusted", "number", "p of gain, adjusted over all contrasts of its family; empty where the verdict is withheld", _gain("p")),
    Column("contrasts", "integer", "number of contrasts that p_adjusted is adjusted for", _gain("family")),
    Column("smallest_detectable", "number", "smallest gain that this design finds four times in five, part of 1", _gain("smallest")),
    Column("smallest_margin", "number", "narrowest half-width within which equivalence can be judged, part of 1; above 0.005 equivalent is withheld", _gain("smallest_margin")),
    Column("repeats_for_point", "integer", "repeats that find a gain of one point as often; 0: it takes more groups", _gain("repeats_for_point")),
    Column("transfer", "text", "whether a better two-step also beats imagenet-long, its control for longer training: yes, no, not tested", _gain("transfer")),
    Column("over_long", "number", "macro_f1 of a two-step protocol minus that of imagenet-long, part of 1; empty where that was not run", _over_long("value")),
    Column("over_long_low", "number", "lower end of its 95 % interval, part of 1", _over_long("low")),
    Column("over_long_high", "number", "upper end of its 95 % interval, part of 1", _over_long("high")),
    Column("over_long_verdict", "text", "its verdict, of a family of its own", _over_long("verdict")),
    Column("over_long_p", "number", "its p, adjusted over that family; empty where the verdict is withheld", _over_long("p")),
    Column("needs", "text", "what is missing for a verdict", _gain("needs")),
    Column("rank", "integer", "shared rank of the submission on this target, by macro_f1 of two-step", _rank("rank")),
    Column("rank_low", "integer", "best rank of its simultaneous 95 % interval", _rank("low")),
    Column("rank_high", "integer", "worst rank of its simultaneous 95 % interval", _rank("high")),
    Column("ranked", "integer", "number of submissions that were ranked", _rank("of")),
    Column("parameters", "integer", "number of parameters of the network", lambda x: x.row.parameters),
    Column("seconds", "number", "mean time of one training with the stages before it, seconds; on a processor its processor time, where it was read", lambda x: x.result.seconds),
    Column("energy_joules", "number", "mean energy of the same, joules; empty where it could not be read", lambda x: x.result.energy_joules),
    Column("trainings", "integer", "trainings that were scored: fold × repeat, of full repeats", lambda x: x.result.trainings),
    Column("failed", "integer", "trainings that the submission failed", lambda x: len(x.result.failed)),
    Column("failures", "text", "kinds of these failures, each once", lambda x: "; ".join(sorted(set(x.result.failed)))),
    Column("groups", "integer", "cells or cases that gain was measured on", _gain("groups")),
    Column("devices", "text", "what it was trained on", lambda x: "; ".join(x.row.devices)),
    Column("badges", "text", "marks of the row: simulated, self-run, sealed, unpinned, flagged, bitwise, tolerance, statistical, not reproduced", lambda x: "; ".join(x.row.badges)),
    Column("records", "integer", "records of the ledger behind the row", lambda x: x.row.records),
    Column("entered", "date", "time of the first of them, UTC", lambda x: x.row.entered),
    Column("updated", "date", "time of the last of them, UTC", lambda x: x.row.updated),
)  # fmt: skip
"""All columns, in order. Units stand in the meaning, and in the name where it is not a part of 1."""


Table = list[list[Cell]]
"""A list of cells a column of `COLUMNS`."""


def table(board: Board) -> Table:
    """The cells, column by column; a number that is not finite is not known."""
    lines = [Line(row, name, found, found.gain) for row in board.rows for name, found in row.results.items()]
    return [[_known(column.of(line)) for line in lines] for column in COLUMNS]


def _known(cell: Cell) -> Cell:
    return None if cell == "" or (isinstance(cell, float) and not math.isfinite(cell)) else cell


def csv_text(text: str) -> str:
    """A text as a cell of the CSV: on one line, and never a formula."""
    safe = plain(text)
    return f"'{safe}" if safe.startswith(FORMULA) else safe


def _csv_cells(cells: list[Cell], kind: Type) -> list[Cell]:
    if kind == "boolean":
        return [None if cell is None else str(cell).lower() for cell in cells]
    if kind == "text":
        safe = {cell: csv_text(cell) for cell in set(cells) if isinstance(cell, str)}
        return [safe[cell] if isinstance(cell, str) else None for cell in cells]
    return cells


def to_csv(cells: Table) -> bytes:
    """The table as CSV: UTF-8, comma, a head line, one line feed at the end of a line, decimal point."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(column.name for column in COLUMNS)
    writer.writerows(zip(*(_csv_cells(c, one.type) for c, one in zip(cells, COLUMNS, strict=True)), strict=True))
    return file.getvalue().encode()


def moment(date: str) -> datetime:
    """A date of the board as a time in UTC; one without a zone is in UTC."""
    found = datetime.fromisoformat(date)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def to_parquet(cells: Table, source: Source) -> bytes:
    """The table as Parquet: the meaning of every column in its field's metadata, the ledger's state in the table's.

    Args:
        cells: of a board.
        source: of the same board.
    """
    import pyarrow as pa
    from pyarrow import parquet

    kinds: dict[Type, Any] = {
        "text": pa.string(), "number": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_(), "date": pa.timestamp("us", tz="UTC"),
    }  # fmt: skip
    about = {"ledger_head": source.head, "ledger_newest": source.newest, "harness": source.harness}
    fields = [pa.field(one.name, kinds[one.type], metadata={"description": one.meaning}) for one in COLUMNS]
    columns = [
        pa.array(_moments(found) if one.type == "date" else found, kinds[one.type])
        for one, found in zip(COLUMNS, cells, strict=True)
    ]
    file = io.BytesIO()
    whole = pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=about))
    parquet.write_table(whole, file, compression="zstd")
    return file.getvalue()


def _moments(cells: list[Cell]) -> list[datetime]:
    known = {cell: moment(str(cell)) for cell in set(cells)}
    return [known[cell] for cell in cells]
