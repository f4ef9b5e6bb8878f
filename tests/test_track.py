from pathlib import Path

import pytest
import yaml

from benchmark import resources, track
from benchmark.errors import InputError


def changed(tmp_path: Path, **changes: object) -> Path:
    data = yaml.safe_load((resources.tracks() / "pocket.yaml").read_text()) | {"name": "mine"} | changes
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.mark.parametrize("name", ["smoke", "pocket", "paper"])
def test_shipped_tracks_load(name: str) -> None:
    found = track.load(name)
    assert found.name == name and len(found.targets) == 2
    assert found.sources_of(found.targets[0]) == (found.targets[1],)
    assert found.simulated == (name == "smoke")


def test_the_paper_track_has_the_studys_image_size() -> None:
    assert track.load("paper").preprocess.size == 224


def test_a_track_of_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    found = track.load(str(changed(tmp_path, repeats=3)))
    assert found.name == "mine" and found.repeats == 3
    assert found.digest != track.load("pocket").digest


BAD = {
    "unknown key": ({"optimizer": "sgd"}, "optimizer: unknown key"),
    "unknown key inside": (
        {"recipe": {"epochs": 1, "batch_size": 8, "lr": 0.1, "momentum": 0.9}},
        "recipe.momentum: unknown key.*allowed: .*epochs",
    ),
    "no epochs": ({"recipe": {"batch_size": 8, "lr": 0.1}}, "recipe.epochs: this key is required"),
    "negative rate": ({"recipe": {"epochs": 1, "batch_size": 8, "lr": -1}}, "recipe.lr: .*greater than 0; found -1"),
    "text for a number": ({"repeats": "many"}, "repeats: .*valid integer.*found 'many'"),
    "fold out of range": ({"folds": [0, 7]}, "folds must be different numbers from 0 to 4"),
    "fold twice": ({"folds": [1, 1]}, "folds must be different"),
    "target its own source": ({"pairs": [{"target": "cir-g", "source": "cir-g"}]}, "two datasets"),
    "no pair": ({"pairs": []}, "pairs: "),
    "another name": ({"name": "yours"}, "name: must be the file's name; found 'yours'; allowed: mine"),
    "tiny images": ({"preprocess": {"size": 2}}, "preprocess.size: .*16"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_track_is_one_clear_error(tmp_path: Path, case: str) -> None:
    changes, message = BAD[case]
    path = changed(tmp_path, **changes)
    with pytest.raises(InputError, match=message) as caught:
        track.load(str(path))
    assert str(path) in str(caught.value)


def test_an_unknown_name_lists_the_tracks() -> None:
    with pytest.raises(InputError, match="found 'pockt'; allowed: paper, pocket, smoke"):
        track.load("pockt")


def test_source_of_something_else_is_an_error() -> None:
    with pytest.raises(InputError, match="not a target of this track"):
        track.load("smoke").sources_of("cir-g")
