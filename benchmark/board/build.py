"""Building the board: one self-contained page from a ledger that verifies."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark import __version__
from benchmark.board.charts import dumbbell
from benchmark.board.forest import forest
from benchmark.board.forest import lines as gains
from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic
from benchmark.findings import summary
from benchmark.ledger import Ledger
from benchmark.protocol import BASELINE, PROTOCOLS
from benchmark.results import Results

TEMPLATES = Path(__file__).parent / "templates"


def points(found: dict[str, float] | None, signed: bool = False) -> dict[str, str] | None:
    """A value and its bounds as text in points, for a table cell."""
    if found is None:
        return None
    form = "{:+.1f}" if signed else "{:.1f}"
    known = found["low"] == found["low"]
    return {
        "value": form.format(100 * found["value"]).replace("-", "\N{MINUS SIGN}"),
        "bounds": f"{form.format(100 * found['low'])} to {form.format(100 * found['high'])}".replace(
            "-", "\N{MINUS SIGN}"
        )
        if known
        else "",
    }


def build(ledger: Ledger, folder: Path) -> Path:
    """Write `index.html` into a folder, and beside it the chart of each track as `<track>.svg` and `.png`.

    Args:
        ledger: must verify; every figure is computed again from its predictions.
        folder: made when absent.

    Returns:
        Path of the page.

    Raises:
        IntegrityError: when the ledger does not verify.
        InputError: when it holds no result.
    """
    findings = ledger.verify(rescore=False)
    if findings:
        raise IntegrityError(
            findings[0].problem,
            file=ledger.path,
            field=f"line {findings[0].line}",
            hint="Run: karyobench ledger verify",
        )
    rows = summary(Results(ledger), BASELINE)
    if not rows:
        raise InputError(
            "the ledger holds no result yet", file=ledger.path, hint="Run: karyobench run or karyobench demo"
        )
    tracks = sorted({row["track"] for row in rows})
    sections = [_section(ledger, [row for row in rows if row["track"] == track]) for track in tracks]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("index.html").render(
        sections=sections, protocols=PROTOCOLS, baseline=BASELINE, version=__version__, records=len(ledger.records())
    )
    for track in tracks:
        kinds: tuple[Literal["svg", "png"], ...] = ("svg", "png")
        for kind in kinds:
            with atomic(folder / f"{track}.{kind}") as file:
                file.write(dumbbell([row for row in rows if row["track"] == track], kind))
    path = folder / "index.html"
    with atomic(path) as file:
        file.write(page.encode())
    return path


def _section(ledger: Ledger, rows: list[dict[str, Any]]) -> dict[str, Any]:
    newest = [r for r in ledger.records() if r["track"]["digest"] == rows[0]["track_digest"]][-1]
    names = [name for name in PROTOCOLS if any(name in row["protocols"] for row in rows)]
    lines = []
    for row in rows:
        cells = []
        for name in names:
            entry = row["protocols"].get(name, {})
            cells.append(
                {
                    "score": points(entry.get("macro_f1")),
                    "gain": points(entry.get("gain"), signed=True),
                    "verdict": entry.get("gain", {}).get("verdict"),
                    "failed": entry.get("failed", []),
                }
            )
        lines.append(
            {
                **row,
                "cells": cells,
                "trainings": max((e.get("trainings", 0) for e in row["protocols"].values()), default=0),
            }
        )
    return {
        "label": rows[0]["track"],
        "track": ledger.document("tracks", newest["track"]["digest"]),
        "simulated": any(row["simulated"] for row in rows),
        "names": names,
        "rows": lines,
        "chart": dumbbell(rows).decode(),
        "forest": forest(rows).decode() if gains(rows) else None,
        "sentences": [gain["sentence"] for gain in gains(rows)],
        "device": newest.get("environment", {}).get("device", "not recorded"),
        "packages": newest["packages"],
    }
