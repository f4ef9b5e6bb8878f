"""Whether the flags find what they should: defects planted in good images, simulated and real.

Thresholds are chosen on one half of the simulated cells and tested on the other; real images have no part in the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.bands import Dye
from benchmark.data.chromosome import render_chromosome
from benchmark.data.manifest import CLASSES
from benchmark.data.microscope import STAINS, draw_cell
from benchmark.data.preprocess import unify
from benchmark.data.simulate import karyotype
from benchmark.insight.quality.defects import DEFECTS
from benchmark.insight.quality.effect import estimate
from benchmark.insight.quality.flags import Standard, choose, scores, standard
from benchmark.insight.quality.kept import Measured, Progress, measure_all
from benchmark.insight.quality.schema import Curve, Validation
from benchmark.insight.resample import LEAST_GROUPS, Floats, Ints, bootstrap, seeds

U8 = npt.NDArray[np.uint8]

CELLS = 4
"""Simulated cells of each stain for the choice of thresholds, and as many for their test."""

PLANTED = 200
"""Real images of a dataset that get each defect."""

SEED = 8
"""Of the simulated images, so that everybody has the same thresholds."""

POINTS = 101


class Sample(NamedTuple):
    """Images and what flags need to know of them.

    Attributes:
        crops: light on black.
        labels: class of each, (n,).
        cells: of each, (n,).
        groups: what is resampled, (n,).
        usual: the standard they are held against; None to take it from them.
    """

    crops: list[U8]
    labels: Ints
    cells: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    usual: Standard | None


class Planted(NamedTuple):
    """Scores of the same images without and with each defect, by flag, (n,)."""

    good: dict[str, Floats]
    bad: dict[str, Floats]


def simulated(cells: int, part: str) -> Sample:
    """Whole cells of both stains without debris or strong bends."""
    crops, labels, names = [], [], []
    dyes: tuple[Dye, Dye] = ("Q", "G")
    for dye in dyes:
        polarity = "light-on-dark" if dye == "Q" else "dark-on-light"
        for number in range(cells):
            random = seeds(SEED, f"quality {part} {dye} {number}")
            cell = draw_cell(replace(STAINS[dye], debris=0.0, strong_bend=0.0), random)
            for label, _ in karyotype(male=number % 2 == 0):
                crops.append(unify(render_chromosome(label, dye, random, cell=cell), polarity))
                labels.append(CLASSES.index(label))
                names.append(f"{dye}{number}")
    cell_names = np.array(names)
    return Sample(crops, np.array(labels), cell_names, cell_names, None)


def drawn(found: Measured, seed: int, number: int = PLANTED) -> Sample:
    """Random images of a real dataset."""
    manifest = found.manifest
    chosen = np.sort(seeds(seed, f"planted {found.dataset.card.name}").permutation(len(manifest))[:number])
    usual = standard(found.columns, manifest.labels, manifest.cells, len(CLASSES))
    crops = [found.light(int(position)) for position in chosen]
    return Sample(crops, manifest.labels[chosen], manifest.cells[chosen], manifest.groups[chosen], usual)


def plant(sample: Sample, seed: int, folder: Path, progress: Progress | None = None) -> Planted:
    """Measure and score images without and with every defect; arguments as `measure_all`."""
    good = measure_all(sample.crops, folder, progress)
    usual = sample.usual or standard(good, sample.labels, sample.cells, len(CLASSES))
    bad = {}
    for name, defect in DEFECTS.items():
        random = seeds(seed, f"defect {name}")
        others = random.permutation(len(sample.crops))
        crops = [defect(crop, sample.crops[other], random) for crop, other in zip(sample.crops, others, strict=True)]
        columns = measure_all(crops, folder, progress)
        bad[name] = scores(columns, sample.labels, sample.cells, usual)[name]
    return Planted(scores(good, sample.labels, sample.cells, usual), bad)


def thresholds(planted: Planted) -> dict[str, float]:
    """The thresholds, from the simulated images of the choice."""
    return {name: choose(planted.good[name], planted.bad[name]) for name in DEFECTS}


def auc(good: Floats, bad: Floats, weights: Floats) -> Floats:
    """Area under the curve of weighted images, ties half; NaN scores count as good.

    Args:
        good: scores without the defect, (n,).
        bad: scores with it, (n,).
        weights: of each image, (draws, n).

    Returns:
        (draws,)
    """
    good, bad = (np.where(np.isfinite(one), one, -np.inf) for one in (good, bad))
    above = (bad[:, None] > good[None]).astype(float) + 0.5 * (bad[:, None] == good[None])
    return np.asarray(np.einsum("ri,ij,rj->r", weights, above, weights, optimize=True) / weights.sum(1) ** 2)


def curve(name: str, planted: Planted, threshold: float, groups: Ints, resamples: int, seed: int) -> Curve:
    """How well one flag does, with intervals from resampling the groups."""
    good, bad = planted.good[name], planted.bad[name]
    count = int(groups.max()) + 1
    given = count >= LEAST_GROUPS
    rows = bootstrap(count, resamples, seeds(seed, "planted groups"))[:, groups] if given else np.ones((1, len(good)))
    weights = np.concatenate([np.ones((1, len(good))), rows])

    def part(over: npt.NDArray[np.bool_]) -> Floats:
        return np.asarray(weights @ over / weights.sum(1))

    figures = auc(good, bad, weights), part(bad > threshold), part(good > threshold)
    at = np.quantile(np.concatenate([good[np.isfinite(good)], bad[np.isfinite(bad)]]), np.linspace(1, 0, POINTS))
    roc = [(float((good > t).mean()), float((bad > t).mean())) for t in at]
    first, second, third = (estimate(float(v[0]), v[1:], given) for v in figures)
    return Curve(
        flag=name, images=len(good), auc=first, sensitivity=second, flagged=third, roc=(*roc, (1.0, 1.0)),
    )  # fmt: skip


def validation(
    title: str, simulated_: bool, sample: Sample, planted: Planted, limits: dict[str, float], resamples: int, seed: int,
    resampled: str,
) -> Validation:  # fmt: skip
    """Every flag on one kind of images."""
    names, groups = np.unique(sample.groups, return_inverse=True)
    curves: Sequence[Curve] = [curve(name, planted, limits[name], groups, resamples, seed) for name in DEFECTS]
    return Validation(images=title, simulated=simulated_, groups=len(names), resampled=resampled, curves=tuple(curves))
