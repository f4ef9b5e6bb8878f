from pathlib import Path

import numpy as np
import pytest

from benchmark.insight.quality import kept
from benchmark.insight.quality.measures import Measures


def crops(count: int = 10) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [np.pad(random.integers(100, 200, (30, 9), dtype=np.uint8), 3) for _ in range(count)]


def test_what_was_measured_is_read_and_what_was_not_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "PIECE", 4)
    seen: list[int] = []
    whole = kept.measure_all(crops(), tmp_path, lambda done, total: seen.append(done))
    assert seen == [4, 8, 10] and set(whole) == set(Measures._fields)
    files = sorted(tmp_path.glob("*.npy"))
    files[0].unlink()
    files[1].write_bytes(b"damaged")
    calls, measure = tmp_path / "calls", kept.measure

    def counted(crop: kept.U8) -> Measures:
        with calls.open("a") as file:  # in whichever process
            file.write(".")
        return measure(crop)

    monkeypatch.setattr(kept, "measure", counted)
    again = kept.measure_all(crops(), tmp_path)
    assert all(again[name].tolist() == whole[name].tolist() for name in whole)
    missing = len(calls.read_text())
    assert missing in (6, 8), "two pieces of 4, or one of them the last, of 2"
    kept.measure_all(crops(), tmp_path)
    assert len(calls.read_text()) == missing


def test_other_pixels_are_measured_anew(tmp_path: Path) -> None:
    first = kept.measure_all(crops(), tmp_path)
    other = crops()
    other[3] = other[3][::-1].copy()
    other[3][10:16, :] = 0
    assert kept.measure_all(other, tmp_path)["area"][3] < first["area"][3]


def test_processes_give_the_same_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = kept.measure_all(crops(), tmp_path / "a")
    monkeypatch.setattr(kept, "PIECE", 5)
    together = kept.measure_all(crops(), tmp_path / "b")
    assert all(together[name].tolist() == alone[name].tolist() for name in alone)
