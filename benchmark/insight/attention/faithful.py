"""Whether the network really uses what a map marks: deletion and insertion (Petsiuk, Das & Saenko, BMVC 2018).

*Deletion*: the chromosome's pixels are turned black, those with most attention first, in 10 steps; a map that marks what matters
lets the probability of the class fall early. *Insertion*: they are put back into a blurred picture in the same order, and the
probability rises early. Each curve's area is compared with that of orders from random maps of as many cells, smoothed
in the same way, so that a map gains nothing by being smooth. Pixels off the chromosome stay as they are: black on black
proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from benchmark.insight.resample import Floats, seeds

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
U8 = npt.NDArray[np.uint8]

STEPS = 10
RANDOM = 3
"""Random maps an image."""

BLUR = 1 / 16
"""Standard deviation of the blur, in sides of the image."""


class Curves(NamedTuple):
    """Probability of the class as pixels go and come, means over nothing yet.

    Attributes:
        deletion: (images, STEPS + 1), from the whole chromosome to none of it.
        insertion: (images, STEPS + 1), from the blurred picture to the whole one.
        random_deletion: the mean over random maps, likewise.
        random_insertion: likewise.
    """

    deletion: Floats
    insertion: Floats
    random_deletion: Floats
    random_insertion: Floats

    def gains(self) -> Floats:
        """How much better than random the map is, in area: (images, 2), deletion and insertion; above 0 is better."""
        return np.stack(
            [area(self.random_deletion) - area(self.deletion), area(self.insertion) - area(self.random_insertion)],
            axis=1,
        )


def area(curve: Floats) -> Floats:
    """Area below curves over 0 to 1, (n, steps + 1) gives (n,)."""
    return np.asarray(np.trapezoid(curve, dx=1 / (curve.shape[1] - 1), axis=1))


def enlarged(grids: Floats32, size: int) -> Floats32:
    """Maps at the size of the image, bilinear: (n, side, side) gives (n, size, size)."""
    found = F.interpolate(torch.from_numpy(grids)[:, None], (size, size), mode="bilinear", align_corners=False)
    return np.asarray(found[:, 0].numpy())


def ranks(marked: Floats32, body: Mask, random: np.random.Generator) -> Ints:
    """In which step each pixel of the body is taken, 1 to `STEPS`, most attention first; 0 off the body.

    Args:
        marked: map at the size of the image, (size, size).
        body: where the chromosome is, (size, size).
        random: decides between equals.
    """
    values = marked[body]
    order = np.lexsort((random.random(len(values)), -values))
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.arange(len(values))
    found = np.zeros(body.shape, dtype=np.int64)
    found[body] = 1 + place * STEPS // max(1, len(values))
    return found


def blurred(images: U8) -> U8:
    """Images without bands, (n, size, size)."""
    from scipy import ndimage

    spread = BLUR * images.shape[1]
    return np.asarray(ndimage.gaussian_filter(images.astype(np.float32), (0, spread, spread)) + 0.5).astype(np.uint8)


def curves(
    logits: Callable[[U8], Floats32], images: U8, targets: Ints, bodies: Mask, grids: Floats32, seed: int
) -> Curves:
    """Curves of some images under a network.

    Args:
        logits: of images, (n, classes).
        images: uint8 (n, size, size).
        targets: class of each, (n,).
        bodies: where each chromosome is, (n, size, size).
        grids: the maps, (n, side, side).
        seed: of the random maps.
    """
    random, size = seeds(seed, "random maps"), images.shape[1]
    others = random.random((RANDOM, *grids.shape)).astype(np.float32)
    sides = [enlarged(one, size) for one in (grids, *others)]
    found: list[list[Floats]] = [[], []]
    soft = blurred(images)
    for number, image in enumerate(images):
        steps = np.stack([ranks(side[number], bodies[number], random) for side in sides])
        for kind, (whole, gone) in enumerate(((image, np.zeros_like(image)), (soft[number], image))):
            taken = (steps[:, None] > 0) & (steps[:, None] <= np.arange(STEPS + 1)[None, :, None, None])
            shown = np.where(taken, gone, whole).reshape(-1, size, size)
            said = torch.from_numpy(logits(shown)).softmax(dim=1)[:, int(targets[number])].double().numpy()
            found[kind].append(said.reshape(len(sides), STEPS + 1))
    deletion, insertion = (np.stack(one) for one in found)
    return Curves(deletion[:, 0], insertion[:, 0], deletion[:, 1:].mean(axis=1), insertion[:, 1:].mean(axis=1))
