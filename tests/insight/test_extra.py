import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.cli.main import app
from benchmark.errors import InputError
from benchmark.insight.extra import DISTRIBUTIONS, require


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("captum", ["attention", "tf-efficientnet-lite0", "--target", "sim-q"]),
        ("captum", ["errors", "tf-efficientnet-lite0", "--maps"]),
        ("skimage", ["attention", "tf-efficientnet-lite0", "--target", "sim-q"]),
        ("skimage", ["errors", "tf-efficientnet-lite0"]),
        ("skimage", ["quality"]),
        ("statsmodels", ["errors", "tf-efficientnet-lite0"]),
    ],
)
def test_a_package_that_is_not_installed_is_named_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, command: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    done = CliRunner().invoke(app, ["insight", *command, "-w", str(tmp_path / "w")])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith(
        f"package: this takes a package that is not installed; found '{DISTRIBUTIONS[module]}'"
    )
    assert "pip install 'karyobench[insight]'" in str(done.exception) and not (tmp_path / "w").exists()


def test_what_is_installed_is_enough() -> None:
    require(*DISTRIBUTIONS)
