"""A Ray cluster of three nodes on the loopback, and one test's campaign on it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import yaml

from benchmark.campaign import Campaign
from benchmark.submission import Submission
from benchmark.track import Track
from tests.artefacts import s3
from tests.engine import faults
from tests.engine.faults import Book, campaign_of, run
from tests.remote.inline import facts

MARK = "KARYOBENCH_TEST_CLUSTER"
HEAD = "import sys; from tests.engine import faults; faults.main(*sys.argv[1:])"
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port that nobody uses now: other clusters of other test runs have Ray's own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Ray:
    """A cluster and the address of its head."""

    def __init__(self, book: Path, server: s3.Server) -> None:
        from ray.cluster_utils import Cluster

        self.book, self.server = book, server
        self.wanted: dict[str, Any] = {}
        port = free_port()
        head = {"num_cpus": 0, "num_gpus": 0, "dashboard_host": "127.0.0.1", "dashboard_port": port, **self.common}
        head["dashboard_agent_listen_port"] = free_port()
        self.cluster = Cluster(initialize_head=True, head_node_args={**head, "include_dashboard": True})
        self.jobs = f"http://127.0.0.1:{port}"
        self.address = str(self.cluster.address)
        self.nodes = [self.add(), self.add()]

    common: ClassVar[dict[str, Any]] = {"node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}

    def add(self) -> Any:
        """A node; the head itself runs no units."""
        return self.cluster.add_node(num_cpus=2, num_gpus=2, dashboard_agent_listen_port=free_port(), **self.common)

    def remove(self, identity: str) -> None:
        """Take a node away with all that runs on it, and put a new one in its place."""
        node = next(one for one in self.nodes if one.node_id == identity)
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self.add())


class Case:
    """One test's campaign, store and book."""

    def __init__(self, ray: Ray, root: Path, workspace: Path, track: Track, submission: Submission) -> None:
        self.ray, self.root, self.workspace, self.track, self.submission = ray, root, workspace, track, submission
        self.on(str(root / "store"))
        (submission.folder / "submission.yaml").write_text(
            "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
        )
        (root / "tiny.yaml").write_text(yaml.safe_dump(json.loads(track.model_dump_json())))
        with faults.quick():
            self.units = self.campaign.plan(["scratch", "two-stages"], None, [0, 1]).units
        self.alone = [unit for unit in self.units if unit.parent is None]
        self.roots = [unit.key for unit in self.alone]
        self.child = next(unit for unit in self.units if unit.parent)

    def on(self, store: str) -> None:
        """Use a store of this address."""
        self.store, self.book = store, Book.of(store)
        self.campaign = campaign_of(self.workspace, self.track, self.submission, store)

    def run(self, campaign: Campaign | None = None, **options: Any) -> Any:
        return run(campaign or self.campaign, self.ray.address, **options)

    def head(self, workspace: Path | None = None, pack: str = "") -> subprocess.Popen[bytes]:
        """Another head, as a program."""
        command = [
            sys.executable, "-c", HEAD, str(workspace or self.workspace), str(self.root / "tiny.yaml"),
            str(self.submission.folder), self.store, self.ray.address, pack,
        ]  # fmt: skip
        return subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )

    def other(self, name: str) -> Campaign:
        """A campaign in a workspace with the same images and nothing else."""
        shutil.copytree(self.workspace / "datasets", self.root / name / "datasets")
        return campaign_of(self.root / name, self.track, self.submission, self.store)

    def undisturbed(self) -> dict[str, Any]:
        """What a local run of the same units leaves."""
        if not self.ray.wanted:
            local = self.other("undisturbed")
            local.artefacts = None
            faults.Simulated.book = Book(self.root / "undisturbed-book")
            run(local, None, "local")
            self.ray.wanted = facts(local)
            assert len(self.ray.wanted) == len(self.units) == 8
        return dict(self.ray.wanted)

    def check(self, campaign: Campaign | None = None, extra: int = 0) -> None:
        """The undisturbed ledger; one training a unit, and those that were begun in vain."""
        campaign = campaign or self.campaign
        assert facts(campaign) == self.undisturbed()
        assert len(campaign.ledger.records()) == len(self.units) and campaign.ledger.verify() == []
        assert self.book.count("start") == len(self.units) + extra, self.book.lines()
        assert self.book.count("end") <= len(self.units) + extra
