import pytest
import torch

from benchmark.track import Augment
from benchmark.training.augment import Augmenter

FULL = Augment(
    rotate=20,
    shear=10,
    scale=0.2,
    translate=0.1,
    bend=0.3,
    flip_horizontal=0.5,
    flip_vertical=0.5,
    gain=0.3,
    gamma=0.3,
    noise=0.05,
)


def dot(row: int, column: int, side: int = 33) -> torch.Tensor:
    image = torch.zeros(1, 1, side, side)
    image[..., row - 1 : row + 2, column - 1 : column + 2] = 1
    return image


def centre(image: torch.Tensor) -> tuple[float, float]:
    """Row and column of the centre of brightness."""
    weight = image[0, 0] / image[0, 0].sum()
    axis = torch.arange(image.shape[-1], dtype=torch.float32)
    return float((weight.sum(1) * axis).sum()), float((weight.sum(0) * axis).sum())


def test_no_augmentation_changes_nothing() -> None:
    images = torch.rand(4, 1, 16, 16)
    assert torch.allclose(Augmenter(Augment(), 0)(images), images, atol=1e-5)


def test_the_same_seed_gives_the_same_batches_and_another_seed_others() -> None:
    images = torch.rand(8, 1, 32, 32)
    first, again, other = (Augmenter(FULL, seed) for seed in (1, 1, 2))
    for _ in range(3):
        a, b, c = first(images), again(images), other(images)
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_shape_and_range_stay() -> None:
    out = Augmenter(FULL, 0)(torch.rand(8, 1, 32, 32))
    assert out.shape == (8, 1, 32, 32) and out.min() >= 0 and out.max() <= 1 and torch.isfinite(out).all()


def test_what_is_drawn_does_not_depend_on_which_ranges_are_zero() -> None:
    """Two tracks that differ in one range see the same draws of all others."""
    images = dot(10, 16)
    narrow, wide = FULL.model_copy(update={"noise": 0.0, "bend": 0.0}), FULL.model_copy(update={"noise": 0.0})
    first, second = Augmenter(narrow, 3), Augmenter(wide, 3)
    for _ in range(3):
        a, b = first._matrices(1), second._matrices(1)
        assert torch.equal(a, b)
        first(images), second(images)


def test_translation_moves_by_at_most_its_range() -> None:
    augment = Augmenter(Augment(translate=0.1), 0)
    moved = [centre(augment(dot(16, 16))) for _ in range(50)]
    distances = [max(abs(row - 16), abs(column - 16)) for row, column in moved]
    assert 2.0 < max(distances) <= 0.1 * 33 + 0.2


def test_rotation_keeps_the_distance_from_the_middle() -> None:
    augment = Augmenter(Augment(rotate=30), 0)
    for _ in range(20):
        row, column = centre(augment(dot(6, 16)))
        assert ((row - 16) ** 2 + (column - 16) ** 2) ** 0.5 == pytest.approx(10, abs=0.6)
        assert row < 16


def test_horizontal_flip_mirrors_and_keeps_top_on_top() -> None:
    augment = Augmenter(Augment(flip_horizontal=1.0), 0)
    row, column = centre(augment(dot(6, 8)))
    assert row == pytest.approx(6, abs=0.1) and column == pytest.approx(24, abs=0.1)


def test_bend_moves_both_ends_to_the_same_side() -> None:
    bar = torch.zeros(1, 1, 33, 33)
    bar[..., 2:31, 15:18] = 1
    seen = 0
    augment = Augmenter(Augment(bend=0.4), 0)
    for _ in range(10):
        out = augment(bar)[0, 0]
        axis = torch.arange(33, dtype=torch.float32)
        top, middle, bottom = (float((out[r] * axis).sum() / out[r].sum()) for r in (3, 16, 29))
        assert top == pytest.approx(bottom, abs=0.5)
        seen += abs(top - middle) > 1.5
    assert seen >= 4


def test_gain_and_noise_do_what_they_say() -> None:
    flat = torch.full((64, 1, 16, 16), 0.5)
    bright = Augmenter(Augment(gain=0.3), 0)(flat).mean((1, 2, 3))
    assert bright.min() < 0.42 and bright.max() > 0.58
    grain = Augmenter(Augment(noise=0.1), 0)(flat).std((1, 2, 3))
    assert grain.max() <= 0.115 and grain.max() > 0.07 and grain.min() < 0.03
