"""Human chromosome bands, and how strongly each stain takes them.

The bands are UCSC's hg38 cytoband table as the package bioframe ships it: read from its files,
never from the network. What a dye does to a band is a simplification of the cytogenetic literature
(ISCN; Caspersson 1970 for Q): bands that are dark in G are bright in Q, except that the variable
heterochromatin of 1q, 9q, 16q and 19 is dull in Q, and that distal Yq outshines everything in Q.
Where people differ (length and staining of heterochromatin, satellites), a homologue is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.errors import InputError

Floats = npt.NDArray[np.float64]
Dye = Literal["Q", "G"]

DYES: tuple[Dye, ...] = ("Q", "G")

UPTAKE: dict[Dye, dict[str, float]] = {
    "Q": {"gneg": 0.40, "gpos25": 0.54, "gpos50": 0.68, "gpos75": 0.84, "gpos100": 1.0, "acen": 0.44, "stalk": 0.22},
    "G": {"gneg": 0.25, "gpos25": 0.45, "gpos50": 0.64, "gpos75": 0.82, "gpos100": 1.0, "acen": 0.62, "stalk": 0.22},
}
"""Relative dye of a band by its UCSC stain; 1 is the strongest ordinary band."""

HETEROCHROMATIN: dict[Dye, dict[str, float]] = {
    "Q": {"1": 0.38, "3": 0.92, "9": 0.30, "16": 0.36, "19": 0.34, "Y": 1.9, "satellite": 0.70},
    "G": {"1": 0.85, "3": 0.72, "9": 0.45, "16": 0.90, "19": 1.1, "Y": 0.78, "satellite": 0.60},
}
"""The same for `gvar` bands, by chromosome; `satellite` is the short arm of an acrocentric."""

LENGTH_SPREAD = 0.22
"""Standard deviation of the log length of a heterochromatic band between homologues."""

DYE_SPREAD: dict[Dye, float] = {"Q": 0.22, "G": 0.12}
"""The same of its dye: satellites and centromeres vary more in Q."""


class Bands(NamedTuple):
    """The bands of one chromosome, from the tip of the short arm to the tip of the long arm.

    Args:
        names: such as `p36.33`.
        ends: where each band ends, megabases, shape (n,); it begins where the last one ended.
        stains: UCSC's stain of each band.
        centromere: where the arms meet, megabases.
    """

    names: tuple[str, ...]
    ends: Floats
    stains: tuple[str, ...]
    centromere: float

    @property
    def length(self) -> float:
        """Megabases."""
        return float(self.ends[-1])


@dataclass(frozen=True)
class Homologue:
    """One person's copy of a chromosome: lengths and dye after polymorphism.

    Args:
        label: class name.
        stain: the dye that `dye` is of.
        ends: where each band ends, megabases, shape (n,).
        dye: relative dye of each band, shape (n,).
        thin: relative width of each band, shape (n,); below 1 for satellite stalks.
        centromere: megabases.
    """

    label: str
    stain: Dye
    ends: Floats
    dye: Floats
    thin: Floats
    centromere: float

    @property
    def length(self) -> float:
        """Megabases."""
        return float(self.ends[-1])

    def at(self, megabases: Floats) -> npt.NDArray[np.int64]:
        """Index of the band at each position; the tips beyond the ends belong to the last band."""
        return np.minimum(np.searchsorted(self.ends, megabases, side="right"), len(self.ends) - 1)


@cache
def bands(label: str) -> Bands:
    """The hg38 bands of a chromosome.

    Raises:
        InputError: for a label that is no human chromosome, or when bioframe is not installed.
    """
    if label not in CLASSES:
        raise InputError("no such chromosome", field="label", found=label, allowed="1-22, X, Y")
    rows = [row for row in _table() if row[0] == f"chr{label}"]
    stains = tuple(row[3] for row in rows)
    ends = np.array([row[1] for row in rows], dtype=np.float64) / 1e6
    ends.setflags(write=False)
    return Bands(tuple(row[2] for row in rows), ends, stains, float(ends[stains.index("acen")]))


@cache
def _table() -> tuple[tuple[str, int, str, str], ...]:
    """Rows (chromosome, end, band, stain) in order.

    bioframe is imported late: it is an extra, and slow to load.

    Raises:
        InputError: when bioframe is not installed.
    """
    try:
        import bioframe
    except ModuleNotFoundError as error:
        raise InputError(
            "simulated chromosomes need the package bioframe, which is not installed",
            hint="Run: pip install 'karyobench[demo]'",
        ) from error
    table = bioframe.assembly_info("hg38").cytobands.sort_values(["chrom", "start"])
    return tuple(
        (str(chrom), int(end), str(band), str(stain))
        for chrom, end, band, stain in table[["chrom", "end", "band", "stain"]].itertuples(index=False)
    )


def check_dye(dye: str) -> Dye:
    """The stain's letter.

    Raises:
        InputError: for anything but Q and G.
    """
    for known in DYES:
        if dye == known:
            return known
    raise InputError("no such stain", field="stain", found=dye, allowed=DYES)


def reference(label: str, dye: Dye) -> Homologue:
    """The chromosome without any polymorphism.

    Raises:
        InputError: for a label that is no human chromosome.
    """
    table = bands(label)
    acrocentric = "stalk" in table.stains
    variable = HETEROCHROMATIN[dye]["satellite" if acrocentric else label] if "gvar" in table.stains else 0.0
    uptake = {**UPTAKE[dye], "gvar": variable}
    dyes = np.array([uptake[stain] for stain in table.stains])
    thin = np.array([0.55 if stain == "stalk" else 1.0 for stain in table.stains])
    return Homologue(label, dye, table.ends, dyes, thin, table.centromere)


def homologue(label: str, dye: Dye, rng: np.random.Generator) -> Homologue:
    """One person's copy: heterochromatin and satellites drawn around the reference.

    Args:
        label: class name.
        dye: the stain's letter.
        rng: the homologue's own random numbers.

    Raises:
        InputError: for a label that is no human chromosome.
    """
    table, mean = bands(label), reference(label, dye)
    varies = np.array([stain in ("gvar", "stalk") for stain in table.stains])
    dims = np.array([stain in ("gvar", "acen") for stain in table.stains])
    longer = np.exp(LENGTH_SPREAD * rng.standard_normal(len(varies)).clip(-2, 2))
    brighter = np.exp(DYE_SPREAD[dye] * rng.standard_normal(len(varies)).clip(-2, 2))
    ends = np.cumsum(np.diff(mean.ends, prepend=0.0) * np.where(varies, longer, 1.0))
    return Homologue(
        label,
        dye,
        ends,
        mean.dye * np.where(dims, brighter, 1.0),
        mean.thin,
        float(ends[table.stains.index("acen")]),
    )
