"""What the networks of one trial gave for every test image: logits by protocol, in one order of images and groups.

Images come fold by fold, in manifest order within a fold; groups are numbered as the columns of `benchmark.results`
number them, so that every count fits the suite's statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmark.arm import Arm, Place, Trial, full_repeats
from benchmark.data.manifest import Manifest
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.protocol import MAIN, ordered
from benchmark.results import Results

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outputs:
    """Predictions of some protocols on the same images.

    Attributes:
        trial: whose.
        places: (repeat, fold) of the trainings, which every protocol has.
        blocks: number of groups that each fold tests.
        manifest: of the target.
        positions: place of each image in the manifest, (images,).
        column: number of the group of each image, (images,).
        names: of the groups.
        logits: by protocol, (repeats, images, 24).
        hashes: of the records behind them.
    """

    trial: Trial
    places: list[Place]
    blocks: tuple[int, ...]
    manifest: Manifest
    positions: Ints
    column: Ints
    names: list[str]
    logits: dict[str, npt.NDArray[np.float16]]
    hashes: tuple[str, ...]

    @property
    def truth(self) -> Ints:
        """Class of each image, (images,)."""
        return self.manifest.labels[self.positions]

    @property
    def groups(self) -> int:
        """How many."""
        return sum(self.blocks)

    @property
    def repeats(self) -> int:
        """How often every fold was trained."""
        return len({repeat for repeat, _ in self.places})

    @property
    def folds(self) -> tuple[int, ...]:
        """Which."""
        return tuple(sorted({fold for _, fold in self.places}))

    @cached_property
    def said(self) -> dict[str, Ints]:
        """The class that each image was taken for, by protocol, (repeats, images)."""
        return {name: found.argmax(2).astype(np.int64) for name, found in self.logits.items()}

    @cached_property
    def wrong(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Whether each image was missed, by protocol, (repeats, images)."""
        return {name: found != self.truth for name, found in self.said.items()}

    @cached_property
    def cells(self) -> Ints:
        """Number of the cell of each image, (images,); -1 where it is not known.

        Raises:
            InputError: when a cell stands in more than one fold or group.
        """
        return cells(self.manifest)[self.positions]

    def ids(self, chosen: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> list[str]:
        """Ids of some images."""
        return [self.manifest.entries[position].image for position in self.positions[chosen].tolist()]


def cells(manifest: Manifest) -> Ints:
    """Number of the cell of every image of a manifest, (n,); -1 where it is not known.

    Raises:
        InputError: when a cell stands in more than one fold or group.
    """
    numbers: dict[tuple[str, str], int] = {}
    seen: dict[int, tuple[int, str]] = {}
    found = np.full(len(manifest), -1, dtype=np.int64)
    groups = manifest.groups
    for position, entry in enumerate(manifest.entries):
        if not entry.cell:
            continue
        number = numbers.setdefault((entry.case, entry.cell), len(numbers))
        place = entry.fold, str(groups[position])
        if seen.setdefault(number, place) != place:
            raise InputError(
                "images of one cell stand in several folds or groups", field=f"cell {entry.cell}",
                found=sorted([seen[number], place]), allowed="one fold and one group a cell",
            )  # fmt: skip
        found[position] = number
    return found


def read(results: Results, trial: Trial, protocols: Sequence[str]) -> Outputs:
    """The predictions of some protocols of a trial, over the full repeats that all of them have.

    Raises:
        InputError: when a protocol was not run, or they share no training.
        IntegrityError: when predictions are missing or altered.
    """
    arms = results.trials[trial]
    for name in protocols:
        if name not in arms or not arms[name].scored:
            known = [one for one in ordered(arms) if arms[one].scored]
            raise InputError(
                f"{trial.submission} has no predictions of this protocol on {trial.target}", file=results.ledger.path,
                field="protocol", found=name, allowed=known or "none",
                hint=f"Run: karyobench run {trial.submission} --track {trial.track} -p {name}",
            )  # fmt: skip
    places = full_repeats(frozenset.intersection(*(arms[name].scored for name in protocols)))
    if not places:
        raise InputError(
            f"no fold was trained by all of {', '.join(protocols)}", file=results.ledger.path,
            field=f"{trial.submission} on {trial.target}",
        )  # fmt: skip
    repeats, folds = sorted({r for r, _ in places}), sorted({f for _, f in places})
    first = arms[protocols[0]]
    manifest = _manifest(results.ledger, first)
    parts = [manifest.tested(fold) for fold in folds]
    starts = np.concatenate([[0], np.cumsum([len(part.names) for part in parts])])
    logits = {
        name: np.stack(
            [np.concatenate([results.ledger.predictions(arms[name].records[r, f]) for f in folds]) for r in repeats]
        )
        for name in protocols
    }
    return Outputs(
        trial, places, results.blocks(first, places), manifest,
        np.concatenate([manifest.part(fold, "test") for fold in folds]),
        np.concatenate([part.group + start for part, start in zip(parts, starts[:-1], strict=True)]),
        [name for part in parts for name in part.names], logits,
        tuple(one for name in protocols for one in arms[name].hashes(places)),
    )  # fmt: skip


def _manifest(ledger: Ledger, arm: Arm) -> Manifest:
    dataset = next(iter(arm.records.values()))["dataset"]
    return ledger.manifest(dataset["manifest"], dataset["group"])


def ran(arms: dict[str, Arm]) -> list[str]:
    """The protocols in question that have predictions, in their order."""
    return [name for name in MAIN if name in arms and arms[name].scored]


def trials(results: Results, submissions: Sequence[str], track: str, target: str | None = None) -> list[Trial]:
    """The trials of some submissions on a track that are not withdrawn.

    Args:
        results: of the track.
        submissions: their names.
        track: its name, for errors.
        target: only this one.

    Raises:
        InputError: for a submission or a target without a record.
    """
    listed = results.listed().trials
    where = results.ledger.path
    known = sorted({trial.submission for trial in listed})
    for name in submissions:
        if name not in known:
            raise InputError(
                f"no record of this submission on the track {track}", file=where, field="submission", found=name,
                allowed=known or "none", hint=f"Run: karyobench run {name} --track {track}",
            )  # fmt: skip
    chosen = [trial for trial in sorted(listed) if trial.submission in submissions]
    targets = sorted({trial.target for trial in chosen})
    if target is not None and target not in targets:
        raise InputError("no record of this target", file=where, field="target", found=target, allowed=targets)
    found = [trial for trial in chosen if target in (None, trial.target) and ran(listed[trial])]
    if not found:
        raise InputError("no scored training", file=where, field=", ".join(submissions), allowed=MAIN)
    return found
