"""Where the networks of one submission look on one target: everything that `karyobench insight attention` computes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark import protocol as protocols
from benchmark import provenance
from benchmark.errors import InputError
from benchmark.insight.attention import contrast
from benchmark.insight.attention.bodies import find as find_bodies
from benchmark.insight.attention.contrast import Found, Sample
from benchmark.insight.attention.faithful import RANDOM, STEPS
from benchmark.insight.attention.maps import Method
from benchmark.insight.attention.numbers import MEASURES, PARTS, Chromosome, even_table, table
from benchmark.insight.attention.sanity import SAME
from benchmark.insight.attention.schema import (
    Arm,
    Attention,
    Contrast,
    Gate,
    Measure,
    Settings,
    Unit,
    Verdict,
)
from benchmark.insight.attention.summary import RULE, finite, span, unit
from benchmark.insight.attention.unit import DRAWS, SAMPLE, Looked, Looker
from benchmark.insight.domains import Bar
from benchmark.insight.resample import Floats
from benchmark.insight.trained import Place, find, load
from benchmark.ledger import Ledger
from benchmark.submission import Submission
from benchmark.track import Track

MEANINGS = {
    "background": ("share on the background", "attention off the chromosome, part of all"),
    "outline": ("share on the outline", "attention on the chromosome's edge, part of all"),
    "coverage": ("coverage of both halves", "part of the axis with at least half the mean attention, in the lesser half"),
    "evenness": ("evenness along the axis", "entropy of attention along the axis, 1 where all parts get as much"),
    "bands": ("agreement with bands", "rank correlation of attention and band contrast along the axis"),
}  # fmt: skip


class Outcome(NamedTuple):
    """The report, and what its picture of chromosomes needs beyond it.

    Attributes:
        report: numbers alone.
        looked: of every unit, protocol by protocol.
        bodies: of the images of each fold, by fold.
    """

    report: Attention
    looked: list[Looked]
    bodies: dict[int, list[Chromosome | None]]


class Asked(NamedTuple):
    """What is looked at.

    Attributes:
        track: of the units.
        submission: likewise.
        target: likewise.
        folds: from 0.
        repeats: from 0.
        protocols: names; empty: the main ones that were trained.
    """

    track: Track
    submission: Submission
    target: str
    folds: tuple[int, ...]
    repeats: tuple[int, ...]
    protocols: tuple[str, ...] = ()


def trained_protocols(workspace: Path, asked: Asked) -> tuple[list[str], list[str]]:
    """Protocols to look at, and main ones that were not trained here for every fold and repeat.

    Raises:
        InputError: when one that was named, or all, are missing.
    """
    ledger = Ledger(workspace / "ledger")
    there, absent = [], []
    for name in asked.protocols or protocols.MAIN:
        try:
            for fold, repeat in itertools.product(asked.folds, asked.repeats):
                find(ledger, asked.submission, asked.track, Place(name, asked.target, fold, repeat))
            there.append(name)
        except InputError as error:
            if asked.protocols:
                raise
            absent.append((name, error))
    if not there:
        raise absent[0][1]
    return there, [name for name, _ in absent]


def look(
    workspace: Path, asked: Asked, *, method: Method, seed: int, bar: Bar, images: int | None = None,
    sample: int = SAMPLE, device: str = "cpu",
) -> Outcome:  # fmt: skip
    """Look into the trained networks of a submission.

    Args:
        workspace: holds ledger, checkpoints and dataset; what is computed is kept below `insight/attention`.
        asked: what is looked at.
        method: of the maps.
        seed: of all chance.
        bar: shows progress.
        images: at most so many of each fold; None: all.
        sample: of those, so many for curves and cascade.
        device: where the networks are.

    Raises:
        InputError: for what is missing, altered or wrong: see `benchmark.insight.trained.load`; for a network
            without spatial features.
    """
    for field, values in (("fold", asked.folds), ("repeat", asked.repeats)):
        if len(set(values)) < len(values):
            raise InputError("the same twice", field=field, found=list(values))
    names, absent = trained_protocols(workspace, asked)
    folder = workspace / "insight" / "attention"
    looker = Looker(folder, method, seed, images, sample)
    looked: list[Looked] = []
    units: list[Unit] = []
    bodies: dict[int, list[Chromosome | None]] = {}
    for name, repeat, fold in itertools.product(names, asked.repeats, asked.folds):
        with bar(f"preparing {asked.target}") as progress:
            place = Place(name, asked.target, fold, repeat)
            one = load(workspace, asked.track, asked.submission, place, device=device, progress=progress)
        said = one.logits().argmax(axis=1)
        again = float(np.mean(said == Ledger(workspace / "ledger").predictions(one.record).argmax(axis=1)))
        with bar(f"maps of {name}, fold {fold}, repeat {repeat}", "passes") as progress:
            looked.append(looker(one, progress))
        if fold not in bodies:
            with bar(f"axes of fold {fold}") as progress:
                bodies[fold] = find_bodies(folder / "axes", one.images[looked[-1].rows], progress)
        units.append(unit(looked[-1], again))
    return Outcome(reported(asked, looked, units, bodies, absent, method, seed, sample), looked, bodies)


def reported(
    asked: Asked, looked: Sequence[Looked], units: Sequence[Unit], bodies: dict[int, list[Chromosome | None]],
    absent: Sequence[str], method: Method, seed: int, sample: int,
) -> Attention:  # fmt: skip
    """Every figure; arguments as `look`."""
    names = list(dict.fromkeys(one.protocol for one in units))
    failed = tuple(name for name in names if any(not one.sanity.passed for one in units if one.protocol == name))
    size, sides = asked.track.preprocess.size, {one.layer.side for one in looked}
    values: dict[str, Floats] = {}
    shuffled: dict[str, Floats] = {}
    for name in names:
        own = [one for one in looked if one.trained.place.protocol == name]
        values[name] = np.concatenate([table(bodies[one.trained.place.fold], one.maps, size) for one in own])
        shuffled[name] = mean_over_images(
            table(bodies[one.trained.place.fold], draw, size) for one in own for draw in one.shuffled
        )
    first = [one for one in looked if one.trained.place.protocol == names[0]]
    rows = _sample(first)
    flat = even_table([one for fold in asked.folds for one in bodies[fold]], max(sides))
    data = first[0].trained.data
    pixels = hashlib.sha256(b"".join(one.trained.images[one.rows].tobytes() for one in first[: len(asked.folds)]))
    return Attention(
        submission=asked.submission.name, model=asked.submission.digest, track=asked.track.name,
        track_digest=asked.track.digest, simulated=data.card.simulated, size=size, target=asked.target,
        manifest=data.manifest.digest, pixels=pixels.hexdigest(), folds=asked.folds, repeats=asked.repeats,
        images=sum(map(len, bodies.values())), unmeasured=sum(one is None for own in bodies.values() for one in own),
        group_by=data.card.group, absent=tuple(absent), units=tuple(units),
        speaks_of="new trainings" if contrast.speaks_of_new_trainings(rows) else "these trainings",
        measures=tuple(
            Measure(key=key, title=title, meaning=meaning, even=float(flat[number]))
            for number, (key, (title, meaning)) in enumerate(MEANINGS.items())
        ),
        arms=tuple(_arms(values, shuffled, rows)), contrasts=tuple(_contrasts(values, rows, failed)),
        gate=Gate(threshold=SAME, rule=RULE, failed=failed),
        settings=Settings(
            method=method, seed=seed, draws=DRAWS, sample=sample, steps=STEPS, random_maps=RANDOM, parts=PARTS
        ),
        versions=versions(), harness=provenance.harness(),
    )  # fmt: skip


def mean_over_images(tables: Iterable[Floats]) -> Floats:
    """Mean of each number over the images of all tables, (images, numbers) each, which folds make of different length."""
    return np.asarray(np.nanmean(np.concatenate(list(tables)), axis=0))


def _sample(looked: Sequence[Looked]) -> Sample:
    """Which image each row of a protocol's table is."""

    def filled(value: int, one: Looked) -> npt.NDArray[np.int64]:
        return np.full(len(one.rows), value)

    return Sample(
        np.concatenate([one.trained.groups[one.rows] for one in looked]),
        np.concatenate([filled(one.trained.place.repeat, one) for one in looked]),
        np.concatenate([filled(one.trained.place.fold, one) for one in looked]),
    )


