"""Two nodes with one unit: at the same time, or when the first stands still in the middle of it and comes back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.plan import Unit
from benchmark.remote import pack
from tests.remote.conftest import Cluster

pytestmark = pytest.mark.slow

NODE = """
import json, os, sys, time
from pathlib import Path
from benchmark.plan import Unit
from benchmark.remote import execute
from benchmark.sandbox import SANDBOXES
from tests.remote.inline import Counting

folder, address, kit, unit = Path(sys.argv[1]), *sys.argv[2:]

def wait(inputs):
    (folder / "began").touch()
    while (folder / "hold").exists():
        time.sleep(0.02)

Counting.during = staticmethod(wait)
SANDBOXES["counting"] = Counting
fields = json.loads(unit)
print(json.dumps(execute(address, kit, Unit(**{**fields, "chain": tuple(fields["chain"])}))))
"""


@pytest.fixture
def unit(cluster: Cluster) -> Unit:
    campaign = cluster.campaign()
    [found] = campaign.todo(campaign.plan(["scratch"], ["sim-q"]))
    campaign.store.prepared(found.dataset, campaign.track.preprocess)
    return found


Start = Callable[..., tuple[Path, "subprocess.Popen[str]"]]


@pytest.fixture
def start(cluster: Cluster, unit: Unit) -> Start:
    """Starts a process that runs the unit as a node; one that is told to hold waits in the training."""
    campaign = cluster.campaign()
    kit = pack(
        cluster.artefacts, [unit], track=campaign.track, submissions={cluster.submission.name: cluster.submission},
        weights={}, store=campaign.store, sandbox="counting", device="cpu", threads=1, beat=0.2,
    )  # fmt: skip

    def node(name: str, hold: bool = False) -> tuple[Path, subprocess.Popen[str]]:
        folder = cluster.root / name
        folder.mkdir(exist_ok=True)
        if hold:
            (folder / "hold").touch()
        arguments = [str(folder), cluster.artefacts.address, kit, json.dumps(vars(unit))]
        environment = {**os.environ, "KARYOBENCH_NODE_CACHE": str(folder / "cache"), "PYTHONPATH": os.getcwd()}
        command = [sys.executable, "-c", NODE, *arguments]
        pipe = subprocess.PIPE
        return folder, subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)

    return node


def wait_for(path: Path) -> None:
    until = time.monotonic() + 90
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)


def test_two_tasks_of_one_unit_at_once_train_it_once(cluster: Cluster, unit: Unit, start: Start) -> None:
    """As when an engine hands a unit out twice: the second is told who has it, and later gets the first one's result."""
    one, first = start("one", hold=True)
    wait_for(one / "began")
    other, second = start("other")
    _, error = second.communicate(timeout=90)
    assert second.returncode != 0 and "TakenError" in error and not (other / "began").exists()
    assert first.poll() is None and cluster.artefacts.document(unit.key) is None
    (one / "hold").unlink()
    said, _ = first.communicate(timeout=90)
    assert first.returncode == 0
    _, again = start("other")
    late, _ = again.communicate(timeout=90)
    assert again.returncode == 0 and json.loads(late) == json.loads(said) and not (other / "began").exists()


def test_a_node_that_stood_still_adopts_what_another_did_meanwhile(cluster: Cluster, unit: Unit, start: Start) -> None:
    frozen, first = start("frozen", hold=True)
    wait_for(frozen / "began")
    first.send_signal(signal.SIGSTOP)
    try:
        other, second = start("other")
        said, _ = second.communicate(timeout=90)
        assert second.returncode == 0 and (other / "began").exists(), "it took the unit over and trained it"
        document = cluster.artefacts.document(unit.key)
        assert document is not None and json.loads(said) == document.model_dump(mode="json")
    finally:
        (frozen / "hold").unlink()
        first.send_signal(signal.SIGCONT)
    late, _ = first.communicate(timeout=90)
    assert first.returncode == 0 and json.loads(late) == json.loads(said), "the loser adopts the winner's"
    assert cluster.artefacts.document(unit.key) == document
