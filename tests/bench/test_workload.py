import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from bench import run, workload
from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.data.store import Store


@pytest.fixture
def unit(workspace: Path, tmp_path: Path) -> tuple[Path, Any, Any]:
    track = tracks.load(str(run.bench_track(tmp_path, 3)))
    dataset = next(path.name for path in sorted((workspace / "datasets").iterdir()))
    prepared = Store(workspace).prepared(dataset, track.preprocess)
    workload.write(tmp_path / "unit", prepared, 1, submissions.load("tf-efficientnet-lite0"), track, 2)
    return tmp_path / "unit", prepared, track


def test_every_contender_is_given_the_same_images(unit: tuple[Path, Any, Any]) -> None:
    folder, prepared, _ = unit
    for part in ("train", "validation", "test"):
        places = prepared.manifest.part(1, part)
        pixels = np.load(folder / f"{part}.npy")
        assert np.array_equal(pixels, prepared.images[places])
        assert np.load(folder / f"{part}_labels.npy").tolist() == prepared.manifest.labels[places].tolist()
        files = list((folder / "images" / part).rglob("*.png"))
        assert len(files) == len(places)
        first = next(path for path in files if path.stem == "0")
        with Image.open(first) as picture:
            assert np.array_equal(np.asarray(picture)[..., 2], pixels[0])


def test_and_the_same_recipe_and_imagenet_weights(unit: tuple[Path, Any, Any]) -> None:
    folder, _, track = unit
    settings = json.loads((folder / "unit.json").read_text())
    assert settings["recipe"] == track.recipe.model_dump(mode="json") and settings["epochs"] == 3
    network = timm.create_model(settings["architecture"], num_classes=24)
    network.load_state_dict(torch.load(folder / "start.pth", weights_only=True))
    weights = network.conv_stem.weight
    assert float(weights.detach().std()) > 0.05 and float(weights.detach().abs().max()) > 0.5, "not fresh ones"


def test_the_benchs_track_is_the_pocket_track_with_fewer_epochs(tmp_path: Path) -> None:
    found, pocket = tracks.load(str(run.bench_track(tmp_path, 1))), tracks.load("pocket")
    assert found.recipe.epochs == 1 and found.recipe.model_copy(update={"epochs": 10}) == pocket.recipe
    assert (found.pairs, found.folds, found.preprocess) == (pocket.pairs, pocket.folds, pocket.preprocess)


def test_a_peer_does_not_see_this_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert run.environment()["PYTHONPATH"] == str(Path(run.__file__).parents[1])
    assert "PYTHONPATH" not in run.environment(own=False)
    assert run.environment(threads=1, own=False)["OMP_NUM_THREADS"] == "1"
