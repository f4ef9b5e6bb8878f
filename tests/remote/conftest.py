"""A tiny campaign that is run by the inline engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark import engine as engines
from benchmark import protocol as protocols
from benchmark.artefacts import Artefacts
from benchmark.artefacts.patience import Patience
from benchmark.campaign import Campaign
from benchmark.engine import Entry
from benchmark.plan import Unit
from benchmark.remote import cache, node
from benchmark.sandbox import SANDBOXES
from benchmark.submission import Submission
from benchmark.track import Track
from tests.remote.inline import TWO_STAGES, Counting


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setitem(SANDBOXES, "counting", Counting)
    monkeypatch.setattr(Counting, "trained", [])
    monkeypatch.setattr(Counting, "failing", [])
    monkeypatch.setattr(Counting, "during", staticmethod(lambda inputs: None))
    return Counting


class Cluster:
    """Heads, a node and a store."""

    def __init__(self, workspace: Path, track: Track, submission: Submission, root: Path) -> None:
        self.workspace, self.track, self.submission, self.root = workspace, track, submission, root
        self.artefacts = Artefacts(str(root / "store"), Patience(seconds=2.0, pause=0.01))

    def campaign(self, workspace: Path | None = None, store: bool = True) -> Campaign:
        artefacts = self.artefacts if store else None
        return Campaign(workspace or self.workspace, self.track, [self.submission], artefacts=artefacts)

    def units(self, campaign: Campaign, **options: Any) -> list[Unit]:
        """Both stains in a row towards sim-q, and sim-q alone: three units."""
        return campaign.todo(campaign.plan(["scratch", "two-stages"], ["sim-q"]), **options)

    def run(self, campaign: Campaign, engine: str = "inline", **options: Any) -> Any:
        units = self.units(campaign, **options)
        return campaign.run(units, lambda unit, line: None, sandbox="counting", engine=engine)

    def other(self, name: str) -> Path:
        """A workspace with the same images and nothing else."""
        folder = self.root / name
        shutil.copytree(self.workspace / "datasets", folder / "datasets")
        return folder

    def new_node(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """From here on units run on another node, with an empty disk."""
        monkeypatch.setenv(cache.FOLDER, str(self.root / name))
        node.node.cache_clear()


@pytest.fixture
def cluster(
    workspace: Path, tiny_track: Track, tiny_submission: Submission, counting: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:  # fmt: skip
    monkeypatch.setitem(engines.ENGINES, "inline", Entry("tests.remote.inline", "InlineEngine"))
    monkeypatch.setitem(protocols.PROTOCOLS, TWO_STAGES.name, TWO_STAGES)
    made = Cluster(workspace, tiny_track, tiny_submission, tmp_path)
    made.new_node(monkeypatch, "node")
    yield made
    node.node.cache_clear()
