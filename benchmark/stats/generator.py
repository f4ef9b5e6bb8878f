"""Simulated predictions of two arms with known truth: crossed random effects of trainings and groups.

Every image has a chance of being classified rightly. On the logit scale it is the sum of what both
arms share (class, group, image, training) and of what differs between them (the gain, and effects
of arm × group, arm × training, arm × training × class and arm × image). Without a gain the two
arms are exchangeable, so that the null hypothesis holds exactly for macro-F1 at any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.stats.pseudo import Tally

CLASSES = 24
IMAGES = 46
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Effects:
    """Standard deviations on the logit scale.

    Args:
        arm_group: how much a group prefers one arm.
        arm_training: how much a training of one arm is better by luck.
        arm_training_class: the same, class by class.
        arm_image: how much an image prefers one arm, whatever the training.
    """

    arm_group: float
    arm_training: float
    arm_training_class: float = 0.3
    arm_image: float = 0.5
    level: float = 4.2
    classes: float = 0.6
    group: float = 0.7
    image: float = 1.5
    training: float = 0.15


MILD = Effects(arm_group=0.2, arm_training=0.1)
STRONG = Effects(arm_group=0.8, arm_training=0.5)


class Experiment(NamedTuple):
    """Predictions of two arms, image by image.

    Args:
        truth: class indices, shape (images,).
        group: column of each image's group, shape (images,).
        arm: predicted classes by repeat, shape (repeats, images).
        baseline: the same of the baseline.
    """

    truth: Ints
    group: Ints
    arm: Ints
    baseline: Ints


def simulate(
    random: np.random.Generator, repeats: int, blocks: tuple[int, ...], effects: Effects, gain: float = 0.0
) -> Experiment:
    """One experiment.

    Args:
        random: source of numbers.
        repeats: rows.
        blocks: groups of each fold.
        effects: their sizes.
        gain: of the arm over the baseline, on the logit scale.
    """
    groups = sum(blocks)
    block = np.repeat(np.arange(len(blocks)), blocks)
    truth = np.tile(np.repeat(np.arange(23), 2), (groups, 1))
    truth[random.random(groups) < 0.5, -1] = 23
    shared = effects.level + effects.classes * random.standard_normal(CLASSES)[truth]
    shared = shared + effects.group * random.standard_normal((groups, 1))
    shared = shared + effects.image * random.standard_normal((groups, IMAGES))
    training = effects.training * random.standard_normal((repeats, len(blocks)))[:, block, None]
    of_group = effects.arm_group * random.standard_normal((groups, 1))
    of_image = effects.arm_image * random.standard_normal((groups, IMAGES))
    arms = []
    rows = np.arange(repeats)[:, None, None]
    for sign in (1, -1):
        luck = effects.arm_training * random.standard_normal((repeats, len(blocks)))[:, block, None]
        by_class = effects.arm_training_class * random.standard_normal((repeats, len(blocks), CLASSES))
        chance = shared + training + luck + by_class[rows, block[:, None], truth]
        chance = chance + 0.5 * sign * (gain + of_group + of_image)
        right = random.random(chance.shape) < 1 / (1 + np.exp(-chance))
        partner = np.where(random.random(chance.shape) < 0.6, truth ^ 1, random.integers(CLASSES, size=chance.shape))
        arms.append(np.where(right, truth, partner))
    first, second = (arm.reshape(repeats, -1) for arm in arms)
    return Experiment(truth.ravel(), np.repeat(np.arange(groups), IMAGES), first, second)


def count(truth: Ints, group: Ints, predicted: Ints, groups: int) -> Tally:
    """Tally of predictions, shape (repeats, images), as in `Experiment`."""
    rows = len(predicted)
    cell = np.arange(rows)[:, None] * groups + group
    size, shape = rows * groups * CLASSES, (rows, groups, CLASSES)
    place = cell * CLASSES + truth
    claimed = np.bincount((cell * CLASSES + predicted).ravel(), minlength=size).reshape(shape)
    hits = np.bincount(place[predicted == truth], minlength=size).reshape(shape)
    true = np.bincount(place.ravel(), minlength=size).reshape(shape)
    return Tally(hits.astype(np.float64), claimed.astype(np.float64), true.astype(np.float64))


def tallies(found: Experiment, groups: int) -> tuple[Tally, Tally]:
    """Counts of arm and baseline."""
    return count(found.truth, found.group, found.arm, groups), count(found.truth, found.group, found.baseline, groups)


def swapped(real: Experiment, blocks: tuple[int, ...], random: np.random.Generator) -> Experiment:
    """A null experiment made from real predictions: what arm a training belongs to is drawn by lot.

    Groups are drawn with replacement within their block, each with its images. Then, for every
    training, the two arms change places with probability one half, so that no arm can be better.

    Args:
        real: columns of its groups stand in blocks.
        blocks: groups of each fold.
        random: source of numbers.
    """
    images = [np.flatnonzero(real.group == one) for one in range(sum(blocks))]
    starts = np.concatenate(([0], np.cumsum(blocks)))
    chosen = np.concatenate([random.integers(low, high, high - low) for low, high in pairwise(starts)])
    index = np.concatenate([images[one] for one in chosen])
    group = np.repeat(np.arange(len(chosen)), [len(images[one]) for one in chosen])
    block = np.repeat(np.arange(len(blocks)), blocks)[group]
    swap = (random.random((len(real.arm), len(blocks))) < 0.5)[:, block]
    first, second = real.arm[:, index], real.baseline[:, index]
    return Experiment(real.truth[index], group, np.where(swap, second, first), np.where(swap, first, second))
