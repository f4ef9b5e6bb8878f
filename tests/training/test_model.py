"""Building networks: from timm, from a folder's own code, and what is refused."""

from __future__ import annotations

import os
import py_compile
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.errors import InputError
from benchmark.submission import ModelSpec
from benchmark.training.model import build, describe_timm, probe
from benchmark.training.rehearsal import Pass, rehearse

GOOD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_chans, img_size, width=4):
        super().__init__()
        self.body = nn.Conv2d(in_chans, width, 3)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(width, num_classes)
        self.seen = img_size
    def forward(self, x):
        return self.head(self.dropout(self.body(x).mean((2, 3))))

def build(num_classes, in_chans, img_size, **kwargs):
    return Net(num_classes, in_chans, img_size, **kwargs)
"""
SMALL = ("tf-efficientnet-lite0", "mobilenetv3-large", "efficientnet-b0", "vit-small", "swin-tiny")
SIZES = (48, 64, 96, 224)


def own(tmp_path: Path, text: str = GOOD, **more: Any) -> tuple[ModelSpec, Path]:
    (tmp_path / "model.py").write_text(text)
    return ModelSpec(factory="model.py:build", **more), tmp_path


def test_timm_with_kwargs_size_and_classes() -> None:
    spec = {"timm": "test_vit", "img_size_argument": True, "kwargs": {"depth": 2}}
    network = build(spec, num_classes=7, in_chans=1, img_size=64)
    assert len(network.blocks) == 2
    assert network(torch.zeros(3, 1, 64, 64)).shape == (3, 7)


def test_weights_come_from_the_global_generator_and_nothing_else_is_drawn() -> None:
    def first(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(seed)
        network = build({"timm": "test_efficientnet"}, img_size=64)
        return network.classifier.weight.detach(), torch.rand(1)  # type: ignore[union-attr, return-value]

    one, again, other = first(1), first(1), first(2)
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    assert not torch.equal(one[0], other[0])


def test_own_code_gets_size_and_kwargs(tmp_path: Path) -> None:
    spec, folder = own(tmp_path, kwargs={"width": 6})
    network = build(spec.model_dump(mode="json"), folder, num_classes=5, in_chans=2, img_size=40)
    assert network.body.weight.shape[:2] == (6, 2)
    assert network.seen == 40
    assert network.training


def test_two_submissions_and_two_versions_do_not_mix(tmp_path: Path) -> None:
    text = "from . import helper\ndef build(num_classes, in_chans, img_size):\n    return helper.make({})\n"
    helper = GOOD + "\ndef make(width):\n    return Net(24, 3, 1, width)\n"
    widths = []
    for name, width in (("a", 2), ("b", 3), ("a", 5)):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "helper.py").write_text(helper)
        spec, _ = own(folder, text.format(width))
        widths.append(build(spec, folder, img_size=32).body.weight.shape[0])
    assert widths == [2, 3, 5]
    assert "helper" not in sys.modules


def test_compiled_files_in_the_folder_are_neither_read_nor_written(tmp_path: Path) -> None:
    spec, folder = own(tmp_path, "raise RuntimeError('the compiled file ran')")
    cached = Path(str(py_compile.compile(str(folder / "model.py"), doraise=True)))
    state = (folder / "model.py").stat()
    text = GOOD.encode().ljust(state.st_size, b"\n")
    (folder / "model.py").write_bytes(text)
    forged = bytearray(cached.read_bytes())
    forged[4:8] = (0b01).to_bytes(4, "little")  # a hash-based file that is never compared with its source
    cached.write_bytes(bytes(forged))
    os.utime(folder / "model.py", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert build(spec, folder, img_size=32)(torch.zeros(1, 3, 32, 32)).shape == (1, 24)
    cached.unlink()
    build(spec, folder, img_size=32)
    assert list(cached.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def make(): pass", r"no such function; found 'build'; allowed: make"),
        ("import nothing_like_this", "cannot be imported: ModuleNotFoundError"),
        ("def build(:", "cannot be imported: SyntaxError"),
        ("exit(3)", "cannot be imported: SystemExit"),
        (
            "def build(num_classes, in_chans, img_size):\n    raise ValueError('no')",
            r"model\.py:build fails: ValueError: no",
        ),
        ("def build(num_classes): pass", "fails: TypeError"),
        ("def build(**kwargs): return 3", r"must return a torch\.nn\.Module; found 'int'"),
        ("from torch import nn\ndef build(**kwargs): return nn.Identity()", "no parameters"),
        (
            GOOD.replace("Linear(width, num_classes)", "Linear(width, 23)"),
            r"wrong shape; found \(2, 23\); allowed: \(2, 24\)",
        ),
        (GOOD.replace("self.head(self", "self.head.double()(self"), "fails on 32 x 32 images: RuntimeError"),
        (GOOD.replace(".mean((2, 3))))", ".mean((2, 3)))).double()"), r"wrong type; found 'torch.float64'"),
        (GOOD.replace(".mean((2, 3))))", ".mean((2, 3)))).log() * float('nan')"), "not finite"),
        (GOOD.replace("return self.head", "return x, self.head"), r"one tensor; found 'tuple'"),
        (GOOD.replace("nn.Conv2d(in_chans, width, 3)", "nn.Conv2d(in_chans, width, 99)"), "fails on 32 x 32 images"),
    ],
)
def test_wrong_code_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    spec, folder = own(tmp_path, text)
    with pytest.raises(InputError, match=message):
        build(spec, folder, img_size=32)


def test_missing_file_unknown_name_bad_kwargs_and_size(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.factory: no such file; found 'model\.py'"):
        build({"factory": "model.py:build"}, tmp_path, img_size=32)
    with pytest.raises(InputError, match=r"no such architecture; found 'resnet5'.*resnet50"):
        build({"timm": "resnet5"}, img_size=32)
    with pytest.raises(InputError, match="timm cannot build test_efficientnet: TypeError"):
        build({"timm": "test_efficientnet", "kwargs": {"no_such_option": 1}}, img_size=32)
    with pytest.raises(InputError, match="takes images of 48 pixels and more, not 32"):
        build({"timm": "test_efficientnet", "image_size": {"min": 48}}, img_size=32)
    with pytest.raises(InputError, match="inception_v3 fails on 64 x 64 images"):
        build({"timm": "inception_v3"}, img_size=64)


def test_running_out_of_memory_is_not_dressed_as_a_mistake(tmp_path: Path) -> None:
    spec, folder = own(tmp_path, "def build(**kwargs): raise MemoryError")
    with pytest.raises(MemoryError):
        build(spec, folder, img_size=32)


class Noise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand(x.shape)


def test_probe_leaves_modes_statistics_and_generators_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), Noise(), nn.Linear(144, 24)).train()
    network(torch.ones(2, 3, 8, 8))
    network[1].eval()
    mean, state = network[1].running_mean.clone(), torch.get_rng_state()  # type: ignore[operator, union-attr]
    probe(network, "mine", num_classes=24, in_chans=3, img_size=8)
    assert [module.training for module in network] == [True, False, True, True, True]
    assert torch.equal(mean, network[1].running_mean)
    assert torch.equal(state, torch.get_rng_state())


def test_describe_timm() -> None:
    assert describe_timm("vit_tiny_patch16_224") == (True, 16)
    assert describe_timm("resnet18") == (False, 1)


@pytest.mark.parametrize("name", submissions.names())
def test_shipped_shapes_at_every_track_size(name: str) -> None:
    """Without memory or arithmetic: every shipped submission at every size that it says it takes."""
    item = submissions.load(name)
    of_tracks = {tracks.load(track).preprocess.size for track in tracks.names()}
    sizes = [size for size in of_tracks if item.takes(size) is None]
    assert 224 in sizes
    for size in sizes:
        with torch.device("meta"):
            assert next(build(item.spec.model, item.folder, img_size=size).parameters()).is_meta


@pytest.mark.parametrize("name", SMALL)
def test_small_shipped_submissions_answer_at_the_pocket_size(name: str) -> None:
    item = submissions.load(name)
    network = build(item.spec.model, item.folder, img_size=64)
    assert torch.isfinite(network.eval()(torch.rand(2, 3, 64, 64))).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", submissions.names())
def test_shipped_submissions_train_at_every_track_size(name: str) -> None:
    item = submissions.load(name)
    sizes = [size for size in SIZES if item.takes(size) is None]

    def once(size: int) -> Pass:
        """Of two images, or of one where they are large."""
        return rehearse(item.spec.model, item.folder, img_size=size, batch=1 if size == max(SIZES) else 2)

    found = {size: once(size) for size in sizes}
    assert {one.untouched for one in found.values()} == {()}
    assert once(sizes[0]).digest == found[sizes[0]].digest


def test_declared_limits_are_real() -> None:
    """Below its declared least size inception-v3 indeed cannot answer, and at it it can."""
    item = submissions.load("inception-v3")
    least = item.spec.model.image_size.min
    free = ModelSpec(timm=item.spec.model.timm)
    with torch.device("meta"):
        build(free, img_size=least)
        with pytest.raises(InputError, match="fails on"):
            build(free, img_size=least - 1)
