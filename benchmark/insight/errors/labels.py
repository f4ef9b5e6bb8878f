"""Suspected wrong labels by confident learning (Northcutt, Jiang & Chuang, JAIR 70:1373, 2021).

An image counts for the class whose probability is above that class's threshold, the mean probability that images with
this label have of it; of several such classes for the most probable. Where that is not its label, the label is suspected:
the off-diagonal of the confident joint. The probabilities must be of networks that did not train on the image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.insight.outputs import Floats, Ints

DENVER: tuple[tuple[int, ...], ...] = (
    (0, 1, 2), (3, 4), (5, 6, 7, 8, 9, 10, 11, 22), (12, 13, 14), (15, 16, 17), (18, 19), (20, 21, 23),
)  # fmt: skip
"""Indices of the classes of the groups A to G by size and centromere (Denver Conference 1960)."""


class Suspects(NamedTuple):
    """What the rule says of every image, (images,).

    Attributes:
        suspected: whether its label is.
        instead: the class that it counts for; its label where it counts for none.
        margin: probability of its label minus the greatest other; suspects are listed from the least on.
    """

    suspected: npt.NDArray[np.bool_]
    instead: Ints
    margin: Floats


def suspects(labels: Ints, chances: Floats) -> Suspects:
    """Apply the rule.

    Args:
        labels: as given, (images,).
        chances: out-of-sample probabilities, (images, classes).
    """
    classes = chances.shape[1]
    rows = np.arange(len(labels))
    size = np.bincount(labels, minlength=classes)
    own = chances[rows, labels]
    mean = np.bincount(labels, weights=own, minlength=classes) / np.maximum(size, 1)
    threshold = np.where(size > 0, mean, np.inf)
    above = chances >= threshold - 1e-6
    instead = np.where(above, chances, -1.0).argmax(axis=1)
    instead = np.where(above.any(axis=1), instead, labels).astype(np.int64)
    others = chances.copy()
    others[rows, labels] = -1.0
    return Suspects(instead != labels, instead, own - others.max(axis=1))


def plant(labels: Ints, rate: float, alike: bool, random: np.random.Generator) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Labels with errors in them.

    Args:
        labels: (images,).
        rate: part of the images whose label is changed.
        alike: to another class of the same group of like size (A to G), as a person might; else to any other class.
        random: decides which and to what.

    Returns:
        The labels, and whether each was changed.
    """
    changed = np.zeros(len(labels), dtype=bool)
    changed[random.permutation(len(labels))[: round(rate * len(labels))]] = True
    given = labels.copy()
    home = {one: group for group in DENVER for one in group}
    for image in np.flatnonzero(changed):
        true = int(labels[image])
        choice = [one for one in (home[true] if alike else range(24)) if one != true]
        given[image] = choice[int(random.integers(len(choice)))]
    return given, changed
