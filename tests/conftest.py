"""What many tests share: a tiny workspace of made-up chromosomes and a tiny submission."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmark import track as tracks
from benchmark.campaign import Campaign
from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, Entry, Manifest
from benchmark.data.store import Store
from benchmark.engine.ray import CLOSED, QUIET
from benchmark.job import Job
from benchmark.ledger import Ledger
from benchmark.sandbox import SANDBOXES, Limits, Outcome, Sandbox, process
from benchmark.sandbox.hosts import Host, Servers
from benchmark.scoring import score
from benchmark.submission import Spec, Submission
from benchmark.track import Track

hypothesis.settings.register_profile("same-everywhere", deadline=None, derandomize=True)
hypothesis.settings.load_profile("same-everywhere")
"""A property holds or fails the same way on every machine; `--hypothesis-profile=default` looks for new examples."""

os.environ.update(CLOSED | QUIET)  # Ray reads them when it is imported, whichever test does that first
ARCHIVES = os.environ.get("KARYOBENCH_ARCHIVES") or str(Path(__file__).parents[2] / "shared" / "data")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test come first, so that none of these is begun when the other processes are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's memory of figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KARYOBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


class KeptHosts(Servers[Host]):
    """Hosts that the process sandboxes of all tests of this process share: each takes seconds to import torch."""

    def close(self) -> None:
        """Nothing: see `end`."""

    def end(self) -> None:
        super().close()


@pytest.fixture(scope="session", autouse=True)
def _kept_hosts() -> Iterator[None]:
    """Sandboxes do not end their hosts; tests/sandbox has its own, and commands in processes of their own do."""
    kept = KeptHosts(Host, "benchmark.start_worker")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "Servers", lambda kind, module: kept if kind is Host else Servers(kind, module))
        yield
    kept.end()


@pytest.fixture(scope="session")
def archives() -> Path:
    """Folder of the real archives; skips where it is absent."""
    folder = Path(ARCHIVES)
    if not (folder / "bioimlab_qband.zip").is_file():
        pytest.skip("the real archives are not here: set KARYOBENCH_ARCHIVES to their folder")
    return folder


def tiny_pixels(label: int, cell: int, stain: str) -> np.ndarray:
    """A bar whose length and bands tell its class."""
    random = np.random.default_rng([label, cell])
    height = 40 - label
    bands = 120 + 100 * np.sin(np.arange(height) * (0.2 + 0.08 * label)) + random.normal(0, 4, height)
    crop = np.zeros((height + 6, 16), dtype=np.uint8)
    crop[3:-3, 4:12] = np.clip(bands, 40, 255)[:, None]
    return crop if stain == "Q" else 255 - crop


def tiny_manifest(stain: str, cells: int = 10) -> tuple[Manifest, dict[str, np.ndarray]]:
    """One image a class and cell; every cell its own case."""
    entries, pixels = [], {}
    for cell in range(cells):
        for number, label in enumerate(CLASSES):
            name, crop = f"c{cell}-{number:02d}", tiny_pixels(number, cell, stain)
            pixels[name] = crop
            height, width = crop.shape
            fold, validation_of = cell % 5, (cell - 1) % 5 if cell >= 5 else -1
            case, sha = f"p{cell}", manifests.pixel_hash(crop)
            entries.append(Entry(name, label, f"c{cell}", case, width, height, sha, fold, validation_of))
    return manifests.build(entries, "case"), pixels


@pytest.fixture(scope="session")
def _made_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every test gets a copy of."""
    folder = tmp_path_factory.mktemp("made") / "workspace"
    for name, stain in (("sim-q", "Q"), ("sim-g", "G")):
        Store(folder).write(cards.load(name), *tiny_manifest(stain))
    return folder


@pytest.fixture
def workspace(_made_workspace: Path, tmp_path: Path) -> Path:
    """A workspace in which `sim-q` and `sim-g` are tiny."""
    return shutil.copytree(_made_workspace, tmp_path / "workspace")


def made_track() -> Track:
    """See the fixture `tiny_track`."""
    smoke = tracks.load("smoke")
    recipe = smoke.recipe.model_copy(update={"epochs": 2, "batch_size": 16})
    preprocess = smoke.preprocess.model_copy(update={"size": 32})
    return smoke.model_copy(update={"name": "tiny", "recipe": recipe, "preprocess": preprocess, "timeout": 300})


@pytest.fixture
def tiny_track() -> Track:
    """The smoke track at 32 pixels and two epochs."""
    return made_track()


@pytest.fixture
def tiny_submission(tmp_path: Path) -> Submission:
    """A linear network of the submitter's own, without weights."""
    return made_submission(tmp_path)


def made_submission(place: Path) -> Submission:
    """See the fixture `tiny_submission`."""
    folder = place / "tiny-net"
    folder.mkdir()
    code = folder / "model.py"
    code.write_text(TINY_MODEL)
    spec = {
        "name": "tiny-net", "title": "Tiny", "paper": "https://example.org", "license": "MIT",
        "model": {"factory": "model.py:build"},
    }  # fmt: skip
    return Submission(Spec.model_validate(spec), folder, (code,))


TINY_MODEL = """
from torch import nn

def build(num_classes, in_chans, img_size):
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(in_chans * (img_size // 2) ** 2, num_classes))
"""


