"""A node that stands still in the middle of a unit, and comes back when another has done its work."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


def test_a_node_that_stood_still_adopts_what_another_did_meanwhile(cluster: Cluster) -> None:
    campaign = cluster.campaign()
    [unit] = campaign.todo(campaign.plan(["scratch"], ["sim-q"]))
    for name in sorted({unit.dataset}):
        campaign.store.prepared(name, campaign.track.preprocess)
    kit = pack(
        cluster.artefacts, [unit], track=campaign.track, submissions={cluster.submission.name: cluster.submission},
        weights={}, store=campaign.store, sandbox="counting", device="cpu", threads=1, beat=0.2,
    )  # fmt: skip

    def node(name: str, hold: bool = False) -> tuple[Path, subprocess.Popen[str]]:
        folder = cluster.root / name
        folder.mkdir()
        if hold:
            (folder / "hold").touch()
        arguments = [str(folder), cluster.artefacts.address, kit, json.dumps(vars(unit))]
        environment = {**os.environ, "KARYOBENCH_NODE_CACHE": str(folder / "cache"), "PYTHONPATH": os.getcwd()}
        command = [sys.executable, "-c", NODE, *arguments]
        return folder, subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    frozen, first = node("frozen", hold=True)
    until = time.monotonic() + 90
    while not (frozen / "began").exists() and time.monotonic() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)
    try:
        other, second = node("other")
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
