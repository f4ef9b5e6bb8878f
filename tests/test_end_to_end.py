"""The main job with real workers on tiny images: run, kill, resume, reproduce."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark.campaign import Campaign
from benchmark.findings import summary
from benchmark.ledger import Ledger
from benchmark.results import Results
from benchmark.submission import Submission, load
from benchmark.track import Track

pytestmark = pytest.mark.slow


def quiet(unit: Any, line: dict[str, Any]) -> None:
    pass


def logits(ledger: Ledger) -> dict[str, np.ndarray]:
    return {r["key"]: ledger.predictions(r) for r in ledger.records()}


@pytest.fixture
def track_file(tmp_path: Path, tiny_track: Track) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(json.loads(tiny_track.model_dump_json())))
    return path


def test_three_protocols_on_two_targets(workspace: Path, tiny_track: Track) -> None:
    """Real ImageNet weights through both stains; six trainings, and nothing twice."""
    campaign = Campaign(workspace, tiny_track, [load("tf-efficientnet-lite0")], fetch=False)
    plan = campaign.plan()
    assert plan.blocked() == {} and len(plan.units) == 6
    trained = campaign.run(campaign.todo(plan), quiet)
    assert len(trained) == 6 and all(record["status"] == "scored" for _, record in trained)
    assert campaign.todo(plan) == [] and campaign.ledger.verify() == []
    rows = summary(Results(campaign.ledger), "imagenet")
    assert [(row["target"], sorted(row["protocols"])) for row in rows] == [
        (target, ["imagenet", "scratch", "two-step"]) for target in ("sim-g", "sim-q")
    ]
    record = campaign.ledger.by_key()[plan.classifiers["tf-efficientnet-lite0", "two-step", "sim-q", 0, 0]]
    assert record["environment"]["nondeterministic"] == [] and record["environment"]["threads"] == 1
    assert len(record["log"]) == tiny_track.recipe.epochs and record["peak_bytes"] > 0
    assert record["submission"]["pinned"] and len(record["weights"]) == 64


def test_the_same_key_gives_the_same_logits_to_the_bit(
    workspace: Path, tmp_path: Path, tiny_track: Track, tiny_submission: Submission
) -> None:
    """In two workspaces, whose secrets permute the test images differently."""
    other = tmp_path / "other"
    shutil.copytree(workspace, other)
    found = []
    for folder in (workspace, other):
        campaign = Campaign(folder, tiny_track, [tiny_submission])
        plan = campaign.plan(["scratch"], ["sim-g"])
        campaign.run(campaign.todo(plan), quiet, threads=1)
        found.append(logits(campaign.ledger))
    assert (workspace / "secret").read_bytes() != (other / "secret").read_bytes()
    assert found[0].keys() == found[1].keys() and len(found[0]) == 1
    assert all((found[0][key] == found[1][key]).all() for key in found[0])


FAILING = {
    "nan": ("nan", "def forward(self, x):\n        return self.layer(x.flatten(1)) * float('nan')"),
    "error": ("error", "def forward(self, x):\n        raise ValueError('no such layer')"),
    "exit": ("crash", "def forward(self, x):\n        import os; os._exit(0 if self.training else 3)"),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_failing_model_is_recorded_and_not_tried_again(
    kind: str, workspace: Path, tiny_track: Track, tmp_path: Path
) -> None:
    name, forward = FAILING[kind]
    folder = tmp_path / "failing-net"
    folder.mkdir()
    (folder / "model.py").write_text(
        "import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        self.layer = nn.Linear(3 * 32 * 32, n)\n        self.calls = 0\n\n"
        f"    def inner(self, x):\n        return self.layer(x.flatten(1))\n\n    {forward.replace('forward', 'late')}\n\n"
        "    def forward(self, x):\n        self.calls += 1\n        return self.inner(x) if self.calls < 4 else self.late(x)\n\n"
        "def build(num_classes, in_chans, img_size):\n    return Net(num_classes)\n"
    )
    (folder / "submission.yaml").write_text(
        "name: failing-net\ntitle: Fails\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )
    campaign = Campaign(workspace, tiny_track, [load(folder)])
    plan = campaign.plan(["scratch"], ["sim-g"])
    [(_, record)] = campaign.run(campaign.todo(plan), quiet, threads=1)
    assert record["status"] == "failed"
    assert record["failure"]["kind"] in (name, "bad-output"), record["failure"]
    assert campaign.todo(plan) == [] and len(campaign.todo(plan, retry_failed=True)) == 1


def command(workspace: Path, track_file: Path, submission: Path) -> list[str]:
    return [
        sys.executable, "-m", "benchmark", "run", str(submission), "--track", str(track_file), "-p", "scratch",
        "-f", "0", "-f", "1", "--threads", "1", "--device", "cpu", "--workspace", str(workspace),
    ]  # fmt: skip


def workers_of(workspace: Path) -> list[str]:
    """Workers in a workspace, and hosts that lost their harness, that are still there after five seconds at most."""
    found: list[str] = []
    for _ in range(100):
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line, place = path.read_bytes(), os.readlink(path.with_name("cwd"))
                variables = path.with_name("environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"benchmark.start_worker" in line:
                harness = next(
                    (v.split(b"=")[1].decode() for v in variables if v.startswith(b"KARYOBENCH_HARNESS=")), ""
                )
                if place.startswith(str(workspace)) or not Path(f"/proc/{harness}").exists():
                    found.append(f"{line.decode()} in {place}")
        if not found:
            return []
        time.sleep(0.05)
    return found


def test_killed_at_random_moments_it_ends_with_the_same_ledger(
    workspace: Path, tmp_path: Path, track_file: Path, tiny_submission: Submission
) -> None:
    folder = tiny_submission.folder
    (folder / "submission.yaml").write_text(
        "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(workspace, undisturbed)
    started = time.monotonic()
    subprocess.run(command(undisturbed, track_file, folder), check=True, capture_output=True)
    whole = time.monotonic() - started

    chance = random.Random(4)
    kills = 0
    for _ in range(60):
        harness = subprocess.Popen(
            command(workspace, track_file, folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            out, _ = harness.communicate(timeout=chance.uniform(0.1, 0.5) * whole if kills < 6 else None)
        except subprocess.TimeoutExpired:
            os.killpg(harness.pid, signal.SIGKILL)
            harness.wait()
            kills += 1
            assert not workers_of(workspace), "a worker outlived its harness"
            continue
        assert harness.returncode == 0, out.decode()
        break
    assert kills >= 3, "the run must be disturbed, else this shows nothing"
    first, second = Ledger(undisturbed / "ledger"), Ledger(workspace / "ledger")
    assert second.verify() == []
    wanted, found = logits(first), logits(second)
    assert wanted.keys() == found.keys() and len(found) == 4
    assert all((wanted[key] == found[key]).all() for key in wanted)
    assert {r["key"]: r["scores"] for r in first.records()} == {r["key"]: r["scores"] for r in second.records()}


def test_ctrl_c_ends_a_run_at_once(workspace: Path, track_file: Path, tiny_submission: Submission) -> None:
    (tiny_submission.folder / "submission.yaml").write_text(
        "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )
    (tiny_submission.folder / "model.py").write_text("import time\n\n\ndef build(**kwargs):\n    time.sleep(600)\n")
    harness = subprocess.Popen(
        command(workspace, track_file, tiny_submission.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
        start_new_session=True,
    )
    for _ in range(1200):  # a busy machine takes its time to start; what is tested is how soon it ends
        if workers_of(workspace):
            break
        time.sleep(0.1)
    assert workers_of(workspace)
    time.sleep(2)
    harness.send_signal(signal.SIGINT)
    out, _ = harness.communicate(timeout=60)
    assert harness.returncode == 130 and b"the same command continues" in out, out.decode()
    assert not workers_of(workspace) and Ledger(workspace / "ledger").records() == []


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk needs root")
def test_a_full_disk_is_a_clear_error_and_nothing_is_lost(
    workspace: Path, tmp_path: Path, track_file: Path, tiny_submission: Submission
) -> None:
    (tiny_submission.folder / "submission.yaml").write_text(
        "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this system does not let root mount a tmpfs")
    try:
        small = disk / "workspace"
        shutil.copytree(workspace, small)
        filler = disk / "filler"
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        filler.write_bytes(b"x" * max(0, free - 300_000))
        run = subprocess.run(command(small, track_file, tiny_submission.folder), capture_output=True, text=True)
        assert run.returncode == 4, run.stderr
        assert "disk is full" in run.stderr and "Traceback" not in run.stderr
        assert Ledger(small / "ledger").verify() == []
        filler.unlink()
        done = subprocess.run(command(small, track_file, tiny_submission.folder), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert len(Ledger(small / "ledger").records()) == 4 and Ledger(small / "ledger").verify() == []
    finally:
        time.sleep(0.2)
        subprocess.run(["umount", "-l", str(disk)], check=True)
