"""`karyobench data resplit`, and what the other commands make of such a data set."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.cli.main import app
from benchmark.data.store import Store
from benchmark.errors import InputError


def call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def made(workspace: Path) -> Path:
    call("data", "resplit", "sim-q", "sim-q-random", "-w", str(workspace))
    return workspace


def test_it_says_that_the_split_leaks_and_that_the_audit_fails(workspace: Path) -> None:
    text = call("data", "resplit", "sim-q", "sim-q-random", "--by", "image", "-w", str(workspace))
    assert "This split leaks" in text and "240 images are of a cell or a person on both sides" in text
    assert "karyobench insight leakage sim-q sim-q-random" in text
    audit = json.loads(call("data", "audit", "sim-q-random", "--json", "-w", str(workspace), code=3))
    crossing = next(check for check in audit["checks"] if check["name"] == "groups stay on one side")
    assert not audit["ok"] and not crossing["passed"] and crossing["count"] == 240
    assert f"'{crossing['name']}' and exits 3" in " ".join(text.split())


def test_it_is_listed_and_verified_like_any_other(made: Path) -> None:
    row = next(
        one for one in json.loads(call("data", "list", "--json", "-w", str(made))) if one["name"] == "sim-q-random"
    )
    assert row["imported"] and row["group"] == "image" and "flattered" in row["title"]
    assert "all as in the manifest" in call("data", "verify", "sim-q-random", "-w", str(made))


@pytest.mark.parametrize(
    "words", [["import", "sim-q-random"], ["import", "sim-q-random", "."], ["fetch", "sim-q-random"]]
)
def test_it_cannot_be_imported_or_fetched(made: Path, words: list[str]) -> None:
    before = Store(made).open("sim-q-random").manifest.digest
    with pytest.raises(InputError, match="NAME: its images are those of another dataset; found 'sim-q-random'"):
        call("data", *words, "-w", str(made))
    assert Store(made).open("sim-q-random").manifest.digest == before


def plan(workspace: Path, *words: str) -> Any:
    return json.loads(call("plan", "efficientnet-b0", "--track", "smoke", "--json", "-w", str(workspace), *words))


def test_a_track_trains_on_it_without_naming_it(made: Path) -> None:
    found = plan(made, "--target", "sim-q", "--target", "sim-q-random", "-p", "scratch", "-f", "0", "-f", "1")
    assert sorted((unit["dataset"], unit["arm"], unit["fold"]) for unit in found["units"]) == [
        ("sim-q", "scratch", 0), ("sim-q", "scratch", 1), ("sim-q-random", "scratch", 0), ("sim-q-random", "scratch", 1),
    ]  # fmt: skip


def test_it_is_never_source_and_target_with_the_original(made: Path) -> None:
    for target, source in (("sim-q", "sim-q-random"), ("sim-q-random", "sim-q")):
        with pytest.raises(InputError, match=f"this source shows people of the target {target}, as a card declares"):
            plan(made, "--target", target, "--source", source, "-p", "two-step")
    with pytest.raises(InputError, match=r"not a target of this track; found 'sim-q-random'.*--source"):
        plan(made, "--target", "sim-q-random")
