"""Shipped files are found in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark import resources
from benchmark.errors import InputError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout's package folder."""
    folder = tmp_path / "benchmark"
    folder.mkdir()
    monkeypatch.setattr(resources, "PACKAGE", folder)
    return folder


def add(folder: Path, name: str, marker: str = "card.yaml") -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / marker).touch()


def test_this_checkout_has_what_it_ships() -> None:
    assert {"bioimlab-q", "cir-g", "sim-q", "sim-g"} <= set(resources.names("datasets", "card.yaml"))
    assert sorted(path.stem for path in resources.tracks().glob("*.yaml")) == ["paper", "pocket", "smoke"]


def test_checkout(package: Path) -> None:
    add(package.parent / "datasets", "b")
    add(package.parent / "datasets", "a")
    assert resources.shipped("datasets") == package.parent / "datasets"
    assert resources.names("datasets", "card.yaml") == ["a", "b"]
    assert resources.named("datasets", "a", "card.yaml") == package.parent / "datasets" / "a"


def test_wheel_wins_over_a_folder_beside_it(package: Path) -> None:
    add(package.parent / "datasets", "stranger")
    add(package / "_shipped" / "datasets", "ours")
    assert resources.names("datasets", "card.yaml") == ["ours"]
    assert resources.shipped("submissions") == package.parent / "submissions", "each kind for itself"


def test_folder_without_its_marker_is_none(package: Path) -> None:
    add(package.parent / "submissions", "notes", "README.md")
    add(package.parent / "submissions", "net", "submission.yaml")
    assert resources.names("submissions", "submission.yaml") == ["net"]


@pytest.mark.parametrize("name", ["no", "../datasets/net", "", ".", "net/"])
def test_unknown_name_lists_the_known(package: Path, name: str) -> None:
    add(package.parent / "submissions", "net", "submission.yaml")
    with pytest.raises(InputError, match=r"no submission of this name; found '.*'; allowed: net$"):
        resources.named("submissions", name, "submission.yaml")


def test_nothing_shipped_says_so(package: Path) -> None:
    with pytest.raises(InputError, match=r"no dataset of this name; found 'x'; allowed: \(none\)"):
        resources.named("datasets", "x", "card.yaml")
