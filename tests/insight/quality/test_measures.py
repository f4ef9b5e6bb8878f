import numpy as np
import pytest

from benchmark.data.chromosome import render_chromosome
from benchmark.data.preprocess import unify
from benchmark.insight.quality.defects import DEFECTS
from benchmark.insight.quality.measures import Measures, measure

MOVES = {
    "blurred": ("sharpness", -0.15), "faded": ("contrast", -0.05), "cut": ("cut", 0.3), "neighbour": ("foreign", 0.02),
    "bent": ("bend", 0.03),
}  # fmt: skip


def crop(label: str = "2", seed: int = 5) -> np.ndarray:
    return unify(render_chromosome(label, "G", seed), "dark-on-light")


def test_a_defect_moves_its_measure() -> None:
    before = measure(crop())
    for name, (field, least) in MOVES.items():
        after = [measure(DEFECTS[name](crop(), crop("7", 3), np.random.default_rng(s))) for s in range(2)]
        change = float(np.median([getattr(one, field) for one in after])) - getattr(before, field)
        assert change < least if least < 0 else change > least, (name, change)


def test_a_wrong_scale_moves_the_area_and_leaves_the_rest() -> None:
    before, changes = measure(crop()), []
    for seed in range(6):
        after = measure(DEFECTS["scale"](crop(), crop(), np.random.default_rng(seed)))
        changes.append(after.area / before.area)
        assert after.contrast == pytest.approx(before.contrast, abs=0.05) and after.cut < 0.1
    assert min(changes) < 0.7 and max(changes) > 1.5


@pytest.mark.parametrize("turn", [1, 2, 3, "mirror"])
def test_nothing_depends_on_how_the_chromosome_lies(turn: int | str) -> None:
    image = crop("9", 4)
    before = measure(image)
    turned = image[:, ::-1] if turn == "mirror" else np.rot90(image, int(turn))
    after = measure(np.ascontiguousarray(turned))
    assert after.turn == pytest.approx(before.turn, abs=25), "degrees: the least steady of them, and in no flag"
    assert np.array(after._replace(turn=0.0)) == pytest.approx(np.array(before._replace(turn=0.0)), rel=0.05, abs=0.03)


def test_light_and_scale_of_grey_leave_sharpness_and_contrast() -> None:
    image = crop()
    dim = measure((image * 0.6).astype(np.uint8))
    assert dim.sharpness == pytest.approx(measure(image).sharpness, abs=0.1)
    assert dim.contrast == pytest.approx(measure(image).contrast, abs=0.05)


def test_a_chromosome_cut_at_any_side_is_told_from_one_that_touches_with_its_rim() -> None:
    image = np.zeros((60, 30), dtype=np.uint8)
    image[5:55, 10:20] = 180
    touching = image[:, 10:].copy()
    touching[:, 0] //= 3
    assert measure(image).cut == 0
    for turn in range(4):
        assert measure(np.ascontiguousarray(np.rot90(image[20:], turn))).cut == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("image", [np.zeros((30, 20)), np.pad(np.full((2, 2), 200), 9), np.full((9, 9), 5)])
def test_what_holds_no_body_is_nan(image: np.ndarray) -> None:
    found = measure(image.astype(np.uint8))
    assert np.isnan(np.array(found)).all() and len(found) == len(Measures._fields)
