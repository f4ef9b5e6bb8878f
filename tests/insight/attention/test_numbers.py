from pathlib import Path

import numpy as np
import pytest

from benchmark.insight.attention.bodies import find
from benchmark.insight.attention.faithful import enlarged
from benchmark.insight.attention.numbers import (
    MEASURES,
    PARTS,
    Chromosome,
    chromosome,
    even,
    even_table,
    measure,
    table,
)


def bar() -> np.ndarray:
    """An upright bar of rows 8 to 55, 12 wide, with two steps in brightness."""
    image = np.zeros((64, 64), dtype=np.uint8)
    image[8:56, 26:38] = 100
    image[22:30, 26:38] = image[40:46, 26:38] = 220
    return image


@pytest.fixture
def found() -> Chromosome:
    one = chromosome(bar())
    assert one is not None
    return one


def of(found: Chromosome, marked: np.ndarray, side: int = 64) -> dict[str, float]:
    return dict(zip(MEASURES, measure(found, marked.astype(np.float32), even(found, side)), strict=True))


def test_the_axis_is_cut_into_parts_from_tip_to_tip(found: Chromosome) -> None:
    assert np.array_equal(found.body, bar() > 0)
    rows = [np.nonzero(found.part == number)[0].mean() for number in range(PARTS)]
    assert np.allclose(rows, 8 + (np.arange(PARTS) + 0.5) * 3 - 0.5, atol=1.1)
    assert found.outline.sum() == 48 * 12 - 44 * 8 and not (found.outline & ~found.body).any()
    edges = [22, 30, 40, 46]
    steep = np.flatnonzero(found.contrast > 50)
    assert all(np.abs((np.array(edges) - 8) / 3 - 0.5 - number).min() < 1.6 for number in steep) and len(steep) >= 4


def test_an_even_map_is_one_throughout(found: Chromosome) -> None:
    numbers = of(found, found.body)
    assert numbers["background"] == pytest.approx(0, abs=1e-6) and numbers["coverage"] == 1
    assert numbers["outline"] == pytest.approx(found.outline.sum() / found.body.sum())
    assert numbers["evenness"] == pytest.approx(1) and np.isnan(numbers["bands"]), "no difference to agree with"
    coarse = even_table([found], 8)
    assert coarse[0] > 0.2 and coarse[2:].tolist() == pytest.approx([1, 1, 0])


def test_one_half_no_edge_the_background_and_the_bands(found: Chromosome) -> None:
    half = found.body & (found.part < PARTS // 2)
    numbers = of(found, half)
    assert numbers["coverage"] == 0 and numbers["evenness"] == pytest.approx(np.log(8) / np.log(16), abs=0.02)
    assert of(found, found.outline)["outline"] == pytest.approx(1)
    assert of(found, found.body & ~found.outline)["outline"] == 0
    both = found.body.astype(float) * 3 / found.body.sum() + ~found.body / (~found.body).sum()
    assert of(found, both)["background"] == pytest.approx(0.25)
    contrast = np.nan_to_num(found.contrast)[np.maximum(found.part, 0)]
    assert of(found, np.where(found.body, contrast + 1, 0))["bands"] > 0.9
    assert of(found, np.where(found.body, 300 - contrast, 0))["bands"] < -0.9


def test_one_part_of_sixteen_has_no_evenness(found: Chromosome) -> None:
    assert of(found, found.part == 3)["evenness"] == pytest.approx(0, abs=1e-6)


def test_what_has_no_numbers(found: Chromosome) -> None:
    assert np.isnan(list(of(found, np.zeros((64, 64))).values())).all()
    off = of(found, ~found.body)
    assert off["background"] == pytest.approx(1) and np.isnan([off[k] for k in ("coverage", "evenness", "bands")]).all()
    speck = np.zeros((64, 64), dtype=np.uint8)
    assert chromosome(speck) is None
    rows = table([found, None], np.ones((2, 8, 8), dtype=np.float32), 64)
    assert np.isfinite(rows[0, :4]).all() and np.isnan(rows[1]).all()


def test_a_cell_of_the_map_is_enlarged_in_its_place() -> None:
    grid = np.zeros((1, 8, 8), dtype=np.float32)
    grid[0, 2, 5] = 1
    large = enlarged(grid, 64)[0]
    assert np.unravel_index(large.argmax(), large.shape) in [(r, c) for r in (19, 20) for c in (43, 44)]


def test_axes_are_kept_and_a_damaged_piece_is_found_again(tmp_path: Path) -> None:
    images, told = np.stack([bar(), np.zeros_like(bar())]), []
    first = find(tmp_path, images, lambda done, total: told.append((done, total)))
    [kept] = tmp_path.glob("*.npz")
    assert told == [(2, 2)] and first[1] is None and first[0] is not None
    whole = kept.read_bytes()
    for content in (whole, whole[:-200], b""):
        kept.write_bytes(content)
        again = find(tmp_path, images, lambda done, total: None)
        assert again[1] is None and again[0] is not None
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first[0], again[0], strict=True))
    assert kept.read_bytes() == whole
