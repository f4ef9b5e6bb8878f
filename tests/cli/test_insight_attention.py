import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmark import track as tracks
from benchmark.campaign import Campaign
from benchmark.cli.insight import app
from benchmark.errors import InputError
from benchmark.insight import kept, outputs
from benchmark.insight.attention import picture
from benchmark.insight.attention.beside import Beside
from benchmark.insight.attention.report import mean_over_images
from benchmark.insight.attention.schema import Attention
from benchmark.ledger import Ledger
from benchmark.results import Results
from benchmark.strict_yaml import text_of
from benchmark.submission import load
from benchmark.track import Track

SEEING = """
from torch import nn

def build(num_classes, in_chans, img_size):
    return nn.Sequential(
        nn.Conv2d(in_chans, 8, 4, stride=4), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d((4, 1)), nn.Flatten(), nn.Linear(32, num_classes))
"""
BLIND = """
import torch
from torch import nn

class Blind(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.cells = nn.AvgPool2d(4)
        self.pass_on = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.ones_(self.pass_on.weight)
        self.head = nn.Parameter(torch.randn(classes))

    def forward(self, batch):
        found = self.pass_on(self.cells(batch + 5)).square().mean(dim=(2, 3))
        return found / 100 * nn.functional.softplus(self.head)

def build(num_classes, in_chans, img_size):
    return Blind(num_classes)
"""


class World:
    """A workspace in which `seeing` and `blind` were trained from scratch on sim-q."""

    def __init__(self, workspace: Path, track: Path, folder: Path) -> None:
        self.workspace, self.track, self.folder = workspace, track, folder

    def __call__(self, name: str, *options: str) -> Any:
        given = ["attention", str(self.folder / name), "--target", "sim-q", "-t", str(self.track)]
        return CliRunner().invoke(app, [*given, "-w", str(self.workspace), *options], catch_exceptions=False)


