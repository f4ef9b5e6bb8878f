import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from benchmark import __version__
from benchmark.cli.main import _asked, app

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


@pytest.mark.parametrize("command", [words for words in COMMANDS if words], ids=" ".join)
def test_a_command_is_the_same_whether_typer_knows_the_others_or_not(command: list[str]) -> None:
    alone = _asked(command)
    assert len(alone.registered_commands) + len(alone.registered_groups) == 1
    for arguments in ([*command, "--help"], [*command, "--none-such"]):
        one, whole = CliRunner().invoke(alone, arguments), CliRunner().invoke(app, arguments)
        assert (one.exit_code, one.output) == (whole.exit_code, whole.output)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["plann"], ["-h", "plan"]])
def test_else_typer_knows_all(arguments: list[str]) -> None:
    assert _asked(arguments) is app


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
        "import sys\nsys.argv = {}\nfrom benchmark.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert sys.modules.keys().isdisjoint({}), 'something slow was imported'"
    )
    for arguments, slow in (
        (["karyobench", "--help"], {"torch", "timm", "numpy", "rich"}),
        (
            ["karyobench", "plan", "resnet50", "-w", str(tmp_path)],
            {"torch", "timm", "huggingface_hub.file_download", "PIL", "ssl"},
        ),
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
