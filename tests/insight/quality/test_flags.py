import numpy as np
import pytest

from benchmark.insight.quality.flags import FLAGS, NO_BODY, choose, flagged, scores, standard


def columns(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "area": np.exp(random.normal(6, 0.05, n)), "sharpness": random.normal(-1, 0.1, n),
        "contrast": random.normal(0.3, 0.03, n), "cut": np.zeros(n), "foreign": np.zeros(n), "bend": np.zeros(n),
    }  # fmt: skip


def test_size_is_held_against_the_cell_and_the_class() -> None:
    n = 240
    labels, cells = np.arange(n) % 24, np.array([f"c{i // 24}" for i in range(n)])
    found = columns(n)
    found["area"] = found["area"] * (1 + labels) * np.where(cells == "c3", 4.0, 1.0)
    usual = standard(found, labels, cells, 24)
    assert scores(found, labels, cells, usual)["scale"].max() < 6, "a large cell and a large class are no fault"
    found["area"][50] *= 3
    assert scores(found, labels, cells, usual)["scale"].argmax() == 50


def test_a_class_of_few_is_held_against_all_and_equal_images_are_no_ruler() -> None:
    labels, cells = np.array([0] * 20 + [1] * 2), np.array([""] * 22)
    found = columns(22)
    found["sharpness"][:] = -1.0
    usual = standard(found, labels, cells, 2)
    assert (usual.sharpness[1] > 0).all() and (scores(found, labels, cells, usual)["blurred"] == 0).all()


def test_an_image_without_a_body_has_its_own_flag_and_no_other() -> None:
    labels, cells = np.zeros(30, dtype=int), np.array([""] * 30)
    found = {name: np.where(np.arange(30) == 7, np.nan, one) for name, one in columns(30).items()}
    flags = flagged(scores(found, labels, cells, standard(found, labels, cells, 1)), dict.fromkeys(FLAGS, 100.0))
    assert np.flatnonzero(flags[NO_BODY]).tolist() == [7]
    assert not any(one[7] for name, one in flags.items() if name != NO_BODY)


def test_the_threshold_lies_in_the_gap_or_tolerates_no_more_than_two_per_cent() -> None:
    assert 1.0 < choose(np.linspace(0, 1, 100), np.linspace(2, 3, 100)) < 2.0
    random = np.random.default_rng(1)
    good, bad = random.normal(0, 1, 4000), random.normal(1, 1, 4000)
    threshold = choose(good, bad)
    assert (good > threshold).mean() == pytest.approx(0.02, abs=0.001)
    assert choose(np.append(good, np.nan), bad) == threshold
