"""Cards are read strictly; the shipped ones hold together."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmark import resources
from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data.importers import IMPORTERS
from benchmark.errors import InputError

GOOD: dict[str, object] = {
    "name": "my-set", "title": "My set", "stain": "Q", "polarity": "light-on-dark", "layout": "bioimlab",
    "group": "cell", "description": "d", "citation": ["c"], "terms": "t",
    "sources": [{"kind": "archive", "url": "https://example.org/a.zip", "sha256": "a" * 64}],
    "counts": {"images": 46, "cells": 1, "cases": 0},
}  # fmt: skip


def written(tmp_path: Path, folder: str = "my-set", **changes: object) -> Path:
    path = tmp_path / folder / "card.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


def test_card_is_read(tmp_path: Path) -> None:
    card = cards.read(written(tmp_path))
    assert (card.name, card.stain, card.simulated, card.counts.images) == ("my-set", "Q", False, 46)
    assert card.sources[0].revision == "HEAD"


def test_name_is_the_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        cards.read(written(tmp_path, folder="other"))
    for word in ("card.yaml: name", "'my-set'", "allowed: other"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stain": "R"}, ["stain", "'Q' or 'G'", "'R'"]),
        ({"polarity": "inverted"}, ["polarity", "light-on-dark"]),
        ({"name": "My Set"}, ["name", "pattern"]),
        ({"name": "../x"}, ["name", "pattern"]),
        ({"group": "patient"}, ["group", "'case', 'cell' or 'image'"]),
        ({"counts": {"images": 0, "cells": 1, "cases": 0}}, ["counts.images", "found 0"]),
        ({"counts": {"images": 1, "cells": 1}}, ["counts.cases", "required"]),
        ({"sources": [{"kind": "ftp"}]}, ["sources.0.kind", "'ftp'"]),
        ({"sources": [{"kind": "archive", "sha256": "abc"}]}, ["sources.0.sha256"]),
        ({"sources": [{"kind": "archive", "url": "file:///etc/passwd"}]}, ["sources.0.url", "http"]),
        ({"licence": "MIT"}, ["licence", "unknown key", "stain"]),
        ({"sources": [{"kind": "archive", "mirror": "x"}]}, ["sources.0.mirror", "unknown key", "revision"]),
    ],
)
def test_wrong_card_names_the_field(tmp_path: Path, change: dict[str, object], words: list[str]) -> None:
    path = written(tmp_path, **change)
    with pytest.raises(InputError) as caught:
        cards.read(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_unknown_dataset_lists_the_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "benchmark")
    (tmp_path / "datasets").mkdir()
    written(tmp_path / "datasets")
    assert cards.names() == ["my-set"]
    assert cards.load("my-set").title == "My set"
    with pytest.raises(InputError, match="no dataset of this name; found 'her-set'; allowed: my-set"):
        cards.load("her-set")


@pytest.mark.parametrize("name", cards.names())
def test_shipped_card_holds_together(name: str) -> None:
    card = cards.load(name)
    assert card.simulated == (card.layout == "simulated")
    assert card.simulated or card.layout in IMPORTERS
    assert card.simulated or card.sources, "somebody must be able to get the images"
    for source in card.sources:
        assert source.url if source.kind in ("archive", "manual") else source.repository
    manifest = manifests.shipped(name, card.group)
    if manifest is not None:
        assert len(manifest) == card.counts.images
        assert len(set(manifest.cells) - {""}) == card.counts.cells
        if card.counts.cases:
            assert len({entry.case for entry in manifest.entries}) == card.counts.cases
