"""When a probe ends and what it chooses; that it runs in a sandbox is tested in tests/test_memory_format.py."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from benchmark.job import Formats, MemoryFormat, Pace, Probe
from benchmark.track import Recipe
from benchmark.training import formats, step
from benchmark.training.formats import measure_while, seconds_of
from benchmark.training.model import build
from benchmark.training.predict import finished


def clock(*contiguous: float) -> Callable[[MemoryFormat], float]:
    """A step takes a second channels last, and so much contiguous in one round after the other."""
    left = list(contiguous)
    return lambda form: 1.0 if form == "channels-last" else left.pop(0)


@pytest.mark.parametrize(("contiguous", "rounds", "choice"), [
    ((0.7, 0.8, 0.9), 3, "contiguous"),
    ((0.95, 0.87, 0.87), 3, "contiguous"),
    ((0.95, 0.88, 0.88), 3, "channels-last"),
    ((2.0, 0.1, 0.1), 1, "channels-last"),
    ((0.5, 1.0, 0.5), 2, "channels-last"),
    ((0.5, 0.5, 1.1), 3, "channels-last"),
])  # fmt: skip
def test_contiguous_must_be_faster_by_the_margin_and_in_every_round(
    contiguous: tuple[float, ...], rounds: int, choice: str
) -> None:
    found = finished(measure_while(clock(*contiguous)))
    assert (len(found.rounds), found.choice) == (rounds, choice)
    assert [one.contiguous for one in found.rounds] == list(contiguous[:rounds])


def test_a_round_that_was_left_out_chooses_the_usual_format() -> None:
    assert Formats(rounds=(Pace(channels_last=1, contiguous=0.1),)).choice == "channels-last"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_seconds_are_seconds(seconds: float) -> None:
    with pytest.raises(ValidationError):
        Pace(channels_last=1.0, contiguous=seconds)


@pytest.mark.parametrize("form", ["channels-last", "contiguous"])
def test_what_is_timed_is_training_in_that_format(form: MemoryFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images and kernels lie as asked, also after the other format; the batch is the recipe's."""
    seen: list[tuple[int, bool]] = []

    def watch(self: step.Step, chosen: Any, drawn: Any) -> None:
        before(self, chosen, drawn)
        weight = next(one for one in self.model.parameters() if one.ndim == 4 and min(one.shape[1:]) > 1)
        images = self.normalise(torch.rand(2, 1, 32, 32))
        kept = torch.channels_last if form == "channels-last" else torch.contiguous_format
        seen.append(
            (len(chosen), weight.is_contiguous(memory_format=kept) and images.is_contiguous(memory_format=kept))
        )

    before = step.Step.__call__
    monkeypatch.setattr(step.Step, "__call__", watch)
    spec = {"timm": "test_efficientnet", "image_size": {"min": 32}, "mean": [0.5] * 3, "std": [0.5] * 3}
    asked = Probe(
        model=spec, classes=24, image_size=32, recipe=Recipe(epochs=9, batch_size=12, lr=0.01), device="cpu", threads=1
    )
    model, device = build(spec, None, img_size=32), torch.device("cpu")
    other: MemoryFormat = "contiguous" if form == "channels-last" else "channels-last"
    model.to(memory_format=formats.MEMORY_FORMATS[other])
    assert 0 < seconds_of(asked, model, device, form) < 60
    assert seen == [(12, True)] * 2, "one step of warming up, and the one that counts"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that this torch can use")
def test_on_a_gpu_recorded_steps_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[step.Called | step.Recorded] = []

    def keep(*given: Any) -> step.Called | step.Recorded:
        made.append(step.steps_of(*given))
        return made[-1]

    monkeypatch.setattr(formats, "steps_of", keep)
    spec = {"timm": "test_efficientnet", "image_size": {"min": 32}, "mean": [0.5] * 3, "std": [0.5] * 3}
    recipe, device = Recipe(epochs=9, batch_size=12, lr=0.01), torch.device("cuda")
    asked = Probe(model=spec, classes=24, image_size=32, recipe=recipe, device="cuda", threads=1)
    model = build(spec, None, img_size=32).to(device)
    found = finished(measure_while(lambda form: seconds_of(asked, model, device, form)))
    assert len(made) == 2 * len(found.rounds)
    assert all(isinstance(one, step.Recorded) and one.graph is not None and not one.refused for one in made)
