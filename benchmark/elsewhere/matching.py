"""An outsider's predictions held against a manifest: each test image once, nothing else, and numbers that can be what they claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, FOLDS, Manifest
from benchmark.elsewhere.given import Form, Given
from benchmark.errors import InputError
from benchmark.scoring import Stored

SUM = 1e-3
"""How far from 1 the probabilities of an image may sum to."""

FLOOR = 1e-7
"""Smallest probability that is kept: its logarithm is finite."""


class Matched(NamedTuple):
    """Predictions for the test images of some folds.

    Attributes:
        stored: as they are kept and scored, in manifest order; see `positions`.
        form: what they were given as.
        folds: ascending.
    """

    stored: Stored
    form: Form
    folds: tuple[int, ...]


def positions(manifest: Manifest, folds: Sequence[int]) -> npt.NDArray[np.int64]:
    """Positions of the test images of some folds, ascending: the rows of what is stored."""
    return np.flatnonzero(np.isin(manifest.folds, folds))


def checked_folds(folds: Sequence[int] | None, allowed: Sequence[int]) -> tuple[int, ...]:
    """Folds in order; default: all that are allowed.

    Raises:
        InputError: for one that is not allowed, or is there twice.
    """
    chosen = tuple(allowed) if not folds else tuple(folds)
    for fold in chosen:
        if fold not in allowed or not 0 <= fold < FOLDS or chosen.count(fold) > 1:
            problem = "the same fold twice" if chosen.count(fold) > 1 else "no such fold"
            raise InputError(problem, field="--fold", found=fold, allowed=[str(one) for one in allowed])
    return tuple(sorted(chosen))


def match(
    given: Given, manifest: Manifest, dataset: str, folds: Sequence[int], form: Form | None, where: Path
) -> Matched:
    """Check predictions and bring them into the order and form in which they are kept.

    Args:
        given: what the file says.
        manifest: of the dataset.
        dataset: its name, for messages.
        folds: whose test images are wanted, ascending.
        form: what the values are, where the user says so; default: as the file says, or as the values look.
        where: the file, for messages.

    Raises:
        InputError: for ids that are absent, unknown, double or of another fold; for values that are not finite; for
            probabilities that are none. Names the image.
    """
    wanted = positions(manifest, folds)
    _ids(given, manifest, dataset, wanted, folds, where)
    place = {image: row for row, image in enumerate(given.images)}
    rows = [place[manifest.entries[position].image] for position in wanted]
    values = given.values[rows]
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        field = f"{manifest.entries[wanted[row]].image}, {CLASSES[column]}"
        raise InputError(
            "must be finite", file=where, field=field, found=float(values[row, column]), allowed="a finite number"
        )
    found = _form(given, values, form, where, [manifest.entries[position].image for position in wanted])
    logits = np.log(np.maximum(values, FLOOR)) if found == "probabilities" else values
    return Matched(np.clip(logits, -60000, 60000).astype(np.float16), found, tuple(folds))


def _ids(
    given: Given, manifest: Manifest, dataset: str, wanted: npt.NDArray[np.int64], folds: Sequence[int], where: Path
) -> None:
    image, count = Counter(given.images).most_common(1)[0]
    if count > 1:
        raise InputError("the same image twice", file=where, field="image", found=image, allowed="each image once")
    known = {entry.image for entry in manifest.entries}
    unknown = [one for one in given.images if one not in known]
    if unknown:
        raise InputError(
            f"{len(unknown):,} of {len(given.images):,} images are none of {dataset}", file=where, field="image", found=unknown[0],
            allowed=f"ids of its manifest, like {manifest.entries[wanted[0]].image}", hint=_elsewhere(unknown, dataset),
        )  # fmt: skip
    tested = {manifest.entries[position].image for position in wanted}
    named = f"fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))}"
    others = [one for one in given.images if one not in tested]
    if others:
        raise InputError(f"{len(others):,} images are no test images of {named}", file=where, field="image", found=others[0],
                         allowed=f"the {len(tested):,} test images of {named}")  # fmt: skip
    absent = sorted(tested - set(given.images))
    if absent:
        raise InputError(f"{len(absent):,} of {len(tested):,} test images of {named} are absent", file=where, field="image",
                         found=f"no {absent[0]}", allowed="every one of them, once",
                         hint="For the test images of some folds alone: --fold" if len(folds) > 1 else None)  # fmt: skip


def _elsewhere(unknown: Sequence[str], dataset: str) -> str | None:
    """Which other shipped dataset some ids are of."""
    for name in cards.names():
        other = manifests.shipped(name, cards.load(name).group) if name != dataset else None
        count = len({entry.image for entry in other.entries} & set(unknown)) if other else 0
        if count:
            return f"{count:,} of them are images of {name}: --dataset {name}"
    return None


def _form(given: Given, values: npt.NDArray[np.float64], form: Form | None, where: Path, images: Sequence[str]) -> Form:
    if form and given.form and form != given.form:
        raise InputError("the file says otherwise", file=where, field="--values", found=form, allowed=given.form)
    wanted = form or given.form
    within = (values >= 0) & (values <= 1)
    if wanted is None:
        wanted = "probabilities" if within.all() else "logits"
    if wanted == "logits":
        return wanted
    bad = np.argwhere(~within)
    if len(bad):
        row, column = bad[0]
        raise InputError("not a probability", file=where, field=f"{images[row]}, {CLASSES[column]}",
                         found=float(values[row, column]), allowed="0 to 1")  # fmt: skip
    sums = values.sum(1)
    off = np.flatnonzero(np.abs(sums - 1) > SUM)
    if len(off):
        hint = None if form or given.form else "If these are logits, say so: --values logits"
        raise InputError("probabilities must sum to 1", file=where, field=images[off[0]], found=round(float(sums[off[0]]), 6),
                         allowed=f"1 ± {SUM}", hint=hint)  # fmt: skip
    return wanted
