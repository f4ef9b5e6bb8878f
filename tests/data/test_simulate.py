"""The simulated datasets: whole karyotypes, unique ids, the same pixels again, different people."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby, islice

import numpy as np
import numpy.typing as npt
import pytest

from benchmark.data import card as cards
from benchmark.data import simulate as module
from benchmark.data.bands import Homologue, homologue
from benchmark.data.importers.raw import RawImage
from benchmark.data.manifest import CLASSES
from benchmark.data.microscope import Cell
from benchmark.data.preprocess import Preprocess, render_cell
from benchmark.data.simulate import SETTINGS, Settings, karyotype, simulate, simulate_people
from benchmark.errors import InputError

NAMES = tuple(SETTINGS)


@pytest.fixture(scope="module")
def cells() -> dict[str, list[RawImage]]:
    """The first cell of each dataset, an XY one, as drawn."""
    return {name: list(islice(simulate(name), 46)) for name in NAMES}


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Structure without the time that pixels take."""
    monkeypatch.setattr(module, "render_chromosome", lambda *_, **__: np.zeros((1, 1), dtype=np.uint8))


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize("name", NAMES)
def test_every_cell_is_a_whole_karyotype(name: str) -> None:
    images = list(simulate(name))
    card = cards.load(name)
    assert (card.simulated, card.layout, card.group, card.sources) == (True, "simulated", "case", ())
    assert len(images) == card.counts.images == 920
    assert len({image.image for image in images}) == 920
    assert len({image.cell for image in images}) == card.counts.cells == 20
    assert len({image.case for image in images}) == card.counts.cases == 20
    males = set()
    for (case, cell), members in groupby(images, lambda image: (image.case, image.cell)):
        assert cell.startswith(f"{case}-")
        count = Counter(image.label for image in members)
        assert count.total() == 46
        assert all(count[str(number)] == 2 for number in range(1, 23))
        assert (count["X"], count["Y"]) in ((2, 0), (1, 1))
        males |= {case} if count["Y"] else set()
    assert len(males) == 10


@pytest.mark.usefixtures("blank")
def test_ids_name_case_cell_class_and_copy() -> None:
    for image in simulate("sim-q"):
        match = re.fullmatch(r"((c\d\d)-\d)-(\d\d)([ab])", image.image)
        assert match is not None
        assert (match[1], match[2]) == (image.cell, image.case)
        assert CLASSES[int(match[3]) - 1] == image.label
    assert any(image.image == "c03-1-07a" for image in simulate("sim-g"))


def test_karyotypes() -> None:
    assert [label for label, _ in karyotype(male=True)][-2:] == ["X", "Y"]
    assert karyotype(male=False)[-2:] == (("X", "a"), ("X", "b"))
    assert len(karyotype(male=True)) == len(karyotype(male=False)) == 46


@pytest.mark.parametrize("name", NAMES)
def test_card_says_the_stain_and_the_polarity_that_is_drawn(name: str, cells: dict[str, list[RawImage]]) -> None:
    card = cards.load(name)
    assert card.stain == SETTINGS[name].stain
    background = np.median(np.concatenate([image.pixels[0] for image in cells[name]]))
    assert background == {"light-on-dark": 0, "dark-on-light": 255}[card.polarity]
    assert all(image.pixels.dtype == np.uint8 and image.pixels.ndim == 2 for image in cells[name])


@pytest.mark.parametrize("name", NAMES)
def test_classes_keep_their_order_of_size_within_a_cell(name: str, cells: dict[str, list[RawImage]]) -> None:
    length: dict[str, float] = {}
    for image in cells[name]:
        length[image.label] = max(length.get(image.label, 0.0), float(np.hypot(*image.pixels.shape)))
    assert length["1"] > 1.3 * length["7"] > 1.3 * length["16"] > 1.3 * length["21"]


