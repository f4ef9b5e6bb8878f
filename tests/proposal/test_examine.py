"""The seam to the check of one submission: a process without tokens, whose result is the last list that it prints."""

import json
from pathlib import Path

import pytest

from benchmark.checking import Report, Result
from benchmark.errors import InfrastructureError
from benchmark.proposal import examine as module
from benchmark.proposal.examine import examine, surroundings, told


def test_no_token_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "LD_PRELOAD"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KARYOBENCH_CACHE", "/somewhere")
    found = surroundings()
    assert found["KARYOBENCH_CACHE"] == "/somewhere" and "PATH" in found
    assert not {
        "GITHUB_TOKEN",
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "LD_PRELOAD",
    } & set(found)


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program in the place of Python that prints what it is given."""

    def put(script: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(module.sys, "executable", str(path))

    return put


def test_what_the_submission_prints_is_not_the_result(says, tmp_path: Path) -> None:
    says("""printf '[1]\\nhello\\n[\\n {"problems": ["%s: bad"], "warnings": [], "steps": [
      {"step": "build", "detail": "ok at 64", "status": "ok"}]}\\n]\\n' "$6" """)
    found = examine(tmp_path / "mine")
    assert found.problems == ["submissions/mine: bad"] and found.facts == ["build: ok at 64 (ok)"]


def test_a_check_that_says_nothing_is_the_machines_fault(says, tmp_path: Path) -> None:
    says("echo broken >&2; exit 9")
    with pytest.raises(InfrastructureError, match="ended with 9 and no result: broken"):
        examine(tmp_path)


def test_a_check_that_never_ends_is_a_problem(says, tmp_path: Path) -> None:
    says("exec sleep 1000")
    assert examine(tmp_path, seconds=0.2).problems == ["the check was not done after 0 s"]


def test_a_report_in_sentences(tmp_path: Path) -> None:
    results = [Result("licence", "ok", "MIT"), Result("unit imagenet", "skipped", "no weights")]
    report = Report(str(tmp_path), [*results, Result("build smoke", "failed", "it broke")], [f"{tmp_path}: not pinned"])
    problems, warnings, facts = told(json.loads(json.dumps(report.plain())), tmp_path)
    assert problems == ["it broke"] and warnings == [f"submissions/{tmp_path.name}: not pinned"]
    assert facts == ["licence: MIT (ok)", "unit imagenet: no weights (skipped)", "build smoke: it broke (failed)"]
