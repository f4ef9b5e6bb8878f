"""The step that a GPU records: what can be seen of it without one."""

from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmark.track import Augment, Recipe
from benchmark.training import step as module
from benchmark.training.augment import Augmenter, Drawn
from benchmark.training.environment import make_deterministic
from benchmark.training.loop import train
from benchmark.training.predict import Normaliser
from benchmark.training.step import Called, Images, Recorded, drawn_ahead, steps_of

BATCH, SIDE = 8, 32
AUGMENT = Augment(rotate=10, shear=5, scale=0.1, translate=0.05, bend=0.1, gain=0.2, gamma=0.2, noise=0.02)
RECIPE = Recipe(epochs=3, batch_size=BATCH, lr=0.01, augment=AUGMENT)


def images(count: int) -> Images:
    random = torch.Generator().manual_seed(count)
    pixels = torch.randint(0, 256, (count, SIDE, SIDE), dtype=torch.uint8, generator=random)
    return Images(pixels, torch.arange(count) % 24)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=4, bias=False), nn.BatchNorm2d(8), nn.Hardswish(), nn.Dropout(0.1), nn.Flatten(), nn.Linear(392, 24)
    )  # fmt: skip


def trained(record: bool, recipe: Recipe = RECIPE) -> tuple[nn.Module, list[dict[str, Any]]]:
    make_deterministic(3, 1)
    lines: list[dict[str, Any]] = []
    normalise = Normaliser((0.5,) * 3, (0.5,) * 3, torch.device("cpu"))
    model = train(network(), images(60), images(20), recipe, recipe.epochs, 3, normalise, lines.append, record=record)
    return model, lines


