"""Proof that a dataset's folds and pictures are sound, alone and next to other datasets.

Three claims, each checked on the data and never assumed:

1. no group stands on both sides of a split, every image is tested exactly once, and no class
   is missing from a training part (`split_checks`);
2. no picture stands on both sides of a split under two names, within a dataset or between
   a source and a target (`near_duplicates`);
3. what preprocessing leaves of the frame does not tell the cell (`frame_leak`).

Between datasets every pair of images counts: each image of a target is tested in some fold, and its
source is trained on before. Two datasets whose cards declare that they show the same people (`overlaps`) are
never source and target of each other, so that what they share is reported and is no breach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from benchmark.data import frame_leak, near_duplicates, split_checks
from benchmark.data.audit_report import Check, Report, outcome
from benchmark.data.manifest import Manifest
from benchmark.data.near_duplicates import Looks, Neighbours
from benchmark.data.store import Dataset
from benchmark.errors import InputError

U8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Progress = Callable[[int, int], None]
"""Told how many checks are done and how many there are."""

CHECKS_ALONE = 7
CHECKS_BETWEEN = 3


def audit(
    datasets: Sequence[Dataset],
    prepared: Mapping[str, U8],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Run every check on every dataset, and the picture checks between every two.

    Args:
        datasets: what to audit; sources and targets together, so that they are compared.
        prepared: a track's images of each dataset, uint8 (n, size, size) in manifest order,
            at least `near_duplicates.MIN_SIDE` pixels.
        seed: of the random parts of the frame check.
        progress: told before each step and at the end.

    Raises:
        InputError: when a dataset is given twice, or its prepared images are missing, not its own,
            or too small.
    """
    _check_inputs(datasets, prepared)
    pairs = list(combinations(datasets, 2))
    total = CHECKS_ALONE * len(datasets) + CHECKS_BETWEEN * len(pairs)
    checks: list[Check] = []

    def tell() -> None:
        if progress is not None:
            progress(len(checks), total)

    described: dict[str, Looks] = {}
    for dataset in datasets:
        name, manifest, images = dataset.card.name, dataset.manifest, prepared[dataset.card.name]
        tell()
        checks += [check(name, manifest) for check in split_checks.ALL]
        tell()
        described[name] = near_duplicates.looks(images)
        checks += _near_within(name, manifest, described[name])
        tell()
        checks.append(_frame(name, manifest, images, seed))
    for first, second in pairs:
        tell()
        checks += _between(first, second, described)
    tell()
    return Report(checks=tuple(checks))


def _check_inputs(datasets: Sequence[Dataset], prepared: Mapping[str, U8]) -> None:
    names = [dataset.card.name for dataset in datasets]
    sizes = set()
    for dataset, name in zip(datasets, names, strict=True):
        if names.count(name) > 1:
            raise InputError("dataset given twice", field="datasets", found=name)
        if name not in prepared:
            raise InputError("no prepared images", field="prepared", found=sorted(prepared), allowed=names)
        images = prepared[name]
        if images.ndim != 3 or images.dtype != np.uint8 or len(images) != len(dataset.manifest):
            raise InputError(
                "not the prepared images of this dataset",
                field=name,
                found=f"{images.dtype} {images.shape}",
                allowed=f"uint8 ({len(dataset.manifest)}, size, size)",
            )
        if min(images.shape[1:]) < near_duplicates.MIN_SIDE:
            raise InputError(
                "prepared images too small to tell a copy from a look-alike",
                field=name,
                found=images.shape[1:],
                allowed=f"at least {near_duplicates.MIN_SIDE} pixels",
            )
        sizes.add(images.shape[1:])
    if len(sizes) > 1:
        raise InputError("prepared for different tracks", field="prepared", found=sorted(sizes), allowed="one size")


def _cells(manifest: Manifest) -> list[str]:
    return [split_checks.cell_of(entry) for entry in manifest.entries]


def _near_within(name: str, manifest: Manifest, described: Looks) -> list[Check]:
    side = split_checks.sides(manifest)

    def apart(rows: slice) -> Mask:
        return np.asarray(side[rows, None] != side[None, :], dtype=bool)

    found = near_duplicates.neighbours(described, described, apart)
    return _near([name], manifest, manifest, described, described, found, harmless=False)


