"""The examples of docs/submitting.md: their files are written and their commands run as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import timm
from safetensors.torch import save_file
from typer.testing import CliRunner

from benchmark import submission as submissions
from benchmark.cli.main import app
from benchmark.sandbox import ProcessSandbox
from tests.checking.conftest import quick_images, sandbox, shared_place
from tests.weights_hub import OLD, Hub, serving

__all__ = ["quick_images", "sandbox", "shared_place"]

TEXT = (Path(__file__).parents[2] / "docs" / "submitting.md").read_text()
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, the file that it is, and its text."""

    language: str
    file: str
    text: str


def example(name: str) -> list[Block]:
    """The blocks between an example's mark and the next heading."""
    section = TEXT.split(f"<!-- example: {name} -->", 1)[1].split("\n## ", 1)[0]
    return [Block(*found) for found in FENCE.findall(section)]


@pytest.fixture
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_place: ProcessSandbox, quick_images: None) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def follow(blocks: list[Block], hub: Hub | None = None) -> list[str]:
    """Do what some blocks say; returns what the commands printed."""
    said = []
    for block in blocks:
        if block.file:
            Path(block.file).write_text(block.text)
        elif block.language == "sh":
            said += [command(line, hub) for line in block.text.splitlines()]
    return said


def command(line: str, hub: Hub | None) -> str:
    """One line of a shell: ours in this process, `python` as it is, `hf upload` to the hub of this test."""
    program, *arguments = shlex.split(line)
    if program == "karyobench":
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception}"
        return done.stdout
    if program == "python":
        subprocess.run([sys.executable, *arguments], check=True)
    else:
        assert (program, arguments[0]) == ("hf", "upload") and hub is not None and arguments[1] == hub.repository
        hub.revisions[OLD] = Path(arguments[2]).read_bytes()
    return ""


def statuses(table: str) -> dict[str, str]:
    """Status of every step that a check printed."""
    found = re.findall(r"^(\S.*?)  +(ok|failed|skipped) +\d", table, re.MULTILINE)
    return dict(found)


def test_a_network_that_timm_has(author: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(timm.create_model("mobilenetv3_small_050", num_classes=1000).state_dict(), author / "w.safetensors")
    name = "timm/mobilenetv3_small_050.lamb_in1k"
    hub = Hub({OLD: (author / "w.safetensors").read_bytes()}, OLD, repository=name)
    with serving(hub, monkeypatch, author / "cache"):
        new, _, check = follow(example("timm"))
    for line in ("parameters: 592,824", "multiply-adds: 2.3 million", "track pocket: 60 trainings"):
        assert line in new and line in TEXT
    assert submissions.load(author / "submissions" / "small-mobilenet").pinned
    assert set(statuses(check).values()) == {"ok"} and len(statuses(check)) == 12, check


def test_a_network_of_ones_own(author: Path) -> None:
    _, check = follow(example("own"))
    found = statuses(check)
    skipped = {"weights' origin", "hashes", "load weights", "unit imagenet", "unit two-step"}
    assert {step for step, status in found.items() if status == "skipped"} == skipped, check
    assert {status for step, status in found.items() if step not in skipped} == {"ok"} and len(found) == 12
    assert "warning" not in check


def test_weights_of_ones_own(author: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follow([block for block in example("own") if block.file == "my_net.py"])
    hub = Hub({}, OLD, repository="you/banded-net")
    with serving(hub, monkeypatch, author / "cache"):
        *_, check = follow(example("weights")[:2], hub)
    assert set(statuses(check).values()) == {"ok"} and len(statuses(check)) == 12, check
    written = (author / "submissions" / "banded-net-in1k" / "submission.yaml").read_text()
    shown = example("weights")[2].text
    pinned = written.replace(OLD, "<commit>")
    assert re.sub(r"sha256: \w+", "sha256: <hash>", pinned).endswith(shown)


def test_every_step_is_described() -> None:
    from benchmark import track as tracks
    from benchmark.checking import steps

    rows = " ".join(
        line.split("|")[1] for line in TEXT.split("## What `check` does")[1].splitlines() if line[:1] == "|"
    )
    for step in steps([tracks.load(name) for name in ("smoke", "pocket", "paper")]):
        assert step.name.removeprefix("build ").removeprefix("unit ") in rows
