"""Croissant 1.0 metadata of the board's table, so that catalogues and programs find and read it.

The specification: http://mlcommons.org/croissant/1.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from benchmark.board.exports.table import COLUMNS, Type, moment
from benchmark.board.model import Board

TITLE = "KaryoBench: a benchmark of transfer learning between chromosome stains"
AUTHORS = "The KaryoBench authors"
LICENCE = "https://spdx.org/licenses/Apache-2.0.html"
DESCRIPTION = (
    "Macro-F1, gains with 95 % intervals, verdicts, cost and provenance of chromosome classifiers, trained from scratch, from ImageNet weights, "
    "and from ImageNet weights through the other stain, on Q-band and G-band images; one line a submission, target and protocol. It follows "
    "Chen et al., Scientific Reports 16, 7572 (2026). No image is part of it: the images have their own terms of use. Rows with the badge "
    "`simulated` say nothing about people. In board.csv a text that a spreadsheet would take for a formula has an apostrophe before it."
)
FORMATS = {
    "board.csv": ("text/csv", "The table as CSV (UTF-8)."),
    "board.parquet": ("application/x-parquet", "The same table as Parquet, typed, every text as it was submitted."),
    "board.json": ("application/json", "The whole board; board.schema.json is its JSON Schema."),
}
KEY = ("track", "submission", "target", "protocol")

_TYPES: dict[Type, str] = {
    "text": "sc:Text", "number": "sc:Float", "integer": "sc:Integer", "boolean": "sc:Boolean", "date": "sc:DateTime",
}  # fmt: skip

_CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/", "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/", "equivalentProperty": "cr:equivalentProperty", "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract", "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet", "references": "cr:references",
    "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace", "samplingRate": "cr:samplingRate", "sc": "https://schema.org/", "separator": "cr:separator",
    "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip


def _file(name: str, content: bytes, url: str | None) -> dict[str, Any]:
    format_, meaning = FORMATS[name]
    return {
        "@type": "cr:FileObject", "@id": name, "name": name, "description": meaning, "contentUrl": f"{url or ''}{name}",
        "contentSize": f"{len(content)} B", "encodingFormat": format_, "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip


def _fields() -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:Field", "@id": f"results/{one.name}", "name": one.name, "description": one.meaning, "dataType": _TYPES[one.type],
            "source": {"fileObject": {"@id": "board.parquet"}, "extract": {"column": one.name}},
        }
        for one in COLUMNS
    ]  # fmt: skip


def to_croissant(board: Board, url: str | None, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The metadata as JSON-LD.

    Args:
        board: its newest record is the date of publication; its head tells versions of the same harness apart.
        url: where the board is published, with a slash at the end; without it the files are named relative to this one.
        files: content of the files of `FORMATS`.
    """
    version = f"{board.source.harness}+{board.source.head[:12]}"
    year = moment(board.source.newest).year
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "karyobench-board",
        "alternateName": TITLE,
        "description": DESCRIPTION,
        "license": LICENCE,
        "creator": {"@type": "sc:Organization", "name": AUTHORS},
        "citeAs": f"@software{{karyobench, title = {{{TITLE}}}, author = {{{{{AUTHORS}}}}}, version = {{{board.source.harness}}}, year = {{{year}}}}}",
        "datePublished": moment(board.source.newest).date().isoformat(),
        "version": version,
        "isLiveDataset": True,
        "keywords": ["chromosome", "karyotyping", "cytogenetics", "transfer learning", "image classification", "benchmark"],
        "distribution": [_file(name, files[name], url) for name in FORMATS],
        "recordSet": [
            {
                "@type": "cr:RecordSet", "@id": "results", "name": "results", "description": "One line a submission, target and protocol of a track.",
                "key": [{"@id": f"results/{name}"} for name in KEY], "field": _fields(),
            }
        ],
        **({"url": url} if url else {}),
    }  # fmt: skip
