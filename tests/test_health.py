from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark import health
from benchmark.cli.main import app


def by_name(workspace: Path) -> dict[str, health.Finding]:
    return {finding.what: finding for finding in health.check(workspace)}


def test_what_is_there_is_ok_and_what_is_not_has_advice(workspace: Path) -> None:
    found = by_name(workspace)
    assert found["torch"].state == "ok" and found["dataset sim-q"].found == "240 images"
    assert found["dataset cir-g"].state == "optional" and found["dataset cir-g"].advice == "karyobench data fetch cir-g"
    assert all(finding.advice for finding in found.values() if finding.state != "ok")
    assert {"memory", "disk", "docker", "ledger", "weights of resnet50"} <= set(found)


def test_a_package_that_is_missing_fails_the_command(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = health.metadata.version

    def version(name: str) -> str:
        if name == "scipy":
            raise health.metadata.PackageNotFoundError(name)
        return real(name)

    assert CliRunner().invoke(app, ["doctor", "-w", str(workspace)]).exit_code == 0
    monkeypatch.setattr(health.metadata, "version", version)
    result = CliRunner().invoke(app, ["doctor", "-w", str(workspace)])
    assert result.exit_code == 1 and "pip install scipy" in result.output


def test_little_memory_and_little_disk_are_said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MEMORY_NEEDED", 1 << 60)
    monkeypatch.setattr(health, "DISK_NEEDED", 1 << 60)
    found = by_name(workspace)
    assert found["memory"].state == found["disk"].state == "optional"


def test_a_broken_ledger_is_said(scored_ledger: object, workspace: Path) -> None:
    assert by_name(workspace)["ledger"].found == "2 records"
    path = workspace / "ledger" / "records.jsonl"
    path.write_text(path.read_text().replace("tiny-net", "tiny-not"))
    assert "its hash does not fit" in by_name(workspace)["ledger"].found
