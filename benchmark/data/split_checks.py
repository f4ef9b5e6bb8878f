"""The checks of an audit that need only the manifest: folds, groups, classes, equal pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmark.data.audit_report import Check, outcome
from benchmark.data.manifest import CLASSES, FOLDS, Entry, Manifest, Part

PARTS: tuple[Part, ...] = ("train", "validation", "test")


def cell_of(entry: Entry) -> str:
    """The cell's name, with its case where known; empty where the cell is not known."""
    if not entry.cell:
        return ""
    return f"{entry.case}/{entry.cell}" if entry.case else entry.cell


def sides(manifest: Manifest) -> npt.NDArray[np.int64]:
    """A number for each image, (n,): two images with the same number share their part in every fold."""
    return manifest.folds * (FOLDS + 1) + manifest.validation_of


def groups(name: str, manifest: Manifest) -> Check:
    """No case, no cell and no group has images in two parts of one fold."""
    side = sides(manifest)
    crossing: dict[str, str] = {}
    counted = {
        manifest.group_by: list(manifest.groups),
        "cell": [cell_of(entry) for entry in manifest.entries],
        "case": [entry.case for entry in manifest.entries],
    }
    for kind, owners in counted.items():
        found: dict[str, set[int]] = defaultdict(set)
        for owner, number in zip(owners, side, strict=True):
            found[owner].add(int(number))
        for entry, owner in zip(manifest.entries, owners, strict=True):
            if owner and len(found[owner]) > 1:
                crossing.setdefault(entry.image, f"{entry.image}: {kind} {owner} stands on {len(found[owner])} sides")
            elif not owner and kind == manifest.group_by:
                crossing.setdefault(entry.image, f"{entry.image}: no {kind} is given")
    total = len(set(manifest.groups))
    summary = f"{total:,} groups (by {manifest.group_by}), " + (
        f"{len(crossing):,} images of groups that cross a split" if crossing else "none on two sides of a split"
    )
    figures: dict[str, int | float] = {"groups": total, "crossing_images": len(crossing)}
    return outcome("groups stay on one side", [name], summary, crossing.values(), figures=figures)


def tested_once(name: str, manifest: Manifest) -> Check:
    """Every image is tested in one fold, is validation in at most one other, and no part is empty."""
    found = []
    for entry in manifest.entries:
        if entry.fold < 0:
            found.append(f"{entry.image}: tested in no fold")
        elif entry.fold == entry.validation_of:
            found.append(f"{entry.image}: tested and validation in fold {entry.fold}")
    for fold in range(FOLDS):
        found += [f"fold {fold}: no {part} image" for part in PARTS if not len(manifest.part(fold, part))]
    tested = int((manifest.folds >= 0).sum())
    summary = f"{tested:,} of {len(manifest):,} images are tested, in {FOLDS} folds"
    figures: dict[str, int | float] = {"images": len(manifest), "tested": tested}
    return outcome("every image tested once", [name], summary, found, figures=figures)


def classes(name: str, manifest: Manifest) -> Check:
    """Every class of the dataset is in every training part.

    A class that is absent from a validation or a test part is a note: a score is
    taken over the five test parts together.
    """
    breaches: list[str] = []
    notes: list[str] = []
    present = set(manifest.labels)
    for fold in range(FOLDS):
        for part in PARTS:
            absent = sorted(present - set(manifest.labels[manifest.part(fold, part)]))
            lines = [f"class {CLASSES[number]} is absent from {part} of fold {fold}" for number in absent]
            (breaches if part == "train" else notes).extend(lines)
    missing = [CLASSES[number] for number in range(len(CLASSES)) if number not in present]
    if missing:
        notes.append(f"the dataset has no image of {', '.join(missing)}")
    state = f"{len(breaches)} times absent from a training part" if breaches else "each in every training part"
    summary = f"{len(present)} classes, {state}"
    return outcome("classes in every part", [name], summary, breaches, figures={"classes": len(present)}, notes=notes)


def same_pixels(name: str, manifest: Manifest) -> Check:
    """No two images of equal pixels stand on both sides of a split."""
    side = sides(manifest)
    by_hash: dict[str, list[int]] = defaultdict(list)
    for position, entry in enumerate(manifest.entries):
        by_hash[entry.sha256].append(position)
    repeated = [positions for positions in by_hash.values() if len(positions) > 1]
    found = [
        " = ".join(manifest.entries[position].image for position in positions)
        for positions in repeated
        if len({int(side[position]) for position in positions}) > 1
    ]
    harmless = len(repeated) - len(found)
    notes = [f"{harmless} more sets of equal images stay on one side"] if harmless else []
    summary = f"{len(found)} sets of equal images cross a split" if found else "no equal images cross a split"
    figures: dict[str, int | float] = {"sets": len(repeated), "crossing_sets": len(found)}
    return outcome("no equal images across a split", [name], summary, found, figures=figures, notes=notes)


ALL = (groups, tested_once, classes, same_pixels)
"""Every check of one manifest, in the order of the report."""


def shared_pixels(first: Manifest, second: Manifest) -> Iterator[tuple[str, str]]:
    """Ids of images of two datasets that have equal pixels."""
    known: dict[str, str] = {entry.sha256: entry.image for entry in first.entries}
    for entry in second.entries:
        if entry.sha256 in known:
            yield known[entry.sha256], entry.image
