from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark import calibrate
from benchmark.cli.main import app
from benchmark.errors import InputError, IntegrityError
from benchmark.stats import calibration


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condition, without a gain, and few replicates: what the lines hold is tested in tests/test_calibrate.py."""
    monkeypatch.setattr(calibration, "CONDITIONS", (calibration.Condition("mild", 16, 5, 2),))
    monkeypatch.setattr(calibration, "SCENARIOS", ("null",))
    monkeypatch.setattr(calibrate, "LEAST", 20)


def call(*options: str) -> Any:
    return CliRunner().invoke(app, ["calibrate", *options], catch_exceptions=False)


@pytest.mark.usefixtures("one")
def test_table_and_files(tmp_path: Path, maker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    maker.fill(imagenet=0.7, two_step=0.8)
    monkeypatch.setattr(calibrate, "outside", lambda lines: [])
    options = ("-o", str(tmp_path / "out"), "--replicates", "20", "--jobs", "1", "--ledger", str(tmp_path))
    result = call(*options)
    assert result.exit_code == 0 and "1 sets of real predictions: net → tiny" in result.stderr
    assert "real: net → tiny" in result.stdout and "16 groups, 5 folds × 2, mild" in result.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "rates.jsonl", "calibration.md", "calibration.svg", "calibration.png",
    }  # fmt: skip


@pytest.mark.usefixtures("one")
def test_a_rate_outside_the_bar_ends_with_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "BAR", (0.0, 0.0))
    with pytest.raises(IntegrityError, match=r"outside 3 to 7 %.*16 groups, 5 folds × 2, mild, null"):
        call("-o", str(tmp_path), "--replicates", "20", "--jobs", "1", "--quick")


def test_wrong_options_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too few replicates"):
        call("-o", str(tmp_path), "--replicates", "7")
    with pytest.raises(InputError, match="no record"):
        call("-o", str(tmp_path), "--ledger", str(tmp_path))
