"""The images of a data set with other folds, so that what a careless split flatters can be measured.

Folds drawn by image put chromosomes of one cell on both sides of every split, folds by cell those of one person. Such a
data set is made to be held against the one that it is made of, and for nothing else: its audit fails, and its card says so.
It lives in the workspace; no image leaves it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmark.data import card as cards
from benchmark.data import folds, split_checks
from benchmark.data.audit_report import Check
from benchmark.data.card import Card
from benchmark.data.manifest import Manifest
from benchmark.data.store import Dataset, Store
from benchmark.errors import InputError
from benchmark.files import disk_errors, validate

KINDS = ("image", "cell")
"""What folds may be drawn by instead."""

WHOLE = {"case": "a person", "cell": "a cell"}
"""What the folds of the original keep on one side."""


class Resplit(NamedTuple):
    """A new data set, and the check of its audit that finds what crosses its splits."""

    dataset: Dataset
    crossing: Check


def resplit(
    store: Store,
    name: str,
    new: str,
    by: str,
    seed: int = 0,
    drawing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Resplit:
    """Make it; the same words give the same folds.

    Args:
        store: the workspace's.
        name: of an imported data set whose folds keep cells or people whole.
        new: what it is to be called.
        by: a word of `KINDS`.
        seed: another one draws other folds.
        drawing: what is shown while folds are drawn.

    Raises:
        InputError: for a data set that is not imported, a name that is taken or none, folds that are drawn so already,
            cells that are not known, or folds that nothing crosses.
    """
    original = store.open(name)
    _check(store, original, new, by)
    card = _card(original.card, new, by, seed)
    with drawing():
        manifest = _manifest(original, by, seed)
    crossing = split_checks.groups(new, manifest)
    if crossing.passed:
        raise InputError(
            "no cell and no person would cross a split, so that nothing could be measured", field="--by", found=by,
            allowed="a dataset with several images of a cell or a person",
        )  # fmt: skip
    with store.staged(new) as folder:
        _same_pixels(original.folder / "pixels.bin", folder / "pixels.bin")
        return Resplit(store.adopt(folder, card, manifest), crossing)


def _check(store: Store, original: Dataset, new: str, by: str) -> None:
    card = original.card
    if by not in KINDS:
        raise InputError("no such way to draw folds", field="--by", found=by, allowed=KINDS)
    if card.group == "image":
        raise InputError(
            f"the folds of {card.name} are drawn by image already", field="NAME", found=card.name,
            allowed="a dataset whose folds keep cells or people whole",
        )  # fmt: skip
    if by == card.group:
        raise InputError(f"the folds of {card.name} are drawn by {by} already", field="--by", found=by, allowed="image")
    if by == "cell" and not all(entry.cell for entry in original.manifest.entries):
        raise InputError("not every cell is known", field="--by", found=by, allowed="image")
    if new in cards.names():
        raise InputError("a shipped dataset has this name", file=cards.folder(new), field="NEW", found=new)
    if store.folder(new).exists():
        raise InputError(
            "the workspace holds a dataset of this name", file=store.folder(new), field="NEW", found=new,
            hint="Choose another name, or delete that folder and WORKSPACE/prepared/" + new,
        )  # fmt: skip


def _card(card: Card, new: str, by: str, seed: int) -> Card:
    text = (
        f"The images of {card.name} with folds that are drawn by {by} (seed {seed}), so that parts of {WHOLE[card.group]} stand on both "
        f"sides of every split and scores are flattered. Made by karyobench data resplit, to measure by how much; no benchmark. The card of {card.name} says of these images: {card.description}"
    )
    data = {
        **card.model_dump(mode="json"), "name": new, "title": f"{card.title}, split by {by}: scores are flattered", "group": by,
        "description": text, "layout": "resplit", "reading": None, "sources": [],
        "overlaps": list(dict.fromkeys((card.name, *(one for one in card.overlaps if one != new)))),
    }  # fmt: skip
    return validate(data, Card, "data resplit")


def _manifest(original: Dataset, by: str, seed: int) -> Manifest:
    """The same entries, cells and people too, with other folds."""
    known = replace(original.manifest, group_by=by)
    if by == "image":
        return known.with_folds(*folds.draw(known, seed))
    apart = tuple(entry._replace(cell=split_checks.cell_of(entry), case="") for entry in known.entries)
    return known.with_folds(*folds.draw(Manifest(apart, by), seed))


def _same_pixels(source: Path, copy: Path) -> None:
    """One file under two names where the file system can; it is only ever replaced, never changed."""
    with disk_errors(copy):
        try:
            os.link(source, copy)
        except OSError:
            shutil.copyfile(source, copy)
