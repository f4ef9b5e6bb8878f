"""Loading ImageNet weights: equal to timm's own loading, strict, and really ImageNet's."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from torch import nn

from benchmark import submission as submissions
from benchmark.errors import InputError
from benchmark.pretrained import locate
from benchmark.training.model import build
from benchmark.training.weights import load_imagenet

PALACE = 698
SWIN = {"embed_dim": 24, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 4, 8]}


def stored(tmp_path: Path, state: dict[str, torch.Tensor]) -> Path:
    path = tmp_path / "model.safetensors"
    save_file({key: tensor.contiguous().clone() for key, tensor in state.items()}, path)
    return path


def other_weights(architecture: str, **kwargs: Any) -> dict[str, torch.Tensor]:
    """A whole ImageNet-like state, with running statistics that are not those of a new model."""
    torch.manual_seed(99)
    state = timm.create_model(architecture, num_classes=1000, **kwargs).state_dict()
    return {key: torch.rand_like(value) + 0.5 if "running_" in key else value for key, value in state.items()}


@pytest.mark.parametrize(
    ("architecture", "kwargs", "native", "size"),
    [
        ("test_efficientnet", {}, None, 64),
        ("test_vit", {}, 160, 64),
        ("swin_tiny_patch4_window7_224", SWIN, 224, 64),
        ("swin_tiny_patch4_window7_224", SWIN, 224, 48),
        ("convnext_atto", {}, None, 64),
        ("mobilenetv3_small_050", {}, None, 64),
        pytest.param("densenet121", {}, None, 64, marks=pytest.mark.slow),
        pytest.param("xception41", {}, None, 64, marks=pytest.mark.slow),
        pytest.param("inception_v3", {}, None, 96, marks=pytest.mark.slow),
        pytest.param("vgg16_bn", {}, None, 64, marks=pytest.mark.slow),
    ],
)
def test_the_same_as_timm_does(
    tmp_path: Path, architecture: str, kwargs: dict[str, Any], native: int | None, size: int
) -> None:
    """timm's own loader is the reference, for every tensor but the classifier's."""
    path = stored(tmp_path, other_weights(architecture, **kwargs, **({"img_size": native} if native else {})))
    sized = {"img_size": size} if native else {}
    overlay = {"file": str(path), "num_classes": 1000, "custom_load": False}
    wanted = timm.create_model(
        architecture, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=24, **kwargs, **sized
    )
    torch.manual_seed(1)
    network = build({"timm": architecture, "kwargs": kwargs, "img_size_argument": bool(native)}, img_size=size)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    found = load_imagenet(network, path)
    head = network.pretrained_cfg["classifier"]
    assert set(found.dropped) == {f"{head}.weight", f"{head}.bias"}
    for key, value in network.state_dict().items():
        reference = before if key.startswith(head + ".") else wanted.state_dict()
        torch.testing.assert_close(value, reference[key], rtol=0, atol=0, msg=key)


def test_old_names_of_torchvision_are_understood(tmp_path: Path) -> None:
    kept = {
        key: value for key, value in other_weights("densenet121").items() if not key.endswith("num_batches_tracked")
    }
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", key): value for key, value in kept.items()}
    assert len(old.keys() - kept.keys()) == 58 * 10
    network = build({"timm": "densenet121"}, img_size=64)
    assert load_imagenet(network, stored(tmp_path, old)).matched == len(kept) - 2
    key = "features.denseblock1.denselayer1.norm1.weight"
    assert torch.equal(network.state_dict()[key], kept[key])


def test_a_classifier_of_the_same_size_is_taken(tmp_path: Path) -> None:
    state = other_weights("test_efficientnet")
    network = build({"timm": "test_efficientnet"}, num_classes=1000, img_size=64)
    found = load_imagenet(network, stored(tmp_path, state))
    assert found == (len(state), ())
    assert torch.equal(network.state_dict()["classifier.bias"], state["classifier.bias"])


def test_everything_but_the_classifier_is_strict(tmp_path: Path) -> None:
    state = other_weights("test_efficientnet")
    network = build({"timm": "test_efficientnet"}, img_size=64)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    del state["conv_stem.weight"]
    with pytest.raises(InputError, match=r"conv_stem\.weight: 1 tensors of the model are not in the file"):
        load_imagenet(network, stored(tmp_path, state))
    state["conv_stem.weight"] = torch.zeros(1, 3, 3, 3)
    with pytest.raises(
        InputError, match=r"conv_stem\.weight: the tensor has the wrong shape; found \(1, 3, 3, 3\); allowed: \("
    ):
        load_imagenet(network, stored(tmp_path, state))
    state["conv_stem.weight"] = before["conv_stem.weight"]
    with pytest.raises(InputError, match=r"AuxLogits\.fc\.weight: the model has no such tensor"):
        load_imagenet(network, stored(tmp_path, {**state, "AuxLogits.fc.weight": torch.zeros(1)}))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    load_imagenet(network, stored(tmp_path, {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}))
    with pytest.raises(InputError, match=r"timm cannot fit|not in the file|no such tensor"):
        load_imagenet(build({"timm": "test_vit"}, img_size=160), stored(tmp_path, state))


def test_a_declared_classifier_is_never_taken_and_must_be_there(tmp_path: Path) -> None:
    """It need be neither the last layer nor linear, and its shape does not matter."""

    def make() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 24, 1), nn.Flatten(), nn.Linear(24, 24))

    kept, network = make().state_dict(), make()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert load_imagenet(network, stored(tmp_path, kept), classifier="0") == (2, ("0.bias", "0.weight"))
    after = network.state_dict()
    assert torch.equal(after["0.weight"], before["0.weight"]) and torch.equal(after["2.weight"], kept["2.weight"])
    with pytest.raises(
        InputError, match=r"weights\.classifier: the model has no such layer; found 'head'; allowed: 0, 2"
    ):
        load_imagenet(network, stored(tmp_path, kept), classifier="head")
    del kept["0.weight"], kept["0.bias"]
    assert load_imagenet(network, stored(tmp_path, kept), classifier="0").dropped == ()


def test_own_networks_may_differ_in_the_last_linear_layer_alone(tmp_path: Path) -> None:
    def make(hidden: int, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(12, hidden), nn.ReLU(), nn.Linear(hidden, classes))

    path, network = stored(tmp_path, make(5, 1000).state_dict()), make(5, 24)
    assert load_imagenet(network, path) == (2, ("3.bias", "3.weight"))
    assert load_imagenet(network, path, classifier="3") == (2, ("3.bias", "3.weight"))
    with pytest.raises(
        InputError, match=r"1\.bias: the tensor has the wrong shape|1\.weight: the tensor has the wrong shape"
    ):
        load_imagenet(make(6, 24), path)


class Mark:
    """Pickles into a call that makes a file: what an unsafe loader would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_files_that_cannot_be_trusted_or_read(tmp_path: Path) -> None:
    network, mark = build({"timm": "test_efficientnet"}, img_size=64), tmp_path / "ran"
    evil = tmp_path / "evil.pth"
    torch.save({"conv_stem.weight": Mark(mark)}, evil)
    with pytest.raises(InputError, match=r"evil\.pth: not a plain file of tensors"):
        load_imagenet(network, evil, "efficientnet-lite")
    evil.write_bytes(pickle.dumps(Mark(mark)))
    with pytest.raises(InputError, match=r"evil\.pth"):
        load_imagenet(network, evil, "efficientnet-lite")
    assert not mark.exists()
    with pytest.raises(InputError, match=r"must be safetensors; found '\.pth'"):
        load_imagenet(network, evil)
    torch.save({"epoch": 3}, evil)
    with pytest.raises(InputError, match="names and tensors"):
        load_imagenet(network, evil, "efficientnet-lite")
    broken = stored(tmp_path, network.state_dict())
    broken.write_bytes(broken.read_bytes()[:-10])
    with pytest.raises(InputError, match="cannot be read"):
        load_imagenet(network, broken)
    with pytest.raises(InputError, match=r"no such layout.*allowed: efficientnet-lite"):
        load_imagenet(network, stored(tmp_path, network.state_dict()), "pytorch")


