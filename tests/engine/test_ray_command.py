"""`karyobench run --engine ray` with real training: the same logits as a local run, to the bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.ledger import Ledger
from benchmark.submission import Submission
from benchmark.track import Track

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed"),
]


def test_a_ray_of_its_own_trains_what_a_local_run_trains_and_a_second_run_nothing(
    workspace: Path, tmp_path: Path, tiny_track: Track, tiny_submission: Submission
) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(json.loads(tiny_track.model_dump_json())))
    (tiny_submission.folder / "submission.yaml").write_text(
        "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )

    def run(*options: str) -> Any:
        command = [
            sys.executable, "-m", "benchmark", "run", str(tiny_submission.folder), "-t", str(tmp_path / "tiny.yaml"),
            "-p", "scratch", "-w", str(workspace), "--jobs", "2", "--json", *options,
        ]  # fmt: skip
        environment = {**os.environ, "KARYOBENCH_NODE_CACHE": str(tmp_path / "node")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = run("--engine", "ray")
    assert len(first["trained"]) == 2 and {r["status"] for r in first["records"]} == {"scored"}
    assert all(r["sandbox"] == "process" and r["environment"]["threads"] == 1 for r in first["records"])
    assert Ledger(workspace / "ledger").verify() == []
    assert run("--engine", "ray")["trained"] == [], "nothing is trained twice, and no Ray is started for nothing"
    (workspace / "ledger").rename(workspace / "ledger-of-ray")
    second = run()
    same = ("key", "predictions", "scores", "checkpoint", "submission", "dataset")
    assert sorted([r[name] for name in same] for r in first["records"]) == sorted(
        [r[name] for name in same] for r in second["records"]
    )