def _near(
    names: list[str],
    first: Manifest,
    second: Manifest,
    first_looks: Looks,
    second_looks: Looks,
    found: Neighbours,
    *,
    harmless: bool,
) -> list[Check]:
    """The checks of single images and of whole cells, given the neighbours.

    `harmless`: what is found is reported and is no breach.
    """
    where = "across a split" if len(names) == 1 else "between datasets"
    pairs = near_duplicates.copies(first_looks, second_looks, found)
    cells = near_duplicates.copied_cells(_cells(first), _cells(second), found, same=first is second)
    known = any(_cells(first)) and any(_cells(second))
    images = outcome(
        f"no near-duplicate images {where}",
        names,
        f"{len(pairs):,} pairs share their texture (correlation {near_duplicates.SIMILAR} or more)",
        (
            f"{first.entries[pair.first].image} ~ {second.entries[pair.second].image} "
            f"(texture {pair.similarity:.3f}, {pair.bits} of 64 hash bits differ)"
            for pair in pairs
        ),
        passed=harmless or not pairs,
        figures={"pairs": len(pairs), "threshold": near_duplicates.SIMILAR},
    )
    whole = outcome(
        f"no copied cell {where}",
        names,
        f"{len(cells):,} pairs of cells are one metaphase" if known else "cells are not known: not tested",
        (f"cell {a} ~ cell {b} ({shared} of {images} are nearest neighbours)" for a, b, shared, images in cells),
        passed=harmless or not cells,
        figures={"pairs": len(cells)},
    )
    return [images, whole]


def _between(first: Dataset, second: Dataset, described: Mapping[str, Looks]) -> list[Check]:
    """The smaller one is looked up in the larger: a copy is a near neighbour from both sides."""
    first, second = sorted((first, second), key=lambda dataset: len(dataset.manifest))
    names = [first.card.name, second.card.name]
    harmless = names[0] in second.card.overlaps or names[1] in first.card.overlaps
    equal = list(split_checks.shared_pixels(first.manifest, second.manifest))
    exact = outcome(
        "no equal images between datasets",
        names,
        f"{len(equal):,} images are in both" + (" (declared: never source and target)" if harmless else ""),
        (f"{a} = {b}" for a, b in equal),
        passed=harmless or not equal,
        figures={"pairs": len(equal)},
    )
    looks = described[names[0]], described[names[1]]
    found = near_duplicates.neighbours(*looks)
    return [exact, *_near(names, first.manifest, second.manifest, *looks, found, harmless=harmless)]


def _frame(name: str, manifest: Manifest, images: U8, seed: int) -> Check:
    """Held-out prediction of the cell from the prepared frame; from the raw frame for comparison."""
    title = "frame does not tell the cell"
    cells = np.array(_cells(manifest))
    left = frame_leak.predict_cell(frame_leak.frames(images), cells, seed)
    raw = frame_leak.predict_cell(frame_leak.raw_frames(manifest), cells, seed)
    if left is None or raw is None:
        return outcome(title, [name], "fewer than two cells are known: not tested")
    notes = []
    if raw.leaks:
        notes.append(f"raw width and height tell the cell {raw.ratio:.1f} times as often as chance (p = {raw.p:.2g})")
    if left.p < frame_leak.ALPHA and not left.leaks:
        limit = frame_leak.TOLERANCE
        notes.append(f"a trace is left: {left.ratio:.1f} times chance (p = {left.p:.2g}), tolerated up to {limit:g}")
    figures: dict[str, int | float] = {
        "prepared_accuracy": left.accuracy,
        "prepared_p": left.p,
        "raw_accuracy": raw.accuracy,
        "raw_p": raw.p,
        "chance": left.chance,
        "cells": left.cells,
        "images": left.images,
        "tolerance": frame_leak.TOLERANCE,
    }
    summary = (
        f"cell told from the frame: raw {raw.accuracy:.2%}, prepared {left.accuracy:.2%} (p = {left.p:.2g}), "
        f"chance {left.chance:.2%}"
    )
    offenders = [f"all {left.images:,} images"] if left.leaks else []
    return outcome(title, [name], summary, offenders, figures=figures, notes=notes)
