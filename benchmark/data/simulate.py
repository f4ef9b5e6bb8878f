"""The simulated datasets `sim-q` and `sim-g`: whole karyotypes of invented people.

They need no download and nobody's consent, so that tests, the smoke track and first steps run
anywhere. They stand in for real images in form (classes, groups, polarity, sizes, noise), never in
a claim: no result on them says anything about a stain.

Every random number comes from a seed that names its person, cell and chromosome, so that asking
for more people or cells leaves the others' pixels as they were. The two datasets have different seeds and
therefore different people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.data.bands import Dye, check_dye, homologue
from benchmark.data.chromosome import render_chromosome
from benchmark.data.importers.raw import RawImage
from benchmark.data.manifest import CLASSES
from benchmark.data.microscope import STAINS, draw_cell
from benchmark.errors import InputError

COPIES = "ab"
_CELL, _HOMOLOGUE, _IMAGE = range(3)


@dataclass(frozen=True)
class Settings:
    """How much of what to draw.

    Args:
        stain: `Q` or `G`.
        seed: names the people; other seeds give other people.
        cases: number of people, at least 1; every second one, from the first on, is XY.
        cells: metaphases of each person, at least 1.
    """

    stain: Dye
    seed: int
    cases: int = 20
    cells: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: for an unknown stain, a negative seed, or no people or cells.
        """
        check_dye(self.stain)
        for field, value, least in (("seed", self.seed, 0), ("cases", self.cases, 1), ("cells", self.cells, 1)):
            if value < least:
                raise InputError("too small", field=field, found=value, allowed=f"at least {least}")


SETTINGS: dict[str, Settings] = {
    "sim-q": Settings(stain="Q", seed=7572),
    "sim-g": Settings(stain="G", seed=16),
}
"""The shipped simulated datasets. A change here or in what draws them changes their manifests."""


def simulate(name: str) -> Iterator[RawImage]:
    """All images of a shipped simulated dataset.

    Raises:
        InputError: for a name that is no simulated dataset.
    """
    if name not in SETTINGS:
        raise InputError("no simulated dataset of this name", found=name, allowed=tuple(SETTINGS))
    return simulate_people(SETTINGS[name])


def simulate_people(settings: Settings) -> Iterator[RawImage]:
    """All images for some settings: 46 a cell, case by case, cell by cell, in class order.

    Yields:
        images with ids `<cell>-<class number><copy>`, such as `c03-2-07a` of cell `c03-2`, case `c03`;
        X is 23, Y is 24.
    """
    for person in range(1, settings.cases + 1):
        for metaphase in range(1, settings.cells + 1):
            yield from _cell(settings, person, metaphase)


def karyotype(male: bool) -> tuple[tuple[str, str], ...]:
    """The 46 chromosomes of a person as (label, copy), in class order."""
    count = {"X": 1 if male else 2, "Y": 1 if male else 0}
    return tuple((label, copy) for label in CLASSES for copy in COPIES[: count.get(label, 2)])


def _random(settings: Settings, *place: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=place))


def _cell(settings: Settings, person: int, metaphase: int) -> Iterator[RawImage]:
    """One metaphase: its own conditions, but the person's homologues."""
    case = f"c{person:02d}"
    cell = f"{case}-{metaphase}"
    conditions = draw_cell(STAINS[settings.stain], _random(settings, _CELL, person, metaphase))
    for label, copy in karyotype(male=person % 2 == 1):
        which = CLASSES.index(label) + 1, COPIES.index(copy)
        inherited = homologue(label, settings.stain, _random(settings, _HOMOLOGUE, person, *which))
        random = _random(settings, _IMAGE, person, metaphase, *which)
        pixels = render_chromosome(label, settings.stain, random, cell=conditions, copy=inherited)
        yield RawImage(f"{cell}-{which[0]:02d}{copy}", label, cell, case, pixels)
