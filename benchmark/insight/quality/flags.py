"""The rule by which an image is flagged: a score for each defect, and the threshold above which it counts.

A score is high where the image is bad. What depends on the chromosome (how sharp, how many bands, how large) is held
against others of its class, by median and median absolute deviation, and size against its own cell first. A threshold is chosen once, on defects planted in
simulated images (`choose`): the one with the best sensitivity less false positives among those that flag at most
`TOLERATED` of the images without the defect. No result of a training has a part in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.insight.quality.measures import Measures
from benchmark.insight.resample import Floats, Ints

FLAGS: dict[str, str] = {
    "blurred": "less fine structure than others of the class",
    "faded": "flatter bands than others of the class",
    "cut": "the frame runs across the body",
    "neighbour": "other pieces, or pixels far from the axis",
    "scale": "larger or smaller than its cell lets expect",
    "bent": "tips close together for its length",
}
"""The defects and what is said of an image that has one."""

CROP: tuple[str, ...] = ("cut", "neighbour", "scale")
"""What goes wrong when a chromosome is cut out of its metaphase."""

NO_BODY = "no body"
"""The flag of an image in which no body with an axis is found. It needs no threshold."""

TOLERATED = 0.02
FLOOR = 0.02
"""Least spread that a class is given, in the unit of the measure: a handful of equal images is no ruler."""


class Standard(NamedTuple):
    """What is usual for each class of a dataset: medians and robust spreads, (classes,), and each cell's size.

    Attributes:
        sharpness: median and spread.
        contrast: median and spread.
        size: of the logarithm of area over the cell's.
        cell: median logarithm of area, less the class's, of each cell.
    """

    sharpness: Floats
    contrast: Floats
    size: Floats
    cell: dict[str, float]


def table(measured: list[Measures]) -> dict[str, Floats]:
    """Columns of measures, each (n,)."""
    rows = np.array(measured, dtype=np.float64).reshape(-1, len(Measures._fields))
    return {name: rows[:, i] for i, name in enumerate(Measures._fields)}


def _usual(values: Floats, labels: Ints, classes: int) -> Floats:
    """Median and 1.4826 median absolute deviations of each class, (2, classes); of all where a class has under four."""
    found = np.empty((2, classes))
    for label in range(classes):
        own = values[(labels == label) & np.isfinite(values)]
        own = own if len(own) >= 4 else values[np.isfinite(values)]
        middle = float(np.median(own)) if len(own) else 0.0
        found[:, label] = middle, max(FLOOR, 1.4826 * float(np.median(np.abs(own - middle)))) if len(own) else FLOOR
    return found


def standard(columns: Mapping[str, Floats], labels: Ints, cells: npt.NDArray[np.str_], classes: int) -> Standard:
    """What is usual in a dataset.

    Args:
        columns: of `table`.
        labels: class of each image, (n,).
        cells: of each image, (n,); empty where not known.
        classes: number of classes.
    """
    area = np.log(np.maximum(columns["area"], 1.0))
    area = np.where(np.isfinite(columns["area"]), area, np.nan)
    first = _usual(area, labels, classes)[0]
    cell: dict[str, float] = {}
    for name in np.unique(cells[cells != ""]):
        own = (area - first[labels])[(cells == name) & np.isfinite(area)]
        cell[str(name)] = float(np.median(own)) if len(own) else 0.0
    relative = area - np.array([cell.get(str(name), 0.0) for name in cells])
    return Standard(
        _usual(columns["sharpness"], labels, classes), _usual(columns["contrast"], labels, classes),
        _usual(relative, labels, classes), cell,
    )  # fmt: skip


def scores(
    columns: Mapping[str, Floats], labels: Ints, cells: npt.NDArray[np.str_], usual: Standard
) -> dict[str, Floats]:
    """How bad each image is in each respect, (n,) by flag; NaN where it has no body.

    Args:
        columns: of `table`.
        labels: class of each image, (n,).
        cells: of each image, (n,).
        usual: of the dataset, without whatever was planted.
    """

    def off(values: Floats, by_class: Floats) -> Floats:
        return np.asarray((values - by_class[0, labels]) / by_class[1, labels])

    with np.errstate(invalid="ignore"):
        area = np.log(np.maximum(columns["area"], 1.0)) + 0.0 * columns["area"]
    relative = area - np.array([usual.cell.get(str(name), 0.0) for name in cells])
    return {
        "blurred": -off(columns["sharpness"], usual.sharpness),
        "faded": -off(columns["contrast"], usual.contrast),
        "cut": columns["cut"],
        "neighbour": columns["foreign"],
        "scale": np.abs(off(relative, usual.size)),
        "bent": columns["bend"],
    }


def choose(good: Floats, bad: Floats) -> float:
    """The threshold, between the scores of images without and with a defect.

    Args:
        good: scores without, (n,).
        bad: scores with, (m,).
    """
    good, bad = np.sort(good[np.isfinite(good)]), np.sort(bad[np.isfinite(bad)])
    at = np.unique(np.concatenate([good, bad]))
    middles = np.concatenate([(at[1:] + at[:-1]) / 2, at[-1:]])
    wrong = 1 - np.searchsorted(good, middles, side="right") / len(good)
    found = 1 - np.searchsorted(bad, middles, side="right") / len(bad)
    gain = np.where(wrong <= TOLERATED, found - wrong, -np.inf)
    best = np.flatnonzero(gain == gain.max())
    return float(middles[best[len(best) // 2]])


def flagged(found: Mapping[str, Floats], thresholds: Mapping[str, float]) -> dict[str, npt.NDArray[np.bool_]]:
    """Which images each flag holds, (n,), and `no body`."""
    flags = {name: np.asarray(found[name] > thresholds[name]) for name in FLAGS}
    return {**flags, NO_BODY: np.asarray(np.isnan(found["bent"]))}
