"""The workflows: thin, with least permissions, and every command in them one that a laptop has."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml

from benchmark.cli.main import app

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CHECKER = Path(sys.executable).parent
OURS = ("karyobench", "tox", "pip install")
GIT = (
    r'git checkout --quiet --detach "\$BASE"',
    r"git worktree add --quiet --detach published origin/results",
    r"git branch results origin/results",
    r'git push "https://x-access-token:\$\{TOKEN\}@\$\{SERVER#https://\}/\$\{GITHUB_REPOSITORY\}" results',
)
"""Every command of git's that a workflow may use."""


class Step(NamedTuple):
    file: str
    job: str
    name: str
    plain: dict[str, Any]


def read(path: Path) -> dict[str, Any]:
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    plain["on"] = plain.pop(True)  # YAML 1.1 reads `on` as a truth
    return plain


WORKFLOWS = {path.stem: read(path) for path in FILES}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for file, workflow in WORKFLOWS.items():
        for name, job in workflow["jobs"].items():
            yield file, name, job


def steps() -> list[Step]:
    return [
        Step(file, job, f"{file}-{job}-{number}", step)
        for file, job, plain in jobs()
        for number, step in enumerate(plain.get("steps", ()))
    ]


RUNS = [step for step in steps() if "run" in step.plain]
USES = [step for step in steps() if "uses" in step.plain]


def named(found: list[Step]) -> Any:
    return pytest.mark.parametrize("step", found, ids=[one.name for one in found])


def test_all_are_here() -> None:
    assert set(WORKFLOWS) == {"board", "check", "comment", "docs", "record", "reproduce", "tests", "train"}
    assert len(RUNS) > 30


@named(RUNS)
def test_a_step_is_one_command_that_a_laptop_has(step: Step) -> None:
    command = step.plain["run"].strip()
    assert "\n" not in command and not re.search(r"[;&|<>`]|\$\(", command), "one command, and no shell around it"
    assert "${{" not in command, "what a host fills in comes by a variable, so that it cannot become a command"
    assert command.startswith(OURS) or any(re.fullmatch(form, command) for form in GIT)


@named([step for step in RUNS if step.plain["run"].startswith("karyobench")])
def test_a_command_is_one_that_the_command_line_knows(step: Step) -> None:
    parse(shlex.split(re.sub(r"\$\w+", "3", step.plain["run"]))[1:])


def parse(words: list[str]) -> None:
    """Parse by the real command line, down to the last option; nothing is run."""
    command: Any = typer.main.get_command(app)
    name = "karyobench"
    while hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, name
        command = command.commands[name]
    assert not command.make_context(name, words).args


USAGE = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")


@pytest.mark.parametrize(
    "words", [["plan", "all", "--no-such"], ["submission", "nothing"], ["reproduce", "--sample", "x"]]
)
def test_a_command_that_it_does_not_know_would_be_noticed(words: list[str]) -> None:
    with pytest.raises((USAGE, AssertionError)):
        parse(words)


@named([step for step in RUNS if step.plain["run"].startswith("tox")])
def test_an_environment_is_one_of_tox(step: Step) -> None:
    found = re.fullmatch(r"tox(?: -e (\w+))?", step.plain["run"])
    assert found
    assert found[1] is None or f"[testenv:{found[1]}]" in (ROOT / "tox.ini").read_text()


def test_nothing_is_allowed_that_is_not_asked_for() -> None:
    for file, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {}, file
    writes = {}
    for file, name, job in jobs():
        assert isinstance(job["permissions"], dict), (file, name)
        writes[file, name] = {what for what, level in job["permissions"].items() if level == "write"}
    assert {place: what for place, what in writes.items() if what} == {
        ("board", "publish"): {"pages", "id-token"},
        ("comment", "comment"): {"pull-requests"},
        ("record", "record"): {"contents"},
        ("reproduce", "issue"): {"issues"},
        ("reproduce", "record"): {"contents"},
        ("train", "record"): {"contents"},
    }


def test_jobs_end_and_do_not_run_beside_themselves() -> None:
    for file, name, job in jobs():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 4320, (file, name)
    for file, workflow in WORKFLOWS.items():
        assert file == "record" or workflow["concurrency"]["group"], file
    assert WORKFLOWS["train"]["concurrency"] == WORKFLOWS["reproduce"]["concurrency"], "one writer of the results"
    assert not WORKFLOWS["train"]["concurrency"]["cancel-in-progress"]


def test_code_of_a_pull_request_meets_no_secret_and_no_token_that_writes() -> None:
    for file, workflow in WORKFLOWS.items():
        assert "pull_request_target" not in workflow["on"], file
        if "pull_request" in workflow["on"]:
            text = (ROOT / ".github" / "workflows" / f"{file}.yml").read_text()
            assert "secrets" not in text.split("\nname:")[1] and "github.token" not in text and "TOKEN" not in text, (
                file
            )
            for name, job in workflow["jobs"].items():
                assert set(job["permissions"].values()) == {"read"}, (file, name)
                assert "self-hosted" not in job["runs-on"], (file, name)
                assert "environment" not in job, (file, name)


def test_the_judge_of_a_submission_is_the_base() -> None:
    commands = [step.plain["run"] for step in RUNS if step.file == "check"]
    assert commands[0].startswith("git checkout --quiet --detach"), "before anything is installed"
    assert any("submission check --pr" in one for one in commands)


def test_what_follows_another_workflow_takes_no_code_from_it() -> None:
    followers = [file for file, workflow in WORKFLOWS.items() if "workflow_run" in workflow["on"]]
    assert followers == ["board", "comment"]
    for step in USES:
        if step.file in followers and "checkout" in step.plain["uses"]:
            assert step.plain["with"].get("ref", "results") == "results" and "repository" not in step.plain["with"]


def test_the_machine_that_trains_has_no_token_that_writes() -> None:
    for file, name, job in jobs():
        if "self-hosted" in job.get("runs-on", ()):
            assert job["permissions"] == {"contents": "read"}, (file, name)
            assert all("TOKEN" not in str(step) and "github.token" not in str(step) for step in job["steps"])
            for step in job["steps"]:
                if re.match(r"karyobench (run|reproduce)", step.get("run", "")):
                    assert "--sandbox docker" in step["run"], "merged code, too, runs in the container"


@named(USES)
def test_an_action_is_pinned_by_a_hash_with_its_version_beside_it(step: Step) -> None:
    assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step.plain["uses"])
    text = (ROOT / ".github" / "workflows" / f"{step.file}.yml").read_text()
    lines = [line for line in text.splitlines() if step.plain["uses"] in line]
    assert all(re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line) for line in lines)
    if "checkout" in step.plain["uses"]:
        assert step.plain["with"]["persist-credentials"] is False


def test_an_action_has_one_hash() -> None:
    found = {tuple(step.plain["uses"].split("@")) for step in USES}
    assert len({name for name, _ in found}) == len(found)


def _tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(CHECKER))
    if found is None:
        pytest.skip(f"{name} is not installed: tox -e workflows runs it")
    return found


@pytest.mark.parametrize("command", ["zizmor --offline --persona=pedantic .github", "actionlint"])
def test_checkers_find_nothing(command: str) -> None:
    """The commands of `tox -e workflows`."""
    assert command in (ROOT / "tox.ini").read_text()
    words = command.split()
    done = subprocess.run([_tool(words[0]), *words[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
