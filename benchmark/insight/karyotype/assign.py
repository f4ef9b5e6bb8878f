"""The likeliest karyotype of a cell: which class each image has if no class may come more than twice.

The log-probabilities of the images of a cell are added up, and the assignment of images to the 46 places of a
karyotype with the greatest sum is taken (Kuhn 1955, by `scipy.optimize.linear_sum_assignment`). Both XX and XY
are tried. That is the maximum of the likelihood if images are independent given their classes and every
karyotype is as likely as any other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.special import log_softmax

from benchmark.data.manifest import CLASSES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

AUTOSOMES = 22
X, Y = CLASSES.index("X"), CLASSES.index("Y")
PLACES = 46
_PAIRS = np.repeat(np.arange(AUTOSOMES), 2)
SEXES: dict[str, Ints] = {"XX": np.append(_PAIRS, [X, X]), "XY": np.append(_PAIRS, [X, Y])}
"""The class of each of the 46 places."""


def karyotype(logits: npt.NDArray[np.floating]) -> tuple[Ints, str]:
    """The classes of the images of one cell, and which sex chromosomes it was taken to have.

    Fewer than 46 images leave places empty, whichever makes the rest likeliest. Of more than 46, as many as are too
    many keep the class that they have alone: those whose loss to the karyotype costs least.

    Args:
        logits: (images, 24), finite.

    Returns:
        Classes (images,), and `XX` or `XY`; XX where both are as likely.
    """
    chances = log_softmax(np.asarray(logits, dtype=np.float64), axis=1)
    best: tuple[float, Ints, str] | None = None
    for sex, places in SEXES.items():
        total, said = _assign(chances, places)
        if best is None or total > best[0]:
            best = total, said, sex
    assert best is not None
    return best[1], best[2]


def _assign(chances: Floats, places: Ints) -> tuple[float, Ints]:
    alone = chances.argmax(axis=1)
    extra = max(0, len(chances) - len(places))
    gain = np.concatenate([chances[:, places], np.repeat(chances.max(axis=1)[:, None], extra, axis=1)], axis=1)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    said = np.array(alone, dtype=np.int64)
    placed = columns < len(places)
    said[rows[placed]] = places[columns[placed]]
    return float(gain[rows, columns].sum()), said


def constrained(logits: npt.NDArray[np.floating], cells: Ints) -> Ints:
    """The classes of all images, each cell by itself and each repeat by itself.

    Args:
        logits: (repeats, images, 24).
        cells: number of the cell of each image, (images,); an image of -1 keeps the class that it has alone.

    Returns:
        (repeats, images)
    """
    said: Ints = logits.argmax(axis=2).astype(np.int64)
    for cell in np.unique(cells[cells >= 0]):
        images = np.flatnonzero(cells == cell)
        for repeat in range(len(logits)):
            said[repeat, images] = karyotype(logits[repeat, images])[0]
    return said
