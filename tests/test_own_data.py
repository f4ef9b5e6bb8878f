"""docs/own-data.md, run as it stands on a made-up folder: simulated people, and three-stage chains with real workers."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from benchmark import track as tracks
from benchmark.cli.main import app
from benchmark.data.simulate import Settings, simulate_people
from benchmark.data.store import Store
from benchmark.ledger import Ledger
from benchmark.track import Track

pytestmark = pytest.mark.slow

DOC = Path(__file__).parents[1] / "docs" / "own-data.md"
HERE = {"bioimlab-q": "sim-q", "cir-g": "sim-g"}
"""What stands in for the real sources: tiny ones."""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)


def tiny(text: str) -> str:
    for real, made in HERE.items():
        text = text.replace(real, made)
    return text


@pytest.fixture
def ready(workspace: Path, tiny_track: Track, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of crops of ten simulated people beside a workspace with tiny sources, and a smaller pocket track."""
    folder = workspace.parent
    for item in simulate_people(Settings("G", seed=16, cases=10)):
        path = folder / "crops" / item.label / f"{item.cell.replace('-', '_')}_{item.image.rsplit('-', 1)[1]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(item.pixels).save(path)
    small = tiny_track.recipe.model_copy(update={"epochs": 1})
    pocket = tracks.load("pocket")
    used = {"recipe": small, "simulated": True, "pairs": tiny_track.pairs}
    load = tracks.load

    def smaller(name: str) -> Track:
        found = load(name)
        return pocket.model_copy(update=used) if name == "pocket" else found

    monkeypatch.setattr(tracks, "load", smaller)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KARYOBENCH_WORKSPACE", str(workspace))
    return folder


def test_the_commands_of_the_docs_on_a_made_up_folder(ready: Path, workspace: Path) -> None:
    (text,) = blocks("yaml")
    (ready / "mine.yaml").write_text(tiny(text))
    said: dict[str, str] = {}
    for line in filter(None, tiny("\n".join(blocks("sh"))).splitlines()):
        command = shlex.split(line)
        assert command[0] == "karyobench"
        if command[1:3] == ["data", "fetch"]:
            continue
        result = CliRunner().invoke(app, command[1:], catch_exceptions=False)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        said[line] = result.stdout
    assert len(said) >= 12
    assert sorted(path.name for path in (ready / "datasets" / "my-g").iterdir()) == ["card.yaml", "manifest.csv"]
    assert Store(ready / "their-workspace").open("my-g").manifest == Store(workspace).open("my-g").manifest
    _check_chain(workspace, said)
    assert "two-step[sim-q+sim-g]" in (ready / "board" / "data" / "index.js").read_text()
    plan = next(text for line, text in said.items() if "mine.yaml" in line)
    assert "ImageNet → sim-q → sim-g → my-g" in plan and "two-step[" in plan and "two-step " in plan


def _check_chain(workspace: Path, said: dict[str, str]) -> None:
    records: list[dict[str, Any]] = Ledger(workspace / "ledger").records()
    found = {(record["arm"], record["dataset"]["name"]): record for record in records}
    last = found["two-step[sim-q+sim-g]", "my-g"]
    assert last["chain"] == ["ImageNet", "sim-q", "sim-g", "my-g"] and last["status"] == "scored"
    middle = next(record for record in records if record["key"] == last["parent"])
    assert (middle["arm"], middle["dataset"]["name"]) == ("two-step", "sim-g"), "the track pairs sim-g with sim-q"
    first = next(record for record in records if record["key"] == middle["parent"])
    assert (first["arm"], first["parent"]) == ("imagenet", None)
    assert len(records) == 5, "four of the chain and imagenet, and the control"
    images = last["train_images"] + middle["train_images"] + first["train_images"]
    assert found["imagenet-long[sim-q+sim-g]", "my-g"]["epochs"] == round(images / last["train_images"])
    shown = next(text for line, text in said.items() if " compare " in line)
    assert "two-step[sim-q+sim-g]" in shown and "imagenet-long[sim-q+sim-g]" in shown and "withheld" in shown


def test_the_track_of_the_docs_is_the_pocket_recipe() -> None:
    (text,) = blocks("yaml")
    mine, pocket = Track.model_validate(yaml.safe_load(text)), tracks.load("pocket")
    assert (mine.recipe, mine.preprocess) == (pocket.recipe, pocket.preprocess)
    assert mine.sources_of("my-g") == ("bioimlab-q", "cir-g")
    assert json.loads(mine.model_dump_json())["pairs"] == [{"target": "my-g", "source": ["bioimlab-q", "cir-g"]}]