class NearestSandbox(Sandbox):
    """Answers at once, with the distance to the mean training image of each class."""

    name = "nearest"

    def run(self, inputs: Path, output: Path, limits: Limits, report: Any) -> Outcome:
        job = Job.model_validate_json((inputs / "job.json").read_text())
        train, labels, test = (np.load(inputs / f"{n}.npy").astype(float) for n in ("train", "train_labels", "test"))
        means = np.stack([train[labels == c].mean(0).ravel() for c in range(job.classes)])
        distance = ((test.reshape(len(test), 1, -1) - means) ** 2).mean(-1)
        np.save(output / "logits.npy", (-distance / 100).astype(np.float32))
        save_file({"means": means.astype(np.float32)}, output / "model.safetensors")
        (output / "log.jsonl").write_text("".join(f'{{"epoch": {n + 1}}}\n' for n in range(job.epochs)))
        (output / "environment.json").write_text("{}")
        report({"epoch": job.epochs, "epochs": job.epochs})
        return Outcome("finished", seconds=3.0, peak_bytes=10)


@pytest.fixture
def nearest(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a sandbox that needs no training."""
    monkeypatch.setitem(SANDBOXES, "nearest", NearestSandbox)
    return "nearest"


@pytest.fixture(scope="session")
def _scored_workspace(_made_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace after the run of `scored_ledger`, which every test gets a copy of."""
    place = tmp_path_factory.mktemp("scored")
    workspace = shutil.copytree(_made_workspace, place / "workspace")
    campaign = Campaign(workspace, made_track(), [made_submission(place)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SANDBOXES, "nearest", NearestSandbox)
        campaign.run(campaign.todo(campaign.plan(["scratch"])), lambda unit, line: None, sandbox="nearest")
    return workspace


@pytest.fixture
def scored_ledger(
    _scored_workspace: Path, workspace: Path, tiny_track: Track, tiny_submission: Submission, nearest: str
) -> Ledger:
    """A ledger with the tiny submission, from scratch on both targets."""
    shutil.copytree(_scored_workspace, workspace, dirs_exist_ok=True)
    return Ledger(workspace / "ledger")


def _manifest() -> Manifest:
    entries = [
        Entry(f"c{cell:02d}-{number:02d}", label, f"c{cell:02d}", "", 4, 4, "0" * 64, cell % 5, -1)
        for cell in range(25)
        for number, label in enumerate(CLASSES)
    ]
    return manifests.build(entries, "cell")


TRACK = {
    "name": "t", "title": "A track", "description": "Of made-up cells.", "simulated": False, "folds": [0, 1, 2, 3, 4],
    "repeats": 2, "preprocess": {"size": 32}, "recipe": {"epochs": 2},
    "pairs": [{"target": "tiny", "source": "other"}, {"target": "other", "source": "tiny"}],
}  # fmt: skip


@pytest.fixture
def blank_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The charts of a board are named and not drawn, which takes a second each; tests/board/pictures draws them."""
    from benchmark.board.pictures import bundle
    from tests.board import made

    monkeypatch.setattr(bundle, "files", made.blank)


class Maker:
    """Writes records of made-up classifiers with a given skill."""

    def fill(self, repeats: int = 2, name: str = "net", target: str = "tiny", **skills: float) -> None:
        """Five folds of every protocol named (`two_step=0.9`)."""
        for arm, skill in skills.items():
            for repeat in range(repeats):
                for fold in range(5):
                    self.add(arm.replace("_", "-"), fold, repeat, skill, name, target=target)

    def __init__(self, folder: Path) -> None:
        self.ledger, self.manifest, self.said = Ledger(folder), _manifest(), {}

    def add(
        self,
        arm: str,
        fold: int,
        repeat: int = 0,
        skill: float = 0.8,
        name: str = "net",
        failed: bool = False,
        target: str = "tiny",
        family: str = "other",
        stored: np.ndarray | None = None,
        **changes: Any,
    ) -> None:
        found = self.manifest
        truth = found.labels[found.part(fold, "test")]
        random = np.random.default_rng([fold, repeat, len(target), *arm.encode(), *name.encode()])
        said = np.where(random.random(len(truth)) < skill, truth, random.integers(0, 24, len(truth)))
        key = f"{name}-{arm}-{target}-{fold}-{repeat}-{len(self.ledger.records())}"
        self.said[arm, fold, repeat] = (truth, said)
        stored = (np.eye(24)[said] * 5).astype(np.float16) if stored is None else stored.astype(np.float16)
        self.ledger.put_manifest(found)
        self.ledger.put_document("submissions", family, {"name": name, "family": family})
        self.ledger.put_document("tracks", "d", TRACK)
        record = {
            "key": key, "arm": arm, "fold": fold, "repeat": repeat, "status": "failed" if failed else "scored",
            "submission": {"name": name, "model": "m", "code": None, "pinned": True, "document": family},
            "track": {"name": "t", "digest": "d", "simulated": False},
            "dataset": {"name": target, "manifest": found.digest, "group": "cell"},
            "weights": None, "seconds": 1.0, "predictions": {"sha256": self.ledger.put_predictions(key, stored), "images": len(stored)},
            "ended": f"2026-01-{1 + len(self.ledger.records()) // 20:02d}T12:00:00+00:00", "scores": score(stored, found, fold), "failure": {"kind": "nan", "message": "x"} if failed else None,
        }  # fmt: skip
        self.ledger.append({**record, **changes})


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "ledger")
