import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from benchmark import __version__
from benchmark.cli.main import app

COMMANDS = [
    [], ["data"], ["data", "list"], ["data", "fetch"], ["data", "import"], ["data", "verify"], ["data", "show"], ["data", "audit"],
    ["submission"], ["submission", "new"], ["submission", "check"], ["submission", "list"], ["submission", "pin"],
    ["image"], ["image", "build"], ["image", "check"], ["image", "list"],
    ["ledger"], ["ledger", "list"], ["ledger", "verify"], ["leaderboard"], ["leaderboard", "build"],
    ["plan"], ["run"], ["score"], ["compare"], ["reproduce"], ["calibrate"], ["doctor"], ["demo"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_every_leaf_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0, result.output
    if command and command not in (["data"], ["submission"], ["image"], ["ledger"], ["leaderboard"]):
        assert f"karyobench {' '.join(command)}" in " ".join(result.output.split()), "an example"


def test_the_first_help_names_every_command_with_its_whole_summary() -> None:
    said = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for name, command in get_command(app).commands.items():
        assert f" {name} {' '.join((command.help or '').partition(chr(10) * 2)[0].split())}" in said
    assert "..." not in said.partition("Commands:")[2] and "--version Print the version." in said


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.strip() == __version__


def karyobench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "benchmark", *arguments], capture_output=True, text=True, check=False)


def test_an_error_is_one_line_and_an_exit_code_without_a_traceback(tmp_path: Path) -> None:
    done = karyobench("plan", "resnet50", "--track", "pockt", "-w", str(tmp_path))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "error: no track of this name; found 'pockt'; allowed: paper, pocket, smoke\n"


def test_help_and_plan_do_not_import_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.argv = {}\nfrom benchmark.cli.main import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "assert sys.modules.keys().isdisjoint({}), 'something slow was imported'"
    )
    for arguments, slow in (
        (["karyobench", "--help"], {"torch", "timm", "numpy", "rich"}),
        (["karyobench", "plan", "resnet50", "-w", str(tmp_path)], {"torch", "timm"}),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(arguments, slow)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_json_of_a_plan_is_data_only(tmp_path: Path) -> None:
    done = karyobench("plan", "all", "--track", "paper", "-f", "0", "-r", "0", "--json", "-w", str(tmp_path))
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["classifiers"], data["trainings"], data["trainings_without_sharing"]) == (84, 84, 112)
    assert all("not imported" in reason or "cache" in reason for reason in data["blocked"])
