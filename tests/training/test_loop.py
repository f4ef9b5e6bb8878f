from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.track import Augment, Recipe
from benchmark.training.environment import make_deterministic, pick_device
from benchmark.training.loop import DivergedError, learning_rate, train
from benchmark.training.predict import Normaliser, logits
from benchmark.training.step import Images, optimiser

RECIPE = Recipe(epochs=4, batch_size=16, lr=0.01, augment=Augment(translate=0.05, noise=0.02))
NORMALISE = Normaliser((0.5,) * 3, (0.5,) * 3, torch.device("cpu"))


def images(seed: int, count: int = 96) -> Images:
    """Four classes: a bright quarter."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (count,), generator=generator)
    pixels = torch.randint(0, 60, (count, 16, 16), generator=generator, dtype=torch.uint8)
    for number, label in enumerate(labels.tolist()):
        row, column = 8 * (label // 2), 8 * (label % 2)
        pixels[number, row : row + 8, column : column + 8] += 150
    return Images(pixels, labels)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1), nn.Flatten(), nn.Linear(8 * 49, 24)
    )


def fit(
    recipe: Recipe = RECIPE, seed: int = 7, model: nn.Module | None = None
) -> tuple[nn.Module, list[dict[str, Any]]]:
    lines: list[dict[str, Any]] = []
    make_deterministic(seed, 1)
    made = train(model or network(), images(1), images(2, 40), recipe, recipe.epochs, seed, NORMALISE, lines.append)
    return made, lines


def test_it_learns_and_writes_a_line_an_epoch() -> None:
    _, lines = fit()
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert lines[-1]["validation_macro_f1"] > 0.9


def test_the_same_seed_gives_the_same_weights_to_the_bit() -> None:
    first, again, other = fit()[0], fit()[0], fit(seed=8)[0]
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert any(
        not torch.equal(a, b) for a, b in zip(first.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_best_validation_returns_the_epoch_with_the_best_validation() -> None:
    recipe = RECIPE.model_copy(update={"select": "best-validation", "lr": 0.3, "warmup": 0.0, "epochs": 6})
    model, lines = fit(recipe)
    best = max(line["validation_macro_f1"] for line in lines)
    held = images(2, 40)
    scores = logits(model, held.pixels, NORMALISE, 16, "fp32")
    from benchmark.training.loop import validation_f1

    assert validation_f1(scores, held.labels) == pytest.approx(best, abs=1e-6)
    assert lines[-1]["validation_macro_f1"] < best, "the last epoch must not be the best here, else this shows nothing"


def test_a_loss_that_is_no_number_is_said_with_its_epoch() -> None:
    class Explodes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.calls = nn.Parameter(torch.ones(1)), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            out = torch.zeros(len(x), 24) + self.weight
            return out * float("nan") if self.calls > 9 else out

    with pytest.raises(DivergedError) as caught:
        fit(model=Explodes())
    assert caught.value.epoch == 2


def test_learning_rate_warms_up_to_its_peak_and_falls_to_its_end() -> None:
    recipe = RECIPE.model_copy(update={"warmup": 0.2, "final_lr": 0.1})
    rates = [learning_rate(step, 100, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(recipe.lr / 20) and max(rates) == rates[19] == pytest.approx(recipe.lr)
    assert rates[19:] == sorted(rates[19:], reverse=True) and rates[-1] == pytest.approx(0.1 * recipe.lr, rel=0.02)


def test_weight_decay_spares_biases_norms_and_what_the_model_excludes() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.layer, self.norm = nn.Parameter(torch.ones(1, 2, 3)), nn.Linear(3, 3), nn.LayerNorm(3)

        def no_weight_decay(self) -> set[str]:
            return {"token"}

    model = Tokens()
    free, decayed = optimiser(model, RECIPE).param_groups
    assert free["weight_decay"] == 0 and decayed["weight_decay"] == RECIPE.weight_decay
    assert [p.shape for p in decayed["params"]] == [model.layer.weight.shape] and len(free["params"]) == 4


def test_logits_do_not_depend_on_the_order_of_the_images() -> None:
    """To the bit: the last batch is filled up, so that all have one size."""
    make_deterministic(0, 1)
    model, held = network(), images(3, 45).pixels
    order = torch.from_numpy(np.random.default_rng(0).permutation(45))
    straight = logits(model, held, NORMALISE, 16, "fp32")
    assert straight.shape == (45, 24)
    assert (logits(model, held[order], NORMALISE, 16, "fp32") == straight[order.numpy()]).all()


def test_bf16_is_near_fp32() -> None:
    model, held = network(), images(3, 20).pixels
    full, half = (logits(model, held, NORMALISE, 16, p) for p in ("fp32", "bf16"))
    assert not (full == half).all() and np.abs(full - half).max() < 0.05 * np.abs(full).max() + 0.05


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here: nothing to refuse")
def test_a_gpu_that_is_not_there_is_an_error_not_the_processor() -> None:
    from benchmark.errors import InputError

    with pytest.raises(InputError, match=r"no such GPU.*found 'cuda'; allowed: cpu"):
        pick_device("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that this torch can use")
def test_a_gpu_trains_to_the_same_bits_twice() -> None:
    def once() -> list[torch.Tensor]:
        make_deterministic(7, 1)
        device = torch.device("cuda")
        parts = [Images(p.pixels.to(device), p.labels.to(device)) for p in (images(1), images(2, 40))]
        normalise = Normaliser((0.5,) * 3, (0.5,) * 3, device)
        model = train(network().to(device), *parts, RECIPE, RECIPE.epochs, 7, normalise, lambda line: None)
        return [tensor.cpu() for tensor in model.state_dict().values()]

    assert all(torch.equal(a, b) for a, b in zip(once(), once(), strict=True))