@pytest.mark.parametrize("chunk", [1, 3, 32])
def test_a_step_fed_from_the_device_trains_as_one_that_is_called(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(module, "LONGEST_CHUNK", chunk)
    (called, told), (fed, said) = trained(False), trained(True)
    for a, b in zip(called.state_dict().values(), fed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert [line["lr"] for line in told] == [line["lr"] for line in said]
    for before, after in zip(told, said, strict=True):
        assert after["loss"] == pytest.approx(before["loss"], abs=1e-4) and after["images"] == before["images"]


def test_large_images_come_in_smaller_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 2 * BATCH * SIDE**2 * 4)
    normalise = Normaliser((0.5,) * 3, (0.5,) * 3, torch.device("cpu"))
    steps = steps_of(network(), images(60), RECIPE, normalise, 1, 2, record=True)
    assert isinstance(steps, Recorded) and steps.chunk == 2
    quiet = RECIPE.model_copy(update={"augment": Augment()})
    steps = steps_of(network(), images(60), quiet, normalise, 1, 2, record=True)
    assert isinstance(steps, Recorded) and steps.chunk == 60 // BATCH, "nothing large to bring: a whole epoch"


@pytest.mark.parametrize("record", [False, True])
def test_gradients_are_not_held_from_step_to_step(record: bool) -> None:
    normalise, of = Normaliser((0.5,) * 3, (0.5,) * 3, torch.device("cpu")), network()
    steps = steps_of(of, images(7 * BATCH), RECIPE, normalise, 1, 1, record=record)
    before = [one.detach().clone() for one in of.parameters()]
    for _ in steps.epoch(torch.arange(7 * BATCH).view(7, BATCH), [0.01] * 7):
        assert all(one.grad is None for one in of.parameters()), "they lie in the way of the next forward pass"
    assert not any(torch.equal(a, b) for a, b in zip(before, of.parameters(), strict=True))


def test_what_is_drawn_ahead_is_what_would_be_drawn_then() -> None:
    ahead = [*drawn_ahead(Augmenter(AUGMENT, 5), [3, 3, 1], 4, SIDE)]
    now = Augmenter(AUGMENT, 5)
    assert [len(chunk.gain) for chunk in ahead] == [3, 3, 1]
    for chunk in ahead:
        for row in range(len(chunk.gain)):
            for part, wanted in zip(chunk, now.draw(4, SIDE), strict=True):
                assert torch.equal(part[row], wanted)


def test_a_network_with_code_of_its_own_is_called() -> None:
    normalise = Normaliser((0.5,) * 3, (0.5,) * 3, torch.device("cpu"))
    assert isinstance(steps_of(network(), images(20), RECIPE, normalise, 1, 2, record=False), Called)


ARCHITECTURES = ("test_efficientnet", "test_convnext", "test_vit", "test_resnet")


def architecture(name: str) -> nn.Module:
    model: nn.Module = timm.create_model(name, num_classes=24, **({"img_size": SIDE} if "vit" in name else {}))
    return model.train()


def shapes_only(model: nn.Module, device: str) -> None:
    """Give a network tensors that have shapes and a device, but no values; within a `FakeTensorMode`."""
    for module_ in model.modules():
        for kept in (module_._parameters, module_._buffers):
            for name, tensor in kept.items():
                if tensor is not None:
                    bare = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
                    kept[name] = nn.Parameter(bare) if isinstance(tensor, nn.Parameter) else bare


def recorded(model: nn.Module, device: str) -> Recorded:
    """Steps of a network without values, with the places that a chunk would fill."""
    shapes_only(model, device)
    pixels = torch.empty(60, SIDE, SIDE, dtype=torch.uint8, device=device)
    labels = torch.empty(60, dtype=torch.int64, device=device)
    normalise = Normaliser((0.5,) * 3, (0.5,) * 3, torch.device(device))
    steps = steps_of(model, Images(pixels, labels), RECIPE, normalise, 1, 2, record=True)
    assert isinstance(steps, Recorded)
    rows = steps.chunk
    shapes: list[tuple[tuple[int, ...], torch.dtype]] = [
        ((rows, BATCH), torch.int64), ((rows,), torch.float32), ((rows, BATCH, 2, 3), torch.float32),
        *[((rows, BATCH), torch.float32)] * 4, ((rows, BATCH, 1, SIDE, SIDE), torch.float32),
    ]  # fmt: skip
    steps._here = [torch.empty(shape, dtype=dtype, device=device) for shape, dtype in shapes]
    return steps


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_step_asks_nothing_of_the_host(name: str) -> None:
    """Whoever reads a value, or decides by one, raises an error."""
    model = architecture(name)
    with FakeTensorMode():
        steps = recorded(model, "cpu")
        for _ in range(2):
            steps.body()
        with pytest.raises(Exception, match="_local_scalar_dense"):
            float(steps.step.total)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_of_a_forward_pass_stays_on_the_gpu(name: str) -> None:
    """Whatever mixes in a tensor of the processor raises an error."""
    model = architecture(name)
    with FakeTensorMode():
        steps = recorded(model, "cuda")
        chosen, _, *drawn = (part.index_select(0, steps._next)[0] for part in steps._here)
        loss = steps.step.loss(chosen, Drawn(*drawn))
        assert loss.device.type == "cuda" and loss.shape == ()
        assert steps.step.update.param_groups[0]["capturable"] is True
        assert steps.step.update.param_groups[0]["lr"] is steps.rate
        with pytest.raises(Exception, match="same device"):
            steps.step.loss(chosen, Drawn(*(part.cpu() for part in drawn)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that this torch can use")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_recorded_training_is_the_called_one_and_the_same_bits_twice(name: str) -> None:
    device = torch.device("cuda")

    def once(record: bool) -> list[torch.Tensor]:
        make_deterministic(3, 1)
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            torch.manual_seed(0)
            model = architecture(name).to(device)
            parts = [Images(p.pixels.to(device), p.labels.to(device)) for p in (images(60), images(20))]
            normalise = Normaliser((0.5,) * 3, (0.5,) * 3, device)
            train(model, *parts, RECIPE, RECIPE.epochs, 3, normalise, lambda line: None, record=record)
        stream.synchronize()
        return [tensor.cpu() for tensor in model.state_dict().values()]

    first, again, called = once(True), once(True), once(False)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for a, b in zip(first, called, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(("device", "precision", "threads", "wanted"), [
    ("cpu", "fp32", 1, True), ("cpu", "fp32", 2, True), ("cpu", "fp32", 3, False), ("cpu", "bf16", 1, False),
    ("cuda", "fp32", 1, False),
])  # fmt: skip
def test_layers_of_ours_are_for_few_threads_of_a_processor(
    device: str, precision: str, threads: int, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert module.faster(torch.device(device), RECIPE.model_copy(update={"precision": precision})) is wanted