def photograph(side: int = 224) -> torch.Tensor:
    """The middle of scikit-learn's china.jpg (a palace by a lake), as the Lite models want it: (1, 3, side, side)."""
    whole = Image.fromarray(load_sample_image("china.jpg"))
    short = min(whole.size)
    left, top = (whole.width - short) // 2, (whole.height - short) // 2
    small = whole.crop((left, top, left + short, top + short)).resize((side, side), Image.Resampling.BICUBIC)
    return (torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_wheels_are_imagenet_weights(number: int) -> None:
    """Every key matches, and with its own 1000 classes the network knows a palace when it sees one."""
    item = submissions.load(f"tf-efficientnet-lite{number}")
    assert item.spec.weights is not None
    located = locate(item.spec.weights)
    network = build(item.spec.model, num_classes=1000, img_size=224).eval()
    assert load_imagenet(network, located.path, located.layout).dropped == ()
    plain = build({"timm": f"efficientnet_lite{number}"}, num_classes=1000, img_size=224).eval()
    assert load_imagenet(plain, located.path, located.layout).dropped == ()
    with torch.inference_mode():
        answer, trap = network(photograph()).softmax(1)[0], plain(photograph()).softmax(1)[0]
    assert int(answer.argmax()) == PALACE
    assert float(answer[PALACE]) > 0.2
    assert float((answer - trap).abs().max()) > 0.01, "the plain variant is a trap: it loads, and answers otherwise"


def test_the_wheels_leave_the_new_classifier_as_it_was_drawn() -> None:
    item = submissions.load("tf-efficientnet-lite0")
    assert item.spec.weights is not None
    located, network = locate(item.spec.weights), build(item.spec.model, img_size=64)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    found = load_imagenet(network, located.path, located.layout)
    same = {key for key, value in network.state_dict().items() if torch.equal(value, before[key])}
    assert found.dropped == ("classifier.bias", "classifier.weight")
    assert {"classifier.bias", "classifier.weight"} == {key for key in same if "num_batches" not in key}
    assert found.matched == len(before) - 2


def test_a_wheel_of_another_size_does_not_fit() -> None:
    item = submissions.load("tf-efficientnet-lite2")
    assert item.spec.weights is not None
    located = locate(item.spec.weights)
    for architecture in ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "test_efficientnet", "resnet18"):
        with pytest.raises(InputError):
            load_imagenet(build({"timm": architecture}, img_size=64), located.path, located.layout)
