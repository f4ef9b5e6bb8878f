"""Prints of networks: the same for the same computation however it is written, others for any other."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.submission import ModelSpec
from benchmark.training.structure import Prints, answer, graph, main, prints

IMAGES = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(5))


class Plain(nn.Module):
    def __init__(self, width: int = 8, act: Callable[[], nn.Module] = nn.ReLU, kernel: int = 3, drop: float = 0.0):
        super().__init__()
        self.stem = nn.Conv2d(3, width, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(width)
        self.body = nn.Conv2d(width, width, 3, padding=1)
        self.act, self.drop = act(), nn.Dropout(drop)
        self.head = nn.Linear(width, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.stem(x)))
        x = x + self.act(self.body(x))
        return self.head(self.drop(x.mean((2, 3))))


class Renamed(nn.Module):
    """The same under other names, in another order, by functions, with a layer that nothing reads."""

    def __init__(self, channels: int = 8):
        super().__init__()
        self.z = nn.Linear(channels, 24)
        self.never = nn.Conv2d(3, 99, 5)
        self.inner = nn.ModuleDict({"b": nn.Sequential(nn.Conv2d(channels, channels, (3, 3), 1, 1), nn.ReLU(True))})
        self.n = nn.BatchNorm2d(num_features=channels)
        self.a = nn.Conv2d(in_channels=3, out_channels=channels, kernel_size=(3, 3), padding=(1, 1))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.n(self.a(y))).clone()
        y = self.inner["b"](y) + y
        return self.z(y.mean(dim=[2, 3]).view(-1, self.z.in_features))


class Rewritten(Plain):
    """The same by other operations."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.stem(x)))
        x = self.act(self.body(x)).mul(1.0).add_(x)
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Twice(Plain):
    """A layer more; its weights may be those of the layer before."""

    def __init__(self, shared: bool):
        super().__init__()
        self.more = self.body if shared else nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.stem(x)))
        for layer in (self.body, self.more):
            x = x + self.act(layer(x))
        return self.head(x.mean((2, 3)))


class Slices(Plain):
    """Writes into parts of a tensor that was made before."""

    def __init__(self, part: int):
        super().__init__()
        self.part = part

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(x))
        y = torch.zeros(len(x), 16, *x.shape[2:])
        y[:, :8] = x
        y[:, self.part : self.part + 8] = self.act(self.body(x))
        return self.head((y[:, :8] + y[:, 8:]).mean((2, 3)))


def test_names_order_wrappers_and_dead_layers_do_not_count() -> None:
    assert graph(Renamed(), IMAGES) == graph(Plain(), IMAGES)
    assert graph(Renamed(), IMAGES, training=True) == graph(Plain(), IMAGES, training=True)
    assert graph(Plain(), IMAGES).parameters == sum(p.numel() for p in Plain().parameters())


def test_initial_weights_do_not_count() -> None:
    torch.manual_seed(1)
    first = graph(Plain(), IMAGES)
    torch.manual_seed(2)
    assert graph(Plain(), IMAGES) == first


def test_another_computation_is_another_graph() -> None:
    others = {
        "plain": Plain(), "width": Plain(width=9), "activation": Plain(act=nn.GELU), "kernel": Plain(kernel=5),
        "deeper": Twice(False), "shared": Twice(True), "slices": Slices(8), "overlapping": Slices(4),
    }  # fmt: skip
    found = {name: graph(network, IMAGES).digest for name, network in others.items()}
    assert len(set(found.values())) == len(others), found


def test_dropout_shows_in_training_only() -> None:
    plain, dropped = Plain(), Plain(drop=0.3)
    assert graph(plain, IMAGES) == graph(dropped, IMAGES)
    assert graph(plain, IMAGES, training=True) != graph(dropped, IMAGES, training=True)
    assert graph(Plain(drop=0.2), IMAGES, training=True) != graph(dropped, IMAGES, training=True)


def test_a_network_rewritten_with_other_operations_answers_the_same() -> None:
    assert graph(Rewritten(), IMAGES) != graph(Plain(), IMAGES)
    assert answer(Rewritten(), IMAGES) == pytest.approx(answer(Plain(), IMAGES), rel=1e-9)
    assert answer(Plain(act=nn.GELU), IMAGES) != pytest.approx(answer(Plain(), IMAGES), rel=1e-3)
    assert answer(Twice(False), IMAGES) == answer(Twice(True), IMAGES), "told apart by how many numbers they read"
    assert graph(Twice(False), IMAGES).parameters > graph(Twice(True), IMAGES).parameters


def test_a_network_whose_answer_says_nothing_has_none() -> None:
    class Blind(Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x * 0)

    class Single(Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.float())

    assert answer(Blind(), IMAGES) is None
    assert answer(Single(), IMAGES) is None, "no double precision"


def test_timm_is_found_behind_a_factory_and_as_a_process(tmp_path: Path) -> None:
    code = tmp_path / "code" / "mine"
    code.mkdir(parents=True)
    (code / "model.py").write_text(
        "import timm\nprint('noise')\ndef build(num_classes, in_chans, img_size, **kw):\n"
        "    return timm.create_model('mobilenetv3_small_050', num_classes=num_classes, in_chans=in_chans, **kw)\n"
    )
    mine = ModelSpec(factory="model.py:build").model_dump(mode="json")
    theirs = ModelSpec(timm="mobilenetv3_small_050", kwargs={"drop_rate": 0.0}).model_dump(mode="json")
    wider = ModelSpec(timm="mobilenetv3_small_075").model_dump(mode="json")
    broken = ModelSpec(timm="no_such_net").model_dump(mode="json")
    models = {"mine": mine, "theirs": theirs, "wider": wider, "broken": broken}
    (tmp_path / "ask.json").write_text(json.dumps({"image_size": 32, "models": models}))
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.training.structure", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "noise" not in done.stdout and "noise" in done.stderr
    told = json.loads(done.stdout.strip())
    assert told["mine"] == told["theirs"] and told["mine"]["answer"] is not None
    assert told["wider"]["graph"] != told["mine"]["graph"]
    assert "timm knows no such architecture" in told["broken"]["error"]
    assert Prints(**told["wider"] | {"answer": tuple(told["wider"]["answer"])}) == prints(wider, None, 32)


def test_the_answer_of_a_folder_is_by_name(tmp_path: Path) -> None:
    (tmp_path / "ask.json").write_text(json.dumps({"image_size": 32, "models": {}}))
    assert main(tmp_path) == {}