def _common(values: dict[str, Floats], names: Sequence[str], measure: int) -> npt.NDArray[np.bool_]:
    """Rows that have the number under every one of some protocols."""
    return np.asarray(np.all([np.isfinite(values[name][:, measure]) for name in names], axis=0))


def _kept(values: Floats, there: npt.NDArray[np.bool_]) -> Floats:
    return np.where(there, values, np.nan)


def _arms(values: dict[str, Floats], shuffled: dict[str, Floats], rows: Sample) -> list[Arm]:
    found = []
    for number, key in enumerate(MEASURES):
        there = _common(values, list(values), number)
        for name, own in values.items():
            one = contrast.mean(_kept(own[:, number], there), rows)
            if one.images:
                found.append(
                    Arm(
                        protocol=name, measure=key, shuffled=finite(shuffled[name][number]), images=one.images,
                        groups=one.groups, **span(one),
                    )
                )  # fmt: skip
    return found


def _contrasts(values: dict[str, Floats], rows: Sample, failed: Sequence[str]) -> list[Contrast]:
    """Every later protocol minus every earlier one, of those that passed; Holm over all."""
    sound = [name for name in values if name not in failed]
    asked = [
        (key, later, earlier, contrast.mean(values[later][:, number] - values[earlier][:, number], rows))
        for number, key in enumerate(MEASURES)
        for earlier, later in itertools.combinations(sound, 2)
    ]
    asked = [one for one in asked if one[3].images]
    adjusted = contrast.adjusted([one[3] for one in asked])
    return [
        Contrast(
            measure=key, first=later, second=earlier, p=finite(one.p), adjusted=finite(float(p)),
            verdict=verdict(one, float(p)), images=one.images, groups=one.groups, **span(one),
        )
        for (key, later, earlier, one), p in zip(asked, adjusted, strict=True)
    ]  # fmt: skip


def verdict(found: Found, adjusted: float) -> Verdict:
    """What may be said of a difference."""
    if not np.isfinite(adjusted):
        return "withheld"
    if adjusted > contrast.ALPHA:
        return "undecided"
    return "higher" if found.value > 0 else "lower"


def versions() -> dict[str, str]:
    """Versions of the packages that decide a figure."""
    return {**provenance.packages(), **{name: metadata.version(name) for name in ("captum", "scikit-image")}}
