"""What the attacks are run with: one small workspace, the docker sandbox with small limits, and eyes on the host."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from benchmark.campaign import Campaign
from benchmark.data.store import Prepared, Store
from benchmark.errors import KaryoError
from benchmark.sandbox import SANDBOXES, Limits, Outcome
from benchmark.sandbox.base import EpochReport
from benchmark.sandbox.docker import DockerSandbox
from benchmark.sandbox.image import daemon, find
from benchmark.sandbox.owner import OWNER, owner
from benchmark.submission import Submission, load
from benchmark.track import Track

MIB = 1 << 20
SMALL = {"memory": 1536 * MIB, "output": 64 * MIB, "scratch": 64 * MIB, "shared": 64 * MIB, "processes": 128}


class Watched(DockerSandbox):
    """The docker sandbox with small limits; keeps what units printed, and sees whether their inputs stay as they were."""

    name = "docker"
    printed: ClassVar[dict[str, str]] = {}
    seconds: ClassVar[dict[str, float]] = {}
    """Time of a unit, by key, where it is not the track's."""

    def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        before, key = fingerprint(inputs), json.loads((inputs / "job.json").read_text())["key"]
        small = replace(limits, seconds=self.seconds.get(key, limits.seconds), **SMALL)
        outcome = super().run(inputs, output, small, report)
        assert fingerprint(inputs) == before, "the inputs were changed"
        log = output / "worker.log"
        self.printed[key] = log.read_bytes().decode(errors="replace") if log.is_file() else ""
        return outcome


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of every file."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def leftovers() -> list[str]:
    """Containers and volumes of this process."""
    with daemon() as client:
        containers = client.containers.list(all=True, ignore_removed=True, filters={"label": f"{OWNER}={owner()}"})
        volumes = client.volumes.list(filters={"label": f"{OWNER}={owner()}"})
    return [one.name for one in [*containers, *volumes]]


@dataclass
class Ended:
    """One unit of an attack: its record and what it printed."""

    record: dict[str, Any]
    printed: str
    progress: list[dict[str, Any]]

    @property
    def failure(self) -> str:
        """Kind of its failure; empty when it was scored."""
        return self.record["failure"]["kind"] if self.record["status"] == "failed" else ""

    @property
    def found(self) -> dict[str, Any]:
        """The one line of JSON that it printed."""
        [line] = [line for line in self.printed.splitlines() if line.startswith("{")]
        told: dict[str, Any] = json.loads(line)
        return told


@dataclass
class Arena:
    """Runs attacks as units of one campaign and looks at the host afterwards."""

    workspace: Path
    track: Track
    honest: Ended | None = None
    salt: int = 0

    def run(
        self, *submissions: Submission, targets: tuple[str, ...] = ("sim-q",), seconds: float | None = None
    ) -> list[Ended]:
        """Run one unit of every submission and target, two at once.

        Args:
            submissions: of different names.
            targets: data sets.
            seconds: time of an attack, where it is not the track's; an honest unit always has that.
        """
        lines: dict[str, list[dict[str, Any]]] = {}
        campaign = Campaign(self.workspace, self.track, submissions)
        todo = campaign.todo(campaign.plan(["scratch"], targets))
        assert len(todo) == len(submissions) * len(targets), "each attack is a unit that was not run before"
        if seconds:
            Watched.seconds |= {unit.key: seconds for unit in todo if not unit.submission.startswith("honest")}
        campaign.run(todo, lambda unit, line: lines.setdefault(unit.key, []).append(line), sandbox="docker", jobs=2)
        assert leftovers() == []
        assert campaign.ledger.verify() == [] and campaign.todo(campaign.plan(["scratch"], targets)) == []
        records = campaign.ledger.by_key()
        return [Ended(records[unit.key], Watched.printed[unit.key], lines.get(unit.key, [])) for unit in todo]

    def attack(self, name: str, **arguments: Any) -> Ended:
        """Run one attack."""
        return self.run(self.one(name, **arguments))[0]

    def beside(self, *attacks: Submission, seconds: float | None = None) -> list[Ended]:
        """Run attacks and then an honest unit, which must not notice."""
        self.salt += 1
        *ended, honest = self.run(*attacks, self.one("honest", salt=self.salt), seconds=seconds)
        assert self.like_honest(honest), "the harness must go on"
        return ended

    def like_honest(self, ended: Ended) -> bool:
        """Whether its logits are those of the honest unit, to the bit."""
        assert self.honest is not None and self.honest.failure == ""
        return ended.failure == "" and bool(ended.record["predictions"] == self.honest.record["predictions"])

    def prepared(self, name: str) -> Prepared:
        """A data set at the track's size."""
        return Store(self.workspace).prepared(name, self.track.preprocess)

    @staticmethod
    def folder(name: str) -> Path:
        """Where an attack lies."""
        return Path(__file__).parent / name

    @staticmethod
    def one(name: str, number: int | None = None, /, **arguments: Any) -> Submission:
        """An attack, with arguments for its `build`; a number tells several of one campaign apart."""
        loaded = load(Arena.folder(name))
        model = loaded.spec.model.model_copy(update={"kwargs": arguments})
        named = name if number is None else f"{name}-{number}"
        return replace(loaded, spec=loaded.spec.model_copy(update={"model": model, "name": named}))

    @staticmethod
    def code(name: str) -> ModuleType:
        """The code of an attack, to try its search where there is something to find."""
        spec = importlib.util.spec_from_file_location(name.replace("-", "_"), Arena.folder(name) / "model.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @staticmethod
    def running(marker: str) -> list[int]:
        """Processes of this machine with some words in their command line."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if marker.encode() in path.read_bytes():
                    found.append(int(path.parent.name))
        return found


@pytest.fixture(scope="session")
def image() -> None:
    """An image of the present sources; skips where there is none, or fails where the environment says there must be."""
    try:
        find(os.environ.get("KARYOBENCH_IMAGE") or None)
    except KaryoError as error:
        if os.environ.get("KARYOBENCH_REQUIRE_DOCKER"):
            pytest.fail(f"KARYOBENCH_REQUIRE_DOCKER is set, and units cannot run in containers: {error}")
        pytest.skip(f"units cannot run in containers here: {error}")


@pytest.fixture(scope="module")
def shared() -> dict[str, Arena]:
    """What the tests of a module keep between them."""
    return {}


@pytest.fixture
def arena(
    image: None,
    shared: dict[str, Arena],
    tiny_track: Track,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Arena]:
    """The module's arena, one workspace for all tests; data sets and secret must be the same after each."""
    monkeypatch.setitem(SANDBOXES, "docker", Watched)
    if "arena" not in shared:
        shared["arena"] = Arena(request.getfixturevalue("workspace"), tiny_track)
        shared["arena"].honest = shared["arena"].attack("honest")
    found = shared["arena"]
    before = kept(found.workspace)
    yield found
    assert kept(found.workspace) == before, "the workspace was changed"


def kept(workspace: Path) -> dict[str, Any]:
    """What no run may change."""
    return {name: hashed for name, hashed in fingerprint(workspace).items() if name.startswith(("datasets", "secret"))}
