"""`karyobench submission check --pr`, once from end to end with real networks in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.cli.main import app
from benchmark.errors import InputError
from benchmark.proposal.report import MARKER, read
from tests.proposal.conftest import NET, Repo


def call(repo: Repo, monkeypatch: pytest.MonkeyPatch, *options: str) -> Any:
    monkeypatch.chdir(repo.folder)
    words = ["submission", "check", "--sandbox", "process", *options]
    return CliRunner().invoke(app, words)


@pytest.mark.slow
def test_a_copy_under_a_name_that_looks_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its modules are renamed, its width is spelt otherwise, and it leaves a trace if it runs in this process."""
    trace = tmp_path / "trace"
    renamed = NET.replace("self.one", "self.front").replace("self.two", "self.back").replace("width=4", "size=4")
    renamed = renamed.replace("Net(num_classes, width)", "Net(classes=num_classes, width=size)")
    spy = f"import os\nopen({str(trace)!r}, 'a').write(f'{{os.getpid()}} {{sorted(os.environ)}}\\n')\nprint('[1]')\n"
    repo = Repo(tmp_path / "repo")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    span = repo.pull(lambda r: r.submit("tiny-nett", code=spy + renamed))
    markdown, report = tmp_path / "c.md", tmp_path / "c.json"
    result = call(repo, monkeypatch, "--pr", span, "--markdown", str(markdown), "--report", str(report), "--json")
    assert isinstance(result.exception, InputError) and result.exception.exit_code == 2
    found = read(report)
    assert json.loads(result.stdout) == found.model_dump(mode="json")
    levels = {step.name: step.level for step in found.steps}
    assert levels == {"touches": "ok", "files": "ok", "name": "error", "copy": "error", "check": "warning"}
    assert "looks like that of tiny-net;" in found.steps[2].texts[0]
    assert "a copy: this is the network of tiny-net (" in found.steps[3].texts[0]
    assert len(found.steps[3].texts) == 2, "other-net is wider, and no copy"
    assert markdown.read_text().startswith(MARKER)
    import os

    lines = trace.read_text().splitlines()
    assert lines and all(not line.startswith(f"{os.getpid()} ") and "GITHUB_TOKEN" not in line for line in lines)


def test_a_pull_request_without_a_submission_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = Repo(tmp_path / "repo")
    result = call(repo, monkeypatch, "--pr", repo.pull(lambda r: r.write("docs/x.md", "x")))
    assert result.exit_code == 0, result.output
    assert "no single submission (none)" in result.stdout and "documentation: docs/x.md" in result.stdout
    assert "warning: its code runs as a process of yours" in result.stderr


@pytest.mark.parametrize("options", [(), ("mine", "--pr", "main..HEAD")])
def test_one_of_folders_and_a_range(options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = call(Repo(tmp_path / "repo"), monkeypatch, *options)
    assert isinstance(result.exception, InputError) and "names, or --pr BASE..HEAD" in str(result.exception)