def longest(data: Any) -> int:
    """Length of the longest list of numbers in some data."""
    if isinstance(data, dict):
        return max(map(longest, data.values()), default=0)
    if isinstance(data, list):
        own = len(data) if all(isinstance(one, int | float) for one in data) else 0
        return max(own, *map(longest, data), 0)
    return 0


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is drawn, which takes longest."""
    for name in ("numbers", "chromosomes"):
        monkeypatch.setattr(picture, name, lambda report: {})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"folder": tmp_path_factory.mktemp("attention")}


@pytest.fixture
def world(made: dict[str, Any], workspace: Path, tiny_track: Track) -> World:
    """Trained once for this file; each test has a copy of the workspace."""
    folder, track = made["folder"], made["folder"] / "tiny.yaml"
    if not track.exists():
        for name, code in (("seeing", SEEING), ("blind", BLIND)):
            (folder / name).mkdir()
            (folder / name / "model.py").write_text(code)
            spec = {"name": name, "title": name, "paper": "https://example.org", "license": "MIT"}
            (folder / name / "submission.yaml").write_text(text_of(spec | {"model": {"factory": "model.py:build"}}))
        campaign = Campaign(workspace, tiny_track, [load(folder / name) for name in ("seeing", "blind")])
        campaign.run(campaign.todo(campaign.plan(["scratch"], ["sim-q"])), lambda unit, line: None, jobs=1)
        shutil.copytree(workspace, folder / "workspace")
        track.write_text(text_of(tiny_track.model_dump(mode="json")))
    assert tracks.load(str(track)).digest == tiny_track.digest
    shutil.rmtree(workspace)
    shutil.copytree(folder / "workspace", workspace)
    return World(workspace, track, folder)


def test_the_report_is_written_holds_no_image_and_repeats(world: World) -> None:
    result = world("seeing")
    assert result.exit_code == 0, result.output
    folder = world.workspace / "insight"
    data = json.loads((folder / "attention-seeing-sim-q.json").read_text())
    report = Attention.model_validate(data)
    [unit] = report.units
    assert (unit.protocol, unit.cells, unit.images, unit.repeats_itself) == ("scratch", 8, 48, 1.0)
    assert report.images == 48 and report.simulated and report.absent == ("imagenet", "two-step")
    assert [one.key for one in report.measures] == ["background", "outline", "coverage", "evenness", "bands"]
    assert {one.measure for one in report.arms} <= {one.key for one in report.measures} and report.contrasts == ()
    assert [len(one.curve) for one in unit.faithfulness] == [11, 11] and len(unit.sanity.cascade) == 5
    assert longest(data) <= 11, "no list of numbers as long as a picture's row"
    text = (folder / "attention-seeing-sim-q.md").read_text()
    assert text.strip() in result.stdout and "(simulated)" in text and "Not trained here: imagenet, two-step" in text
    for name in ("attention-seeing-sim-q", "attention-seeing-sim-q-maps"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"{name}.svg").read_bytes().startswith(b"<svg")
    assert b"<image" not in (folder / "attention-seeing-sim-q.svg").read_bytes()
    ledger = Ledger(world.workspace / "ledger")
    kept.keep([folder / "attention-seeing-sim-q.json"], ledger)
    [stored] = kept.reports(ledger)
    assert stored.kind == "attention" and stored.said and stored.drawn == {} and stored.markdown.strip() == text.strip()
    other = folder / "attention-other.json"
    other.write_text(json.dumps(data | {"units": [data["units"][0] | {"key": "0" * 32}]}))
    with pytest.raises(InputError, match=r"units\.0\.key: the ledger holds no scored record of this unit"):
        kept.keep([other], ledger)


def test_a_second_run_computes_nothing_and_gives_the_same(world: World, undrawn: None) -> None:
    data, folder = json.loads(world("seeing", "--json").stdout), world.workspace / "insight"
    pieces = {path: path.stat().st_mtime_ns for path in (folder / "attention").rglob("*.npz")}
    again = world("seeing", "--json")
    assert json.loads(again.stdout) == data
    assert {path: path.stat().st_mtime_ns for path in (folder / "attention").rglob("*.npz")} == pieces, "nothing anew"
    some = sorted(pieces)[:2]
    some[0].write_bytes(b"broken")
    some[1].unlink()
    assert json.loads(world("seeing", "--json").stdout) == data, "and what is lost is computed again"
    other = Attention.model_validate_json(world("seeing", "--json", "--images", "20", "--method", "grad-cam").stdout)
    assert other.images == 20 and other.settings.method == "grad-cam"


def test_a_network_whose_maps_ignore_its_weights_is_gated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "numbers", lambda report: {})
    result = world("blind")
    report = Attention.model_validate_json((world.workspace / "insight" / "attention-blind-sim-q.json").read_text())
    sanity = report.units[0].sanity
    assert not sanity.passed and sanity.failed == 48 and sanity.rank.value > 0.9
    assert report.gate.failed == ("scratch",) and report.contrasts == ()
    assert "The maps of scratch fail the check with shuffled weights: they are no evidence" in result.stdout
    svg = (world.workspace / "insight" / "attention-blind-sim-q-maps.svg").read_bytes()
    assert svg.count(b"<image") == 2 * 8, "each chromosome twice, and no map"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "seeing",
            ["--fold", "1"],
            "seeing scratch → sim-q, fold 1, repeat 0: this classifier has not been trained here",
        ),
        ("seeing", ["--fold", "0", "--fold", "0"], "fold: the same twice"),
        ("seeing", ["-p", "two-step"], "seeing two-step → sim-q.*has not been trained here"),
        ("seeing", ["--target", "cir-g"], "not a target of this track; found 'cir-g'"),
        ("seeing", ["--method", "magic"], "no such method; found 'magic'; allowed: hires-cam, grad-cam"),
        ("nothing", [], "no such submission folder"),
    ],
)
def test_what_is_missing_is_named(world: World, name: str, options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        world(name, *options)


def test_a_network_without_spatial_features_is_named(world: World, tiny_submission: Any, tiny_track: Track) -> None:
    campaign = Campaign(world.workspace, tiny_track, [tiny_submission])
    campaign.run(campaign.todo(campaign.plan(["scratch"], ["sim-q"])), lambda unit, line: None, jobs=1)
    spec = tiny_submission.spec.model_dump(mode="json", exclude_none=True)
    (tiny_submission.folder / "submission.yaml").write_text(text_of(spec))
    shutil.copytree(tiny_submission.folder, world.folder / "tiny-net", dirs_exist_ok=True)
    with pytest.raises(InputError, match="tiny-net: this network has no layer with features in space"):
        world("tiny-net")


def test_protocols_are_paired_over_images(world: World, undrawn: None) -> None:
    """A record made as if it were of another protocol, of the same checkpoint: every difference is nothing."""
    from benchmark.ledger import Ledger

    ledger = Ledger(world.workspace / "ledger")
    record = next(one for one in ledger.records() if one["submission"]["name"] == "seeing")
    key = "f" * 32
    shutil.copytree(world.workspace / "units" / record["key"], world.workspace / "units" / key)
    plain = {name: value for name, value in record.items() if name not in ("hash", "prev", "format")}
    ledger.put_predictions(key, np.asarray(ledger.predictions(record)))
    ledger.append({**plain, "key": key, "arm": "imagenet"})
    report = Attention.model_validate_json(world("seeing", "--json").stdout)
    assert [one.protocol for one in report.units] == ["scratch", "imagenet"] and report.absent == ("two-step",)
    assert {(c.first, c.second) for c in report.contrasts} == {("imagenet", "scratch")}
    assert all(c.value == 0 and c.verdict == "withheld" for c in report.contrasts), "two groups are too few"


def test_folds_need_not_have_as_many_images() -> None:
    """Three folds of a real data set have 524, 448 and 560 images, and the report fell over them."""
    tables = [np.array([[1.0, np.nan], [2.0, 4.0], [3.0, 6.0]]), np.array([[6.0, 2.0]])]
    assert mean_over_images(tables).tolist() == [3.0, 4.0]


def test_a_gallery_is_given_maps_of_what_was_trained_here_and_changes_with_its_weights(world: World) -> None:
    track = tracks.load(str(world.track))
    results = Results(Ledger(world.workspace / "ledger"), track.name)
    submissions = {name: load(world.folder / name) for name in ("seeing", "blind")}
    maps = Beside(world.workspace, track, submissions, 0)
    shown = {}
    for trial in outputs.trials(results, ["seeing", "blind"], track.name):
        seen: Any = SimpleNamespace(own=outputs.read(results, trial, ["scratch"]))
        found = [maps(seen, "scratch", image) for image in range(12)]
        shown[trial.submission] = [one for one in found if one is not None]
        assert maps(seen, "two-step", 0) is None, "it was not trained here"
        assert Beside(world.workspace, track, {}, 0)(seen, "scratch", 0) is None
    assert shown["blind"] == [], "its maps do not hang on its weights"
    assert len(shown["seeing"]) >= 8
    for one in shown["seeing"]:
        assert one.shape == (32, 32) and one.max() == 1.0 and one.min() >= 0.0
