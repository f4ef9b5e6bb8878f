import numpy as np
import pytest

from benchmark.insight.attention.faithful import STEPS, area, blurred, curves, ranks


@pytest.fixture
def images() -> np.ndarray:
    made = np.zeros((6, 32, 32), dtype=np.uint8)
    made[:, 4:28, 8:24] = np.random.default_rng(0).integers(60, 256, (6, 24, 16))
    return made


def looks_at_the_top(images: np.ndarray) -> np.ndarray:
    """Class 0 is sure where rows 4 to 10 are as light as they can be, and nothing else counts."""
    light = images[:, 4:10, 8:24].mean(axis=(1, 2)) / 160
    return np.stack([8 * light - 4, np.zeros(len(images))], axis=1).astype(np.float32)


def maps(images: np.ndarray, rows: slice) -> np.ndarray:
    made = np.zeros((len(images), 8, 8), dtype=np.float32)
    made[:, rows] = 1
    return made


def test_a_map_of_what_counts_beats_random_ones_and_one_of_the_rest_does_not(images: np.ndarray) -> None:
    right, wrong = (
        curves(looks_at_the_top, images, np.zeros(6, dtype=int), images > 0, maps(images, rows), 0).gains()
        for rows in (slice(0, 3), slice(4, 8))
    )
    assert right.shape == (6, 2) and (right > 0).all() and (wrong < 0).all()
    assert right[:, 0].min() > 0.2 and wrong[:, 0].max() < -0.05


def test_curves_begin_and_end_where_they_must(images: np.ndarray) -> None:
    found = curves(looks_at_the_top, images, np.zeros(6, dtype=int), images > 0, maps(images, slice(0, 3)), 0)
    whole, black, soft = (
        1 / (1 + np.exp(-looks_at_the_top(one)[:, 0])) for one in (images, np.zeros_like(images), blurred(images))
    )
    assert found.deletion.shape == (6, STEPS + 1)
    for curve in (found.deletion, found.random_deletion):
        assert np.allclose(curve[:, 0], whole) and np.allclose(curve[:, -1], black)
    for curve in (found.insertion, found.random_insertion):
        assert np.allclose(curve[:, 0], soft) and np.allclose(curve[:, -1], whole)
    again = curves(looks_at_the_top, images, np.zeros(6, dtype=int), images > 0, maps(images, slice(0, 3)), 0)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


def test_pixels_are_taken_in_equal_steps_most_attention_first() -> None:
    body = np.zeros((10, 10), dtype=bool)
    body[2:8, 2:8] = True
    marked = np.arange(100, dtype=np.float32).reshape(10, 10)
    found = ranks(marked, body, np.random.default_rng(0))
    assert (found[~body] == 0).all() and found[7, 7] == 1 and found[2, 2] == STEPS
    assert set(np.bincount(found[body])[1:]) <= {3, 4}
    assert (np.diff(found[body]) <= 0).all()


def test_the_area_is_the_trapezoids() -> None:
    assert area(np.array([[1.0, 0.0], [1.0, 1.0]])).tolist() == [0.5, 1.0]
