"""Drawn chromosomes are those of their class and their stain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from benchmark.data.bands import DYES, Dye, Floats, bands, homologue, reference
from benchmark.data.chromosome import draw_axis, render_chromosome, smooth_noise
from benchmark.data.manifest import CLASSES
from benchmark.data.microscope import STAINS, Cell, draw_cell
from benchmark.errors import InputError

U8 = npt.NDArray[np.uint8]
BORDER = {"Q": 0, "G": 255}


def ideal(dye: Dye) -> Cell:
    """A cell that is sharp, straight, upright, even and free of noise, with a long chromosome 1."""
    return replace(
        draw_cell(STAINS[dye], np.random.default_rng(0)),
        length=140.0, width=14.0, jitter=0.0, stretch=0.0, blur=0.6, glow=0.0, resolution=1.0, offset=0.0, unsteady=0.0,
        read_noise=0.0, shot_noise=0.0, grain=0.0, split=0.4, splay=0.0, bend=0.0, strong_bend=0.0, tilt=0.0,
        debris=0.0, halo=3.0, exposure=120.0 if dye == "Q" else 1.2,
    )  # fmt: skip


def draw(label: str, dye: Dye, cell: Cell | None = None, seed: int = 0) -> U8:
    """The reference homologue under known conditions."""
    return render_chromosome(label, dye, seed, cell=cell or ideal(dye), copy=reference(label, dye))


def stained(pixels: U8, dye: Dye) -> Floats:
    """Amount of dye of each pixel, up to a factor."""
    if dye == "Q":
        return pixels.astype(float)
    density: Floats = -100.0 * np.log(np.maximum(pixels, 1) / 255.0)
    return density


def profile(label: str, dye: Dye, samples: int = 120) -> Floats:
    """Strongest dye of each row from tip to tip, resampled."""
    rows = stained(draw(label, dye), dye).max(1)
    inside = np.flatnonzero(rows > 0.2 * np.median(rows))
    rows = rows[inside[0] : inside[-1] + 1]
    resampled: Floats = np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, len(rows)), rows)
    return resampled


@pytest.mark.parametrize("dye", DYES)
def test_lengths_are_true_to_class(dye: Dye) -> None:
    for label in CLASSES:
        rows = stained(draw(label, dye), dye).max(1)
        measured = np.count_nonzero(rows > 8.0)
        assert measured == pytest.approx(140.0 * bands(label).length / bands("1").length, abs=3.0), label


@pytest.mark.parametrize("dye", DYES)
@pytest.mark.parametrize("label", ["1", "2", "3", "4", "7", "12", "16", "18", "20", "X"])
def test_constriction_is_at_the_centromere(label: str, dye: Dye) -> None:
    wide = (stained(draw(label, dye), dye) > 10.0).sum(1).astype(float)
    rows = np.flatnonzero(wide)
    wide = wide[rows[0] : rows[-1] + 1]
    inner = wide[6:-6]
    waist = np.flatnonzero(inner == inner.min()).mean() + 6.5
    assert waist / len(wide) == pytest.approx(bands(label).centromere / bands(label).length, abs=0.04)
    assert inner.min() < 0.75 * np.median(inner)


@pytest.mark.parametrize("label", ["2", "4", "5", "6", "7", "10", "11", "18", "X"])
def test_dark_in_g_is_bright_in_q(label: str) -> None:
    q, g = profile(label, "Q")[8:-8], profile(label, "G")[8:-8]
    assert np.corrcoef(q, g)[0, 1] > 0.8
    assert q.max() > 1.5 * q.min()


@pytest.mark.parametrize("dye", DYES)
def test_bands_are_where_the_table_says(dye: Dye) -> None:
    copy = reference("5", dye)
    expected = copy.dye[copy.at(np.linspace(0, 1, 120) * copy.length)]
    measured = profile("5", dye)
    assert np.corrcoef(measured[8:-8], expected[8:-8])[0, 1] > 0.7
    assert np.corrcoef(measured[8:-8], expected[::-1][8:-8])[0, 1] < 0.5


def test_distal_yq_outshines_everything_in_q_only() -> None:
    cell = replace(ideal("Q"), exposure=90.0)
    bright = draw("Y", "Q", cell)
    assert bright.max() > 1.4 * max(draw(label, "Q", cell).max() for label in ("1", "4", "13", "22"))
    rows = bright.max(1).astype(float)
    assert np.argmax(rows) > 0.5 * len(rows)
    y, other = (stained(draw(label, "G"), "G").max() for label in ("Y", "4"))
    assert y < other


@pytest.mark.parametrize("dye", DYES)
def test_two_sister_chromatids_can_be_seen(dye: Dye) -> None:
    image = stained(draw("5", dye), dye)
    middle = image[int(0.5 * len(image)) : int(0.85 * len(image))].mean(0)
    peaks = np.flatnonzero((middle[1:-1] > middle[:-2]) & (middle[1:-1] >= middle[2:]) & (middle[1:-1] > 10)) + 1
    assert len(peaks) == 2
    assert middle[peaks[0] : peaks[1] + 1].min() < 0.93 * middle[peaks].min()


@pytest.mark.parametrize("dye", DYES)
def test_background_is_black_in_q_and_white_in_g(dye: Dye) -> None:
    for seed in range(20):
        pixels = render_chromosome(CLASSES[seed], dye, seed)
        corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert np.median(border) == BORDER[dye]
        assert np.count_nonzero(corners == BORDER[dye]) >= 3
        foreground = pixels[pixels != BORDER[dye]].astype(float)
        assert abs(foreground.mean() - BORDER[dye]) > 15


@pytest.mark.parametrize("dye", DYES)
def test_crops_are_tight(dye: Dye) -> None:
    for seed in range(10):
        inside = render_chromosome("8", dye, seed) != BORDER[dye]
        for lines in (inside.any(0), inside.any(1)):
            used = np.flatnonzero(lines)
            assert 1 <= used[0] <= 5
            assert 1 <= len(lines) - 1 - used[-1] <= 5


@pytest.mark.parametrize("dye", DYES)
def test_raw_sizes_are_those_of_real_crops(dye: Dye) -> None:
    longest = [max(render_chromosome("1", dye, seed).shape) for seed in range(30)]
    shortest = [max(render_chromosome("21", dye, seed).shape) for seed in range(30)]
    low, high = {"Q": (60, 112), "G": (78, 142)}[dye]
    assert low <= np.percentile(longest, 10)
    assert np.percentile(longest, 90) <= high
    assert min(shortest) >= 16
    assert max(shortest) <= 40
    assert len(set(longest)) > 10


def test_axis_is_upright_within_the_tilt_and_its_p_arm_up() -> None:
    copy, angles = reference("3", "Q"), []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        axis = draw_axis(copy, draw_cell(STAINS["Q"], rng), rng)
        x, y = axis.points[-1] - axis.points[0]
        angles.append(np.degrees(np.arctan2(x, y)))
    assert np.abs(angles).max() < 46.5
    assert min(angles) < -35
    assert max(angles) > 35


def test_strong_bends_turn_and_keep_the_length() -> None:
    copy = reference("1", "Q")
    cell = replace(ideal("Q"), strong_bend=1.0)
    for seed in range(20):
        axis = draw_axis(copy, cell, np.random.default_rng(seed))
        turned = np.degrees(np.arccos(np.clip(axis.tangents[0] @ axis.tangents[-1], -1, 1)))
        assert 40 < turned < 171
        steps = np.linalg.norm(np.diff(axis.points, axis=0), axis=1).sum()
        assert steps == pytest.approx(140.0, rel=0.01)
        assert np.linalg.norm(axis.points[-1] - axis.points[0]) < 0.97 * steps


def test_an_even_cell_draws_a_straight_line() -> None:
    axis = draw_axis(reference("1", "G"), ideal("G"), np.random.default_rng(3))
    assert np.ptp(axis.points[:, 0]) < 1e-9
    assert axis.length == pytest.approx(140.0)


def quietened(dye: Dye, seed: int) -> tuple[U8, U8]:
    """A drawn picture with and without its noise; everything else is the same to the last random number."""
    cell = replace(draw_cell(STAINS[dye], np.random.default_rng(seed)), debris=0.0, halo=6.0)
    silent = replace(cell, read_noise=0.0, shot_noise=0.0)
    noisy, clean = (draw("6", dye, conditions, seed) for conditions in (cell, silent))
    return noisy, clean


def test_q_is_noisier_and_blurrier_than_g() -> None:
    noise: dict[Dye, list[float]] = {dye: [] for dye in DYES}
    sharpness: dict[Dye, list[float]] = {dye: [] for dye in DYES}
    for dye in DYES:
        for seed in range(25):
            noisy, clean = quietened(dye, seed)
            inside = clean != BORDER[dye]
            noise[dye].append((noisy.astype(float) - clean)[inside].std())
            steepest = max(np.percentile(np.abs(np.diff(clean.astype(float), axis=axis)), 99) for axis in (0, 1))
            sharpness[dye].append(steepest / np.ptp(clean))
    assert np.median(noise["Q"]) > 1.5 * np.median(noise["G"])
    assert np.median(sharpness["Q"]) < 0.85 * np.median(sharpness["G"])


@pytest.mark.parametrize("dye", DYES)
def test_a_neighbour_adds_to_the_picture(dye: Dye) -> None:
    changed = 0
    for seed in range(10):
        alone = stained(draw("10", dye, seed=seed), dye)
        together = stained(draw("10", dye, replace(ideal(dye), debris=1.0), seed), dye)
        changed += together.sum() > 1.02 * alone.sum()
    assert changed >= 7


def test_same_seed_same_pixels() -> None:
    first, again = (render_chromosome("9", "G", 5) for _ in range(2))
    assert np.array_equal(first, again)
    other = render_chromosome("9", "G", 6)
    assert first.shape != other.shape or (first != other).any()


def test_smooth_noise_is_standard_and_smooth() -> None:
    noise = smooth_noise(20_000, 5.0, np.random.default_rng(0))
    assert noise.mean() == pytest.approx(0.0, abs=0.1)
    assert noise.std() == pytest.approx(1.0, abs=0.1)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] > 0.95


def test_unknown_label_and_stain() -> None:
    with pytest.raises(InputError, match="no such chromosome"):
        render_chromosome("24", "Q", 0)
    with pytest.raises(InputError, match="no such stain"):
        render_chromosome("1", "q", 0)


def test_foreign_cell_or_homologue() -> None:
    with pytest.raises(InputError, match=r"cell: belongs to another one; found 'G'; allowed: Q"):
        render_chromosome("1", "Q", 0, cell=ideal("G"))
    with pytest.raises(InputError, match=r"copy: belongs to another one; found '2'; allowed: 1"):
        render_chromosome("1", "Q", 0, copy=homologue("2", "Q", np.random.default_rng(0)))
    with pytest.raises(InputError, match=r"copy: belongs to another one; found 'G'; allowed: Q"):
        render_chromosome("1", "Q", 0, copy=reference("1", "G"))