def test_yq_is_the_brightest_of_a_male_cell_in_q(cells: dict[str, list[RawImage]]) -> None:
    bright = {image.label: float(np.percentile(image.pixels, 99)) for image in cells["sim-q"]}
    assert bright["Y"] > 1.3 * np.median(list(bright.values()))
    assert max(bright, key=lambda label: bright[label]) == "Y"


def test_preprocessing_takes_the_drawn_cells(cells: dict[str, list[RawImage]]) -> None:
    for name in NAMES:
        crops = [image.pixels for image in cells[name]]
        seen = render_cell(crops, cards.load(name).polarity, Preprocess(size=32, exponent=0.5))
        assert seen.shape == (46, 32, 32)
        assert (seen[:, 0, 0] == 0).all()
        assert (seen.reshape(46, -1).max(1) > 100).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_pixels_again(name: str, cells: dict[str, list[RawImage]]) -> None:
    for first, again in zip(cells[name][::6], list(islice(simulate(name), 46))[::6], strict=True):
        assert first[:4] == again[:4]
        assert np.array_equal(first.pixels, again.pixels)


def test_more_people_and_cells_leave_the_others_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a picture is drawn from is compared: its random numbers, its cell and its homologue."""
    numbers: list[int] = []

    def note(*arguments: object, **given: object) -> npt.NDArray[np.uint8]:
        rng, cell, copy = arguments[2], given["cell"], given["copy"]
        assert isinstance(rng, np.random.Generator)
        assert isinstance(copy, Homologue)
        numbers.append(int(rng.integers(2**62)))
        text = repr((numbers[-1], cell, copy.ends.tolist(), copy.dye.tolist()))
        return np.frombuffer(text.encode(), dtype=np.uint8)[None]

    monkeypatch.setattr(module, "render_chromosome", note)
    few = {image.image: image.pixels.tobytes() for image in simulate_people(Settings("Q", seed=3, cases=3, cells=1))}
    more = {image.image: image.pixels.tobytes() for image in simulate_people(Settings("Q", seed=3, cases=5, cells=3))}
    assert len(few) == 138
    assert few.items() <= more.items()
    assert len(more) == 690
    assert len(set(numbers[-690:])) == 690
    other = {image.image: image.pixels.tobytes() for image in simulate_people(Settings("Q", seed=4, cases=3, cells=1))}
    assert not set(few.values()) & set(other.values())


def test_people_keep_their_homologues_and_cells_their_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[Cell, Homologue]] = []

    def note(*arguments: object, **given: object) -> npt.NDArray[np.uint8]:
        cell, copy = given["cell"], given["copy"]
        assert isinstance(cell, Cell)
        assert isinstance(copy, Homologue)
        drawn.append((cell, copy))
        return np.zeros((1, 1), dtype=np.uint8)

    monkeypatch.setattr(module, "render_chromosome", note)
    list(simulate_people(Settings("Q", seed=1, cases=2, cells=2)))
    conditions = [cell for cell, _ in drawn]
    ninth = [copy.ends[-1] for _, copy in drawn if copy.label == "9"]
    assert len(set(conditions)) == 4
    assert len(set(conditions[:46])) == 1
    assert ninth[:2] == ninth[2:4]
    assert len(set(ninth)) == 4


def test_the_two_datasets_show_different_people() -> None:
    assert SETTINGS["sim-q"].seed != SETTINGS["sim-g"].seed
    lengths = []
    for settings in SETTINGS.values():
        random = module._random(settings, module._HOMOLOGUE, 1, 9, 0)
        lengths.append(homologue("9", "Q", random).length)
    assert lengths[0] != lengths[1]


def test_unknown_dataset() -> None:
    with pytest.raises(InputError, match=r"no simulated dataset of this name; found 'sim-r'; allowed: sim-q, sim-g"):
        simulate("sim-r")


@pytest.mark.parametrize(("field", "value"), [("cases", 0), ("cells", 0), ("seed", -1), ("stain", "R")])
def test_settings_are_checked(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field):
        Settings(**{"stain": "Q", "seed": 0, field: value})
