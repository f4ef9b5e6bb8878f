import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from benchmark.cli.main import app
from benchmark.errors import InfrastructureError, InputError
from benchmark.submission import Submission
from benchmark.track import Track


@pytest.fixture
def go(workspace: Path, tmp_path: Path, tiny_track: Track, tiny_submission: Submission, nearest: str) -> Any:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(json.loads(tiny_track.model_dump_json())))
    (tiny_submission.folder / "submission.yaml").write_text(
        "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )

    def call(command: str, *options: str) -> str:
        where = ["-w", str(workspace)]
        if command in ("plan", "run"):
            where += ["-t", str(tmp_path / "tiny.yaml"), str(tiny_submission.folder)]
        if command == "run":
            where += ["--sandbox", nearest, "--device", "cpu"]
        result = CliRunner().invoke(app, [*command.split(), *where, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_from_plan_to_table(go: Any) -> None:
    before = json.loads(go("plan", "--json"))
    assert (before["trainings"], before["todo"], before["seconds"]) == (6, 2, None)
    assert list(before["blocked"]) == ["tiny-net names no ImageNet weights"]
    ran = json.loads(go("run", "--json", "-p", "scratch"))
    assert len(ran["trained"]) == 2 and all(r["status"] == "scored" for r in ran["records"])
    assert json.loads(go("run", "--json", "-p", "scratch"))["trained"] == []
    after = json.loads(go("plan", "--json"))
    assert (after["done"], after["todo"]) == (2, 0)
    more = json.loads(go("plan", "--json", "-p", "scratch", "-f", "1", "--jobs", "1"))
    assert more["todo"] == 2 and more["seconds"] == pytest.approx(6.0, rel=0.2), "from the units measured"
    both = json.loads(go("plan", "--json", "-p", "scratch", "-f", "1", "--jobs", "2"))
    assert both["seconds"] == pytest.approx(3.0, rel=0.2)
    rows = json.loads(go("compare", "--json"))["rows"]
    assert [row["target"] for row in rows] == ["sim-g", "sim-q"]
    assert "chain whole" in go("ledger verify")
    table = go("compare")
    assert "tiny-net" in table and "simulated" in table and "verdict" in table
    scored = json.loads(go("score", "--json"))
    assert {s["key"]: s["scores"] for s in scored} == {r["key"]: r["scores"] for r in ran["records"]}
    assert "tiny-net" in go("ledger list")
    assert "1 classifiers from" in go("plan", "-p", "scratch", "--target", "sim-q")


def test_what_cannot_run_is_said_and_is_never_run_from_scratch_instead(go: Any) -> None:
    with pytest.raises(InputError, match="nothing could be run"):
        go("run", "-p", "imagenet")


def test_without_docker_the_sealed_container_says_how_to_get_it_and_nothing_is_recorded(
    go: Any, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(InfrastructureError, match=r"no docker daemon answers\. Install docker and start it"):
        go("run", "-p", "scratch", "--sandbox", "docker")
    assert not (workspace / "ledger" / "records.jsonl").exists()


@pytest.mark.parametrize(("command", "options", "message"), [
    ("run", ["--sandbox", "balloon"], "no such sandbox; found 'balloon'"),
    ("run", ["--engine", "steam"], "no such engine; found 'steam'; allowed: local"),
    ("plan", ["-p", "magic"], "no such protocol"),
    ("plan", ["-f", "9"], "no such fold"),
    ("plan", ["--target", "cir-g"], "not a target of this track"),
    ("compare", ["--over", "nothing"], "no such protocol"),
    ("compare", [], "no record to compare"),
    ("score", ["abc"], "no scored record of this key"),
    ("leaderboard build", [], "holds no result yet"),
])  # fmt: skip
def test_wrong_options_are_one_clear_error(go: Any, command: str, options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        go(command, *options, *(["-p", "scratch"] if command == "run" else []))


def test_any_dataset_may_be_a_target_after_named_sources(go: Any, workspace: Path) -> None:
    plan = json.loads(
        go("plan", "--json", "--target", "sim-g", "--source", "sim-q", "-p", "two-step", "-p", "imagenet-long")
    )
    assert [unit["arm"] for unit in plan["units"]] == ["imagenet", "two-step", "imagenet-long"], "the track's own pair"
    for options, message in (
        (["--source", "sim-q"], "the target is among its sources; found 'sim-q'.*--target"),
        (["--target", "sim-g", "--source", "sim-q+sim-q"], "stands twice"),
        (["--target", "sim-g", "--source", "nobody"], "no dataset of this name; found 'nobody'"),
        (["--target", "sim-g", "--source", "sim-q", "-p", "scratch"], "no protocol that takes a source is asked for"),
        (["--target", "cir-g", "--source", "cir-g-origin"], "shows people of the target cir-g, as a card declares"),
        (["--target", "cir-g"], "not a target of this track"),
    ):
        with pytest.raises(InputError, match=message):
            go("plan", *options)
