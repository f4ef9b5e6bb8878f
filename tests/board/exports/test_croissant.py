import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from benchmark.board.exports.bundle import files
from benchmark.board.exports.croissant import AUTHORS, LICENCE, TITLE
from tests.board import made

ROOT = Path(__file__).parents[3]
URL = "https://example.org/board/"


def written(folder: Path, url: str | None) -> dict[str, Any]:
    for name, content in files(made.board(3), url):
        (folder / name).write_bytes(content)
    found: dict[str, Any] = json.loads((folder / "croissant.json").read_text())
    return found


@pytest.mark.parametrize("url", [URL, None])
def test_the_metadata_keeps_the_rules_of_croissant(url: str | None, tmp_path: Path) -> None:
    data = written(tmp_path, url)
    context = data["@context"]
    assert context["@vocab"] == "https://schema.org/" and context["cr"] == "http://mlcommons.org/croissant/"
    assert data["@type"] == "sc:Dataset" and data["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    for name in ("name", "description", "license", "creator", "datePublished", "citeAs"):
        assert data[name], f"the specification wants {name}"
    assert re.fullmatch(r"[A-Za-z0-9_-]+", data["name"]) and ("url" in data) == (url is not None)
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-z]{12}", data["version"]), "a semantic version"
    ids = [part["@id"] for part in [*data["distribution"], *data["recordSet"], *data["recordSet"][0]["field"]]]
    assert len(set(ids)) == len(ids)
    for part in data["distribution"]:
        content = (tmp_path / part["name"]).read_bytes()
        assert part["@type"] == "cr:FileObject" and part["contentUrl"] == f"{url or ''}{part['name']}"
        assert part["sha256"] == hashlib.sha256(content).hexdigest() and part["contentSize"] == f"{len(content)} B"
    used = {
        key
        for part in (data, *data["distribution"], *data["recordSet"], *data["recordSet"][0]["field"])
        for key in part
    }
    assert used - {"@context", "@type", "@id"} <= {
        *context, "name", "alternateName", "description", "license", "creator", "datePublished", "version", "keywords", "url", "distribution",
        "contentUrl", "contentSize", "encodingFormat", "sha256",
    }  # fmt: skip


def test_every_column_is_a_field_of_the_right_type_and_the_key_tells_lines_apart(tmp_path: Path) -> None:
    records = written(tmp_path, None)["recordSet"][0]
    whole = parquet.read_table(tmp_path / "board.parquet")
    types = {"string": "sc:Text", "double": "sc:Float", "int64": "sc:Integer", "bool": "sc:Boolean", "timestamp[us, tz=UTC]": "sc:DateTime"}  # fmt: skip
    assert [(f["name"], f["dataType"]) for f in records["field"]] == [
        (f.name, types[str(f.type)]) for f in whole.schema
    ]
    for field in records["field"]:
        assert field["@id"] == f"results/{field['name']}" and field["description"]
        assert field["source"] == {"fileObject": {"@id": "board.parquet"}, "extract": {"column": field["name"]}}
    key = [one["@id"].removeprefix("results/") for one in records["key"]]
    lines = list(zip(*(whole[name].to_pylist() for name in key), strict=True))
    assert len(set(lines)) == len(lines) > 0


def test_title_authors_and_licence_are_those_of_the_citation_file(tmp_path: Path) -> None:
    facts = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    data = written(tmp_path, None)
    assert facts["title"] == TITLE == data["alternateName"]
    assert [author["name"] for author in facts["authors"]] == [AUTHORS] == [data["creator"]["name"]]
    assert data["license"] == LICENCE and LICENCE.endswith(f"/{facts['license']}.html")
    study = facts["references"][0]
    assert f"{study['journal']} {study['volume']}, {study['start']} ({study['year']})" in data["description"]
    assert TITLE in data["citeAs"] and made.board(3).source.harness in data["citeAs"]
    assert data["datePublished"] == made.board(3).source.newest[:10]


@pytest.mark.slow
def test_the_reference_reader_finds_no_error_and_reads_every_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlcroissant

    written(tmp_path, None)
    monkeypatch.chdir(tmp_path)
    dataset = mlcroissant.Dataset("croissant.json")
    issues = dataset.metadata.ctx.issues
    assert not issues.errors and not issues.warnings
    assert sum(1 for _ in dataset.records("results")) == parquet.read_table("board.parquet").num_rows
