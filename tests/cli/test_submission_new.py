"""`karyobench submission new`: what it writes, asks, refuses and says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark import submission as submissions
from benchmark.cli import submission_new
from benchmark.cli.submission import app
from benchmark.errors import InputError
from benchmark.sandbox import ProcessSandbox
from benchmark.submission import NO_PAPER
from tests.checking.conftest import MODEL, sandbox, shared_place

__all__ = ["sandbox", "shared_place"]


def call(*arguments: object, answers: str = "") -> Result:
    return CliRunner().invoke(app, ["new", *(str(argument) for argument in arguments)], input=answers)


def fails(*arguments: object) -> InputError:
    result = call(*arguments)
    assert isinstance(result.exception, InputError), result.output
    return result.exception


def test_own_code_is_written_built_and_described(tmp_path: Path, shared_place: ProcessSandbox) -> None:
    done = call("my-net", "--factory", "--title", "Mine: a net", "--track", "smoke", "--directory", tmp_path / "deep")
    assert done.exit_code == 0, done.exception
    item = submissions.load(tmp_path / "deep" / "my-net")
    assert item.spec.title == "Mine: a net"
    parameters = sum(a * b * 9 + 2 * b for a, b in ((3, 32), (32, 64), (64, 128), (128, 256))) + 256 * 24 + 24
    sides = (24, 12, 6, 3)
    pairs = ((3, 32), (32, 64), (64, 128), (128, 256))
    counted = sum(side**2 * a * b * 9 for side, (a, b) in zip(sides, pairs, strict=True)) + 256 * 24
    assert f"parameters: {parameters:,}\n" in done.stdout
    assert f"multiply-adds: {counted / 1e6:,.1f} million for one image of 48 x 48 pixels\n" in done.stdout
    assert "GiB at the batch of 32 of track smoke, measured (the whole process)" in done.stdout
    assert "track smoke: 2 trainings" in done.stdout
    assert "processor-hours" in done.stdout


def test_json_for_scripts(tmp_path: Path, shared_place: ProcessSandbox) -> None:
    done = call("my-net", "--factory", "--track", "smoke", "--directory", tmp_path, "--json")
    data = json.loads(done.stdout)
    assert data["folder"] == str(tmp_path / "my-net")
    assert data["how"] == "measured" and data["memory"] > 1 << 26 and data["seconds_an_image"] > 0
    assert data["cost"]["at_once"] >= 1 and data["cost"]["processor_hours"]["value"] > 0
    images = (data["longest"] / data["seconds_an_image"]) / 10
    assert data["units"] == 2 and images == pytest.approx(round(images)) and 400 < images < 920


def test_code_of_ones_own_is_copied_and_stays_when_it_cannot_be_built(
    tmp_path: Path, shared_place: ProcessSandbox
) -> None:
    code = tmp_path / "net.py"
    code.write_text(MODEL.replace("return Net(", "raise ValueError('not yet')\n    return Net("))
    done = call("my-net", "--code", code, "--directory", tmp_path)
    assert isinstance(done.exception, InputError)
    assert "model.py:build fails: ValueError: not yet" in str(done.exception)
    assert (tmp_path / "my-net" / "model.py").read_text() == code.read_text()
    assert "was written and stays" in done.stderr


def test_for_timm_it_says_what_timm_knows(tmp_path: Path) -> None:
    assert call("my-vit", "--timm", "test_vit", "--no-build", "--directory", tmp_path).exit_code == 0
    model = submissions.load(tmp_path / "my-vit").spec.model
    assert (model.img_size_argument, model.image_size.multiple_of, model.mean) == (True, 16, (0.5, 0.5, 0.5))
    paper = "https://arxiv.org/abs/1512.03385"
    assert (
        call("my-resnet", "--timm", "resnet18", "--no-build", "--paper", paper, "--directory", tmp_path).exit_code == 0
    )
    item = submissions.load(tmp_path / "my-resnet")
    assert item.spec.weights is not None
    assert item.spec.weights.hub == "timm/resnet18.a1_in1k"
    assert not item.pinned
    done = call("my-tiny", "--timm", "vit_tiny_patch16_224", "--no-build", "--directory", tmp_path)
    assert submissions.load(tmp_path / "my-tiny").spec.weights is None
    assert "no weights of vit_tiny_patch16_224 from ImageNet-1k alone" in done.output


def test_weights_of_ones_own(tmp_path: Path) -> None:
    options = ("--factory", "--no-build", "--directory", tmp_path, "--weights", "me/my-net")
    stated = ("--trained-on", "imagenet-1k", "--source", "https://example.org/training", "--classifier", "classifier")
    assert call("my-net", *options, *stated).exit_code == 0
    weights = submissions.load(tmp_path / "my-net").spec.weights
    assert weights is not None
    assert (weights.hub, weights.trained_on, weights.classifier) == ("me/my-net", "imagenet-1k", "classifier")
    assert "needs trained_on: imagenet-1k and source" in str(fails("other", *options))
    assert fails("other", *options, *stated[2:], "--trained-on", "jft").field == "weights.trained_on"
    assert fails("other", *options[:4], *stated).field == "--trained-on"
    assert not (tmp_path / "other").exists()


def test_it_asks_where_somebody_can_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission_new, "terminal", lambda: True)
    done = call("--no-build", "--directory", tmp_path, answers="my-net\n\nMy Net\n\n")
    assert done.exit_code == 0, done.exception
    spec = submissions.load(tmp_path / "my-net").spec
    assert (spec.title, spec.paper, spec.model.factory) == ("My Net", NO_PAPER, "model.py:build")
    done = call("--no-build", "--directory", tmp_path, answers="my-vit\ntest_vit\n\nhttps://example.org/vit\n")
    spec = submissions.load(tmp_path / "my-vit").spec
    assert (spec.title, spec.paper, spec.model.timm) == ("my-vit", "https://example.org/vit", "test_vit")


def test_it_never_waits_where_nobody_can_answer(tmp_path: Path) -> None:
    assert "needs a name" in str(fails("--factory", "--directory", tmp_path))
    assert "exactly one of" in str(fails("mine", "--directory", tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_it_refuses(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    options = ("--directory", tmp_path)
    assert "exists already" in str(fails("taken", "--factory", *options))
    assert "exactly one of" in str(fails("mine", "--factory", "--timm", "resnet18", *options))
    assert fails("My_Net", "--factory", *options).field == "name"
    assert fails("../out", "--factory", *options).field == "name"
    assert fails("mine", "--factory", "--paper", "arxiv", *options).field == "paper"
    assert fails("mine", "--code", tmp_path / "absent.py", *options).field == "--code"
    assert "resnet18" in str(fails("mine", "--timm", "resnet1", *options))
    assert "no track of this name" in str(fails("mine", "--factory", "--track", "pockets", *options))
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    (tmp_path / "file").write_text("")
    assert "not a folder" in str(fails("mine", "--factory", "--directory", tmp_path / "file"))
