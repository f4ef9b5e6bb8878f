"""How much work a fixed training does, in figures that no clock decides: a guard against doing more than is needed."""

from collections import Counter
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.track import Augment, Recipe
from benchmark.training import step
from benchmark.training.loop import train
from benchmark.training.predict import Normaliser
from benchmark.training.step import Images

EPOCHS, BATCH, TRAINING, VALIDATION = 3, 8, 40, 12


class Counted(TorchDispatchMode):
    """Counts the operations that reach the device."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture
def calls() -> Counter[str]:
    return train_counted(record=False)


def train_counted(record: bool) -> Counter[str]:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2, groups=8), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 24),
    )  # fmt: skip
    random = torch.Generator().manual_seed(0)
    parts = [
        Images(torch.randint(0, 256, (count, 16, 16), dtype=torch.uint8, generator=random), torch.arange(count) % 24)
        for count in (TRAINING, VALIDATION)
    ]
    augment = Augment(rotate=10, shear=5, scale=0.1, translate=0.05, bend=0.1, gain=0.2, gamma=0.2, noise=0.02)
    recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, lr=0.01, augment=augment)
    with Counted() as counted:
        train(
            model, *parts, recipe, EPOCHS, 0, Normaliser((0.5,) * 3, (0.5,) * 3, torch.device("cpu")), lambda line: None,
            record=record,
        )  # fmt: skip
    return counted.calls


STEPS = EPOCHS * (TRAINING // BATCH)
BATCHES = EPOCHS * -(-VALIDATION // BATCH)


def test_steps_and_passes(calls: Counter[str]) -> None:
    assert calls["_fused_adamw_"] == 2 * STEPS, "one fused call a step and group of parameters"
    assert calls["convolution"] == 2 * STEPS and calls["conv2d"] == 2 * BATCHES, "training and one validation an epoch"
    assert calls["convolution_backward"] == 2 * STEPS


def test_the_device_is_waited_for_once_an_epoch_and_not_in_a_step(calls: Counter[str]) -> None:
    assert calls["_local_scalar_dense"] - augmenting(calls) == EPOCHS, "only the epoch's loss is read"


def augmenting(calls: Counter[str]) -> int:
    """Numbers that the augmenter reads of its generator, which is on the CPU and makes nobody wait: one a step."""
    return STEPS


def test_a_batch_is_resampled_once(calls: Counter[str]) -> None:
    assert calls["grid_sampler_2d"] == STEPS


def test_what_a_recorded_training_needs_is_brought_to_the_device_a_chunk_at_a_time(calls: Counter[str]) -> None:
    """Eight copies a chunk (rows, rates and six parts of the augmentation); within a step only the rate is moved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "LONGEST_CHUNK", 2)
        recorded = train_counted(record=True)
    chunks = EPOCHS * -(-(TRAINING // BATCH) // 2)
    assert recorded["copy_"] - calls["copy_"] == 8 * chunks + STEPS
    first = 2  # only the first chunk is drawn by this thread, which is the one that is counted
    assert recorded["_local_scalar_dense"] - first == EPOCHS, "the host waits once an epoch"


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_a_network_is_one_graph(name: str) -> None:
    model = timm.create_model(name, num_classes=24, **({"img_size": 32} if "vit" in name else {})).train()
    found = torch._dynamo.explain(model)(torch.rand(2, 3, 32, 32))
    assert (found.graph_count, found.graph_break_count) == (1, 0)
