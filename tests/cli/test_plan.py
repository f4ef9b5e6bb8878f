import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from benchmark.cli.main import app
from benchmark.errors import InputError
from benchmark.submission import Submission
from benchmark.track import Track


@pytest.fixture
def go(workspace: Path, tmp_path: Path, tiny_track: Track, tiny_submission: Submission, nearest: str) -> Any:
    (tmp_path / "tiny.yaml").write_text(
        yaml.safe_dump(json.loads(tiny_track.model_copy(update={"folds": (0, 1, 2, 3, 4)}).model_dump_json()))
    )
    (tiny_submission.folder / "submission.yaml").write_text(
        "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )

    def call(command: str, *options: str) -> str:
        where = ["-w", str(workspace), "-t", str(tmp_path / "tiny.yaml"), "-p", "scratch", str(tiny_submission.folder)]
        where += ["--sandbox", nearest, "--device", "cpu"] if command == "run" else []
        result = CliRunner().invoke(app, [command, *where, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_before_anything_was_timed_the_cost_is_not_known(go: Any) -> None:
    assert "time: not known: nothing was timed on such a device yet (karyobench plan ... --measure)" in go("plan")
    found = json.loads(go("plan", "--json"))["cost"]
    assert (found["wall_seconds"], found["processor_hours"], found["not_timed"]) == (None, None, ["tiny-net"])


def test_what_was_timed_on_one_machine_tells_the_cost_on_many(go: Any) -> None:
    go("run", "-f", "0", "-f", "1", "--jobs", "2")
    found = json.loads(go("plan", "--engine", "ray", "--jobs", "3", "--threads", "2", "--json"))
    assert (found["done"], found["todo"]) == (4, 6)
    cost = found["cost"]
    assert (cost["engine"], cost["device"], cost["at_once"], cost["timed_units"]) == ("ray", "cpu", 3, {"tiny-net": 4})
    assert cost["wall_seconds"] == {"value": 6.0, "low": 6.0, "high": 6.0}, "every unit says that it took 3 s"
    assert cost["processor_hours"]["value"] == pytest.approx(6 * 3.0 * 2 / 3600)
    assert cost["overhead"] == {"startup": 0.0, "each": 0.0, "run": None}
    text = go("plan", "--jobs", "1")
    assert "(local, 1 at once)" in text and "start and handling as in run 20" in text
    assert "from: 4 timed units (4 on unnamed device)" in text and "processor-hours" in text


def test_units_timed_on_a_processor_say_nothing_of_a_gpu(go: Any) -> None:
    go("run", "-f", "0")
    text = go("plan", "--engine", "slurm", "--gpus", "8", "--gpus-per-unit", "0.5")
    assert "time: not known: nothing was timed on such a device yet" in text and "--measure" not in text
    cost = json.loads(go("plan", "--engine", "slurm", "--gpus", "8", "--gpus-per-unit", "0.5", "--json"))["cost"]
    assert (cost["at_once"], cost["device"], cost["gpu_hours"]) == (16, "cuda", None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "steam"], "no such engine; found 'steam'; allowed: local, ray, slurm"),
        (["--engine", "ray"], "how large is the cluster"),
        (["--gpus", "2", "--gpus-per-unit", "1.5"], "not so many units on so many GPUs"),
    ],
)
def test_what_cannot_be_planned_is_an_error(go: Any, options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        go("plan", *options)


def test_a_run_leaves_its_state_behind(go: Any, workspace: Path) -> None:
    go("run", "-f", "0", "--jobs", "2")
    result = CliRunner().invoke(app, ["status", "-w", str(workspace), "--json"], catch_exceptions=False)
    state = json.loads(result.stdout)
    assert result.exit_code == 0 and (state["life"], state["phase"], state["engine"]) == ("ended", "finished", "local")
    assert (state["total"], state["done"], state["failed"], state["slots"], state["running"]) == (2, 2, 0, 2, 0)
    assert state["images_done"] == state["images"] > 0 and state["startup"] is not None and state["each"] is not None


def test_a_plan_for_another_machine_needs_neither_images_nor_weights_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its keys are those of the machine that trains, so that what is published counts as done."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "pinned-net"
    folder.mkdir()
    weights = f"weights: {{hub: timm/resnet18.a1_in1k, revision: '{'1' * 40}', sha256: {'a' * 64}}}"
    (folder / "submission.yaml").write_text(
        f"name: pinned-net\ntitle: T\npaper: https://example.org\nlicense: MIT\nmodel: {{timm: resnet18}}\n{weights}\n"
    )
    words = ["plan", str(folder), "-t", "pocket", "-f", "0", "-r", "0", "-w", str(tmp_path / "empty"), "--json"]

    def plan(*more: str) -> Any:
        result = CliRunner().invoke(app, [*words, *more], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    here, elsewhere = plan(), plan("--elsewhere")
    assert (here["todo"], elsewhere["todo"], elsewhere["blocked"]) == (0, 6, {})
    assert any("not imported" in reason for reason in here["blocked"])
    roots = {unit["weights"] for unit in elsewhere["units"] if unit["start"] == "imagenet"}
    assert roots == {"a" * 64}


def test_what_could_not_be_published_is_left_out(tmp_path: Path) -> None:
    """Only the arms that start from the weights: from scratch they do not count."""
    folder = tmp_path / "open-net"
    folder.mkdir()
    (folder / "submission.yaml").write_text(
        "name: open-net\ntitle: T\npaper: https://example.org\nlicense: MIT\nmodel: {timm: resnet18}\n"
        "weights: {hub: timm/resnet18.a1_in1k}\n"
    )
    words = ["plan", str(folder), "-t", "pocket", "-f", "0", "-r", "0", "-w", str(tmp_path / "empty"), "--elsewhere"]
    result = CliRunner().invoke(app, [*words, "--pinned", "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert list(found["blocked"]) == ["the weights have no fixed hash: karyobench submission pin open-net"]
    assert {unit["arm"] for unit in found["units"] if not unit["blocked"]} == {"scratch"} and found["todo"] == 2


def test_facts_are_lines_that_a_workflow_reads(go: Any, tmp_path: Path) -> None:
    path = tmp_path / "facts"
    path.write_text("before=1\n")
    go("run", "-f", "0")
    go("plan", "--facts", str(path))
    assert path.read_text() == "before=1\ntrainings=10\ndone=2\ntodo=8\nblocked=0\n"
