"""Made-up predictions of one submission under two splits of the same images, with a leak of known size or none.

`python -m tests.insight.leakage.made` prints how often intervals hold the truth: the table of docs/leakage.md, in about ten minutes.
"""

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from benchmark.data.manifest import Manifest
from benchmark.insight.difference import Side, side, total
from benchmark.stats.generator import CLASSES, IMAGES

CAREFUL, CARELESS = "tiny", "tiny-random"


def predictions(
    seed: int, groups: int, repeats: tuple[int, int] = (2, 2), leak: float = 0.0, training: float = 0.3,
    arm_group: float = 0.3,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:  # fmt: skip
    """Cells of 46 images; folds that keep cells whole, and folds by image.

    Without a leak the two differ only by their trainings' luck and by what a cell prefers, so that the expected difference is none.
    """
    random = np.random.default_rng([11, seed])
    truth = np.tile(np.repeat(np.arange(23), 2), (groups, 1))
    truth[random.random(groups) < 0.5, -1] = 23
    ease = 3.0 + 0.6 * random.standard_normal(CLASSES)[truth] + 0.7 * random.standard_normal((groups, 1))
    ease = (ease + 1.5 * random.standard_normal((groups, IMAGES))).ravel()
    truth, group = truth.ravel(), np.repeat(np.arange(groups), IMAGES)
    folds = group % 5, random.permutation(np.arange(len(truth)) % 5)
    found = []
    for number, fold in enumerate(folds):
        rows = repeats[number]
        luck = training * random.standard_normal((rows, 5))[:, fold]
        luck = luck + training * random.standard_normal((rows, 5, CLASSES))[:, fold, truth]
        likes = 0.5 * arm_group * random.standard_normal(groups)[group]
        right = random.random((rows, len(truth))) < 1 / (1 + np.exp(-(ease + luck + likes + number * leak)))
        partner = np.where(random.random(right.shape) < 0.6, truth ^ 1, random.integers(CLASSES, size=right.shape))
        found.append((truth, group, fold, np.where(right, truth, partner)))
    return found


def sides(*arguments: Any, **options: Any) -> tuple[Side, Side]:
    """The same, counted."""
    careful, careless = (side(*one) for one in predictions(*arguments, **options))
    return careful, careless


def resplit(manifest: Manifest, seed: int = 0) -> Manifest:
    """The same images with folds by image, as even as can be."""
    n = len(manifest)
    fold = np.random.default_rng(seed).permutation(np.arange(n) % 5)
    return replace(manifest, group_by="image").with_folds(fold, np.full(n, -1))


def fill(
    maker: Any, skills: tuple[float, float] = (0.7, 0.9), repeats: tuple[int, int] = (2, 2), arm: str = "imagenet",
    folds: tuple[int, ...] = (0, 1, 2, 3, 4), name: str = "net", changes: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
) -> None:  # fmt: skip
    """Records of both splits in a ledger; the manifest of the maker is left as it was."""
    careful = maker.manifest
    for number, (target, manifest, group) in enumerate(
        ((CAREFUL, careful, careful.group_by), (CARELESS, resplit(careful), "image"))
    ):
        maker.manifest = manifest
        for repeat in range(repeats[number]):
            for fold in folds if number else range(5):
                dataset = {"name": target, "manifest": manifest.digest, "group": group}
                more = {
                    "dataset": dataset,
                    "train_images": 480 + number,
                    "chain": ["ImageNet", target],
                    **changes[number],
                }
                maker.add(arm, fold, repeat, skills[number], name, target=target, **more)
    maker.manifest = careful


def coverage(groups: int, repeats: tuple[int, int], training: float, experiments: int, resamples: int) -> float:
    """Part of the experiments without a leak whose interval holds nothing."""
    held = 0
    for seed in range(experiments):
        careful, careless = sides(seed, groups, repeats, training=training)
        found = total([(1, careless), (-1, careful)], groups, resamples, seed)
        held += found.low is not None and found.high is not None and found.low <= 0 <= found.high
    return held / experiments


if __name__ == "__main__":
    for given in (
        (118, (2, 2), 0.3),
        (16, (2, 2), 0.3),
        (118, (2, 1), 0.0),
        (16, (2, 1), 0.0),
        (118, (2, 1), 0.3),
        (16, (2, 1), 0.3),
    ):
        sys.stdout.write(f"{given}: {100 * coverage(*given, 600, 400):.1f} %\n")
