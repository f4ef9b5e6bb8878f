"""Images that all protocols miss, that only two-step gets, that only two-step loses, against what chance would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.insight import estimate
from benchmark.insight.estimate import Counts, Floats, Found
from benchmark.insight.outputs import Outputs
from benchmark.protocol import BASELINE, TWO_STEP

Bools = npt.NDArray[np.bool_]
FLIPS = 9999


class Kind(NamedTuple):
    """Which protocols must be wrong, and right, for an image to be of this kind."""

    key: str
    title: str
    wrong: tuple[str, ...]
    right: tuple[str, ...]


class Members(NamedTuple):
    """Images of one kind.

    Attributes:
        kind: which.
        chosen: whether an image is of it in a repeat, (repeats, images).
        share: of all images.
        expected: images a repeat, if the protocols erred independently, each at its own rate for every class.
        ratio: images found over expected; None where none are expected.
    """

    kind: Kind
    chosen: Bools
    share: Found
    expected: float
    ratio: Found | None

    @property
    def always(self) -> Bools:
        """Images that are of this kind in every repeat, (images,)."""
        return np.asarray(self.chosen.all(axis=0))


class Discordance(NamedTuple):
    """Two arms, image by image.

    Attributes:
        gained: images a repeat that the first alone has right.
        lost: that the second alone has right.
        difference: of the rates of right images.
        p: of McNemar's test by groups, conditional on these trainings: signs of whole groups are flipped.
    """

    gained: float
    lost: float
    difference: Found
    p: float


def kinds(protocols: Sequence[str]) -> list[Kind]:
    """The kinds that some protocols make; those about two-step where it is one of several."""
    names = tuple(protocols)
    found = [Kind("all-miss", "all miss", names, ())]
    others = tuple(name for name in names if name != TWO_STEP)
    if TWO_STEP in names and others:
        found.append(Kind("only-two-step-gets", "only two-step gets", others, (TWO_STEP,)))
        found.append(Kind("only-two-step-loses", "only two-step loses", (TWO_STEP,), others))
    return found


def rate(own: Outputs, protocol: str) -> Found:
    """Part of the images that a protocol misses."""
    wrong = own.wrong[protocol]
    found = estimate.ratio(
        Counts(*(estimate.by_group(one, own.column, own.groups) for one in (wrong, np.ones_like(wrong)))), own.blocks
    )
    assert found is not None
    return found


def members(own: Outputs, kind: Kind) -> Members:
    """The images of one kind, and how many there would be by chance."""
    chosen = np.ones((own.repeats, len(own.truth)), dtype=bool)
    for name, wrong in own.wrong.items():
        chosen &= wrong if name in kind.wrong else ~wrong
    number = estimate.by_group(chosen, own.column, own.groups)
    images = estimate.by_group(np.ones_like(chosen), own.column, own.groups)
    share = estimate.ratio(Counts(number, images), own.blocks)
    assert share is not None
    size = _by_class(np.ones((1, len(own.truth))), own)[0]
    missed = {name: _by_class(wrong, own) for name, wrong in own.wrong.items()}

    def expected(weights: Floats) -> Floats:
        held = weights @ size
        product = np.repeat(held[:, None, :], own.repeats, axis=1)
        for name, counts in missed.items():
            rate = np.einsum("dg,rgc->drc", weights, counts) / np.maximum(held, 1)[:, None, :]
            product = product * (rate if name in kind.wrong else 1.0 - rate)
        return np.asarray(product.sum(axis=2))

    def ratio(weights: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ number.T) / expected(weights))

    found = float(expected(np.ones((1, own.groups))).mean())
    return Members(kind, chosen, share, found, estimate.statistic(ratio, own.repeats, own.blocks))


def _by_class(values: npt.NDArray[np.generic], own: Outputs) -> Floats:
    """Sums by group and class: (repeats, images) gives (repeats, groups, 24)."""
    place = own.column * len(CLASSES) + own.truth
    shape = own.groups, len(CLASSES)
    rows = [
        np.bincount(place, weights=row, minlength=shape[0] * shape[1]).reshape(shape) for row in values.astype(float)
    ]
    return np.stack(rows)


def discordance(own: Outputs, seed: int, first: str = TWO_STEP, second: str = BASELINE) -> Discordance | None:
    """Two arms, image by image; None where one of them is missing."""
    if first not in own.wrong or second not in own.wrong:
        return None
    gains, losses = own.wrong[second] & ~own.wrong[first], own.wrong[first] & ~own.wrong[second]
    net = estimate.by_group(gains.astype(float) - losses, own.column, own.groups)
    images = estimate.by_group(np.ones_like(gains), own.column, own.groups)
    difference = estimate.ratio(Counts(net, images), own.blocks)
    assert difference is not None
    return Discordance(
        float(gains.sum(axis=1).mean()), float(losses.sum(axis=1).mean()), difference, flipped(net.sum(axis=0), seed)
    )


def flipped(net: Floats, seed: int) -> float:
    """p-value of McNemar's test for clustered pairs (Durkalski et al. 2003), by flipping the signs of whole groups.

    Args:
        net: images that one arm alone has right minus those that the other alone has, by group, (groups,).
        seed: of the flips.
    """
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(FLIPS, len(net)))
    beyond = int((np.abs(signs @ net) >= abs(net.sum()) - 1e-9).sum())
    return (beyond + 1) / (FLIPS + 1)
