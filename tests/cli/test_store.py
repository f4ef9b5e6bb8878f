import json
import os
import time
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from benchmark.artefacts import Artefacts, Document
from benchmark.cli.main import app


def go(*options: str) -> Any:
    return CliRunner().invoke(app, ["store", "clean", *options], catch_exceptions=False)


def filled(folder: Path, days: float) -> Artefacts:
    """A store with a failed unit and a blob that nothing names, both so old."""
    store = Artefacts(str(folder))
    store.publish(Document(key="k", status="failed", result=store.put(b"why it failed")))
    store.put(b"x" * 2048)
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - days * 86400,) * 2)
    return store


def test_it_counts_first_and_removes_when_it_is_told_to(tmp_path: Path) -> None:
    store = filled(tmp_path / "artefacts", 8)
    counted = go("-w", str(tmp_path))
    assert "1 blobs of 0.00 GiB stay" in counted.output and "1 of 0.00 GiB can go" in counted.output
    assert "--remove" in counted.output and len(list(store.place.walk("blobs"))) == 2
    removed = go("-w", str(tmp_path), "--remove")
    assert "removed 1 of 0.00 GiB" in removed.output and len(list(store.place.walk("blobs"))) == 1
    assert "nothing can go" in go("--store", str(tmp_path / "artefacts")).output


def test_json_tells_the_same(tmp_path: Path) -> None:
    filled(tmp_path / "there", 8)
    found = json.loads(go("--store", str(tmp_path / "there"), "--json", "--remove").output)
    assert found == {
        "store": str(tmp_path / "there"), "kept": 1, "kept_bytes": 13, "old": 1, "old_bytes": 2048, "removed": 1,
        "removed_bytes": 2048, "runs_alive": False,
    }  # fmt: skip


def test_younger_ones_stay_and_a_run_that_lives_is_named(tmp_path: Path) -> None:
    store = filled(tmp_path / "artefacts", 8)
    store.place.write("runs/now.json", b"{}")
    assert "nothing can go" in go("-w", str(tmp_path), "--days", "9").output
    assert "a run showed a sign of life" in go("-w", str(tmp_path)).output
