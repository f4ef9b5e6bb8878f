from pathlib import Path

import numpy as np
import pytest

from benchmark.insight.errors.measured import MEASURES, measured


def bar(length: int, wave: float = 60.0, soft: float = 0.0) -> np.ndarray:
    """A banded bar of a length, light on black."""
    from scipy import ndimage

    image = np.zeros((64, 64))
    rows = np.arange(length)
    image[4 : 4 + length, 26:38] = (140 + wave * np.sin(rows * 1.2))[:, None]
    return np.rint(ndimage.gaussian_filter(image, soft) if soft else image).astype(np.uint8)


def test_longer_paler_and_blurred_bars_are_told_apart() -> None:
    found = measured(np.stack([bar(50), bar(25), bar(50, wave=15.0), bar(50, soft=1.5)]))
    assert set(found) == set(MEASURES)
    assert found["length"][0] == pytest.approx(2 * found["length"][1], rel=0.15)
    assert found["contrast"][0] > 2 * found["contrast"][2]
    assert found["sharpness"][0] > 1.5 * found["sharpness"][3]
    assert found["bend"][0] < 0.02


def test_an_image_without_a_chromosome_is_not_measured_and_no_error() -> None:
    found = measured(np.stack([bar(50), np.zeros((64, 64), dtype=np.uint8)]))
    assert all(np.isfinite(one[0]) and np.isnan(one[1]) for one in found.values())


def test_a_second_run_reads_and_a_damaged_piece_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.stack([bar(50), bar(25)])
    told: list[tuple[int, int | None]] = []
    first = measured(images, tmp_path, lambda *one: told.append(one))
    assert told == [(2, 2)]
    [kept] = tmp_path.glob("*.npy")
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.insight.errors.measured._of", lambda image: pytest.fail("measured again"))
        again = measured(images, tmp_path)
    kept.write_bytes(b"cut off")
    third = measured(images, tmp_path)
    for one in (again, third):
        assert all(np.array_equal(first[key], one[key]) for key in MEASURES)
