"""The control service of a Ray cluster (GCS) is killed in the middle of a run, and the cluster is started anew."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.artefacts import Artefacts
from benchmark.engine.ray import CLOSED, QUIET
from benchmark.submission import Submission
from benchmark.track import Track
from tests.engine import faults
from tests.engine.faults import BOOK
from tests.engine.ray_cluster import ROOT, Case, Ray, free_port

pytestmark = pytest.mark.slow

CLUSTER = """
import sys
from ray.cluster_utils import Cluster

port, agent, node, common = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), eval(sys.argv[4])
head = {"num_cpus": 0, "dashboard_host": "127.0.0.1", "dashboard_port": port, "dashboard_agent_listen_port": agent}
cluster = Cluster(initialize_head=True, head_node_args={**head, **common})
cluster.add_node(num_cpus=2, num_gpus=2, dashboard_agent_listen_port=node, **common)
print("at", cluster.address, flush=True)
if sys.stdin.readline().strip() == "kill":
    cluster.head_node.kill_gcs_server()
    print("killed", flush=True)
    sys.stdin.readline()
cluster.shutdown()
"""
"""A program of its own: Ray ends every process that was connected to a GCS that stays away."""

AWAY = "RAY_gcs_rpc_server_reconnect_timeout_s"


class Program:
    """A cluster of one node for units, beside its head."""

    def __init__(self) -> None:
        ports = [str(free_port()) for _ in range(3)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER, *ports, repr(Ray.common)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        )  # fmt: skip
        self.address = self.said("at").split()[1]

    def said(self, word: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(word):
                return line
        raise AssertionError(f"the cluster ended before it said {word!r}")

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        try:
            self.tell("end")
            self.process.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Program]]:
    if find_spec("ray") is None:
        pytest.skip("the extra ray is not installed")
    for name, value in {**CLOSED, **QUIET, BOOK: str(tmp_path / "book"), AWAY: "5", "PYTHONPATH": str(ROOT)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KARYOBENCH_TEST_CLUSTER", uuid.uuid4().hex)
    made: list[Program] = []
    yield made
    for one in made:
        one.end()


@pytest.mark.parametrize("pack", ["", "4"])
def test_a_cluster_whose_gcs_was_killed_is_started_again_and_the_same_command_goes_on(
    programs: list[Program], pack: str, tmp_path: Path, workspace: Path, tiny_track: Track, tiny_submission: Submission
) -> None:
    programs.append(Program())
    ray: Any = SimpleNamespace(address=programs[0].address, wanted={})
    case = Case(ray, tmp_path, workspace, tiny_track, tiny_submission)
    hold = case.book.tell("hold", case.roots[0])
    head = case.head(pack=pack)
    case.book.wait("start", case.roots[0])
    case.book.wait("end", count=2)
    programs[0].tell("kill")
    programs[0].said("killed")
    out, _ = head.communicate(timeout=faults.DEADLINE)
    assert head.returncode != 0, "Ray ends a head whose GCS stays away"
    programs[0].end()
    finished = Artefacts(case.store).finished()
    assert finished, out.decode()
    hold.unlink()
    programs.append(Program())
    ray.address = programs[1].address
    again = case.head(pack=pack)
    out, _ = again.communicate(timeout=faults.DEADLINE)
    assert again.returncode == 0, out.decode()
    assert all(case.book.count("start", key) == 1 for key in finished), "nothing finished is trained twice"
    case.check(extra=case.book.count("start") - len(case.units))
