"""What a rehearsal counts, compares and refuses; that it runs in a sandbox is tested in tests/checking."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmark.errors import InputError
from benchmark.job import Start
from benchmark.submission import ModelSpec
from benchmark.training.rehearsal import multiply_adds, rehearse
from tests.training.test_model import GOOD, own
from tests.training.test_weights import stored


def test_it_repeats_and_names_untouched_parameters(tmp_path: Path) -> None:
    text = GOOD.replace("self.seen = img_size", "self.spare = nn.Linear(2, 2)")
    spec, folder = own(tmp_path, text)
    state = torch.get_rng_state()
    first, again, other = (rehearse(spec, folder, img_size=32, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    assert first.initial == again.initial != other.initial
    assert first.untouched == ("spare.weight", "spare.bias")
    assert first.parameters == 3 * 4 * 9 + 4 + 4 * 24 + 24 + 6
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.are_deterministic_algorithms_enabled()


def test_it_sees_hidden_randomness_and_a_wrong_training_mode(tmp_path: Path) -> None:
    noisy = GOOD.replace("self.body(x)", "(self.body(x) + int.from_bytes(__import__('os').urandom(2)) / 1000)")
    spec, folder = own(tmp_path, noisy)
    assert rehearse(spec, folder, img_size=32).digest != rehearse(spec, folder, img_size=32).digest
    text = GOOD.replace("return self.head", "if self.training: return []\n        return self.head")
    spec, folder = own(tmp_path, text)
    with pytest.raises(InputError, match="one tensor; found 'list'"):
        rehearse(spec, folder, img_size=32)


def test_multiply_adds_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 24))
    network[1].eval()
    assert multiply_adds(network, 16) == 8 * 8 * 8 * 3 * 9 + 8 * 64 * 24
    assert [module.training for module in network] == [True, False, True, True]


@pytest.mark.parametrize(("name", "millions"), [("resnet18", 1814), ("vit_tiny_patch16_224", 1258)])
def test_multiply_adds_as_published(name: str, millions: float) -> None:
    """He et al. 2016, table 1, give 1.8 billion for ResNet-18, DeiT's repository 1.3 for ViT-Ti."""
    import timm

    found = multiply_adds(timm.create_model(name), 224)
    assert found is not None and found / 1e6 == pytest.approx(millions, rel=0.02)


def test_held_bytes_grow_with_the_batch_and_leave_out_the_weights(tmp_path: Path) -> None:
    spec, folder = own(tmp_path)
    small, large = (rehearse(spec, folder, img_size=32, batch=batch) for batch in (4, 8))
    images = 4 * 3 * 32 * 32 * 4
    assert images <= small.held < 4 * images
    assert large.held == pytest.approx(2 * small.held, rel=0.01)


def test_weights_are_loaded_by_the_declared_classifier(tmp_path: Path) -> None:
    spec, folder = own(tmp_path)
    other = {
        "body.weight": torch.ones(4, 3, 3, 3), "body.bias": torch.ones(4), "head.weight": torch.ones(1000, 4),
        "head.bias": torch.ones(1000),
    }  # fmt: skip
    start = Start(kind="imagenet", file="x", classifier="head")
    found = rehearse(spec, folder, img_size=32, weights=(stored(tmp_path, other), start))
    assert found.loaded == (2, ("head.bias", "head.weight"))
    assert torch.equal(found.network.state_dict()["body.weight"], other["body.weight"])


def test_the_harness_keeps_its_own_settings_apart(tmp_path: Path) -> None:
    text = GOOD.replace("def build(", "import torch\ntorch.set_num_threads(torch.get_num_threads() + 1)\ndef build(")
    spec, folder = own(tmp_path, text)
    before = torch.get_num_threads()
    try:
        with pytest.raises(InputError, match="changes torch's number of threads"):
            rehearse(spec, folder, img_size=32)
    finally:
        torch.set_num_threads(before)


FORBIDDEN = """
import resource, sys
from benchmark.training.rehearsal import forbid, limit_memory
forbid()
for action in (
    "import os; os.fork()", "import os; os.system('true')", "import subprocess; subprocess.run(['true'])",
    "import socket; socket.create_connection(('127.0.0.1', 9))", "import os; os.posix_spawn('/bin/true', ['true'], {})",
):
    try:
        exec(action)
    except PermissionError as error:
        print(error)
limit_memory(1 << 28)
try:
    bytearray(1 << 29)
except MemoryError:
    print("no memory")
"""


def test_what_is_forbidden_is_refused_in_plain_words() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORBIDDEN], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.splitlines() == [
        "a model may not start processes (os.fork)", "a model may not start processes (os.system)",
        "a model may not start processes (subprocess.Popen)", "a model may not use a network (socket.getaddrinfo)",
        "a model may not start processes (os.posix_spawn)", "no memory",
    ]  # fmt: skip


def test_an_unknown_architecture_is_an_error() -> None:
    with pytest.raises(InputError, match="timm knows no such architecture"):
        rehearse(ModelSpec(timm="resnet19"), None, img_size=32)
