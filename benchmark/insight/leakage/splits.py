"""What a ledger holds of one submission under two splits of the same images, and why it may not be compared.

Everything but the folds must be alike: version and weights of the submission, what its chain trained on before, pixels, preprocessing,
recipe and era of the harness. Five folds of either split test every image once, so that the two are of the same images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.arm import Arm, Place, Trial, full_repeats
from benchmark.data.manifest import FOLDS, Manifest
from benchmark.errors import InputError
from benchmark.insight.difference import Side, side
from benchmark.insight.settings import settings
from benchmark.results import Results

Ints = npt.NDArray[np.int64]
ALIKE = ("preprocess", "recipe")
"""Parts of a track that must not differ."""


class Where(NamedTuple):
    """A data set and the track that it was trained on."""

    dataset: str
    track: str


class Held(NamedTuple):
    """The trainings of a submission by one protocol under one split.

    Attributes:
        trial: whose.
        arm: the trainings.
        places: of the full repeats.
        manifest: of the data set.
    """

    trial: Trial
    arm: Arm
    places: list[Place]
    manifest: Manifest

    @property
    def repeats(self) -> list[int]:
        """Which."""
        return sorted({repeat for repeat, _ in self.places})

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """Of the full repeats."""
        return [self.arm.records[place] for place in self.places]


class Both(NamedTuple):
    """The same submission and protocol, its folds drawn with care and without."""

    careful: Held
    careless: Held


def find(results: Results, careful: Where, careless: Where, submission: str, protocol: str) -> Both:
    """The newest trainings of either split that may be compared.

    Raises:
        InputError: when there are none; names what differs or is missing.
    """
    first, second = (_held(results, where, submission, protocol) for where in (careful, careless))
    problem: InputError | None = None
    for one, other in product(first, second):
        try:
            return _checked(results, Both(one, other))
        except InputError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def offered(results: Results, careful: Where, careless: Where) -> list[tuple[str, str]]:
    """Submissions and protocols with a scored training under either split.

    Raises:
        InputError: when one of the data sets has none at all.
    """
    found = set[tuple[str, str]]()
    for where in (careful, careless):
        own = {(trial.submission, arm.protocol) for trial, arm in _arms(results, where)}
        if not own:
            held = sorted({t.target for t in results.listed().trials if t.track == where.track})
            raise InputError(
                f"no scored training on this dataset by the track {where.track}", file=results.ledger.path, field="dataset",
                found=where.dataset, allowed=held or "none", hint=_run(where, "SUBMISSION", "PROTOCOL"),
            )  # fmt: skip
        found |= own
    return sorted(found)


def exposed(manifest: Manifest, group: Ints) -> float:
    """Part of the test images whose group is in the training part of their fold, too."""
    crossing = 0
    for fold in range(FOLDS):
        test, train = (group[manifest.part(fold, part)] for part in ("test", "train"))
        crossing += int(np.isin(test, train).sum())
    return crossing / len(manifest)


def groups_of(manifest: Manifest) -> tuple[Ints, int]:
    """Number of each image's group, and how many groups there are."""
    names, number = np.unique(manifest.groups, return_inverse=True)
    return number.astype(np.int64), len(names)


def sides(results: Results, both: Both) -> tuple[Side, Side]:
    """Counts of either split over the groups of the careful one."""
    number, _ = groups_of(both.careful.manifest)
    return _side(results, both.careful, number), _side(results, both.careless, number)


def _side(results: Results, held: Held, group: Ints) -> Side:
    said = np.empty((len(held.repeats), len(held.manifest)), dtype=np.int64)
    for row, repeat in enumerate(held.repeats):
        for fold in range(FOLDS):
            said[row, held.manifest.part(fold, "test")] = results.read(held.arm.records[repeat, fold])
    return side(held.manifest.labels, group, held.manifest.folds, said)


def _run(where: Where, submission: str, protocol: str, folds: Sequence[int] = ()) -> str:
    chosen = "".join(f" -f {fold}" for fold in folds)
    return f"Run: karyobench run {submission} --track {where.track} --target {where.dataset} -p {protocol}{chosen}"


def _arms(results: Results, where: Where) -> Iterator[tuple[Trial, Arm]]:
    """All trainings of a data set by a track that are not withdrawn and gave predictions."""
    for trial, arms in results.listed().trials.items():
        if (trial.target, trial.track) == (where.dataset, where.track):
            yield from ((trial, arm) for arm in arms.values() if arm.scored)


def _held(results: Results, where: Where, submission: str, protocol: str) -> list[Held]:
    """Newest first."""
    found = [
        (trial, arm)
        for trial, arm in _arms(results, where)
        if (trial.submission, arm.protocol) == (submission, protocol)
    ]
    if not found:
        known = sorted({f"{trial.submission} {arm.protocol}" for trial, arm in _arms(results, where)})
        raise InputError(
            f"no scored training on {where.dataset} by the track {where.track}", file=results.ledger.path, field="submission, protocol",
            found=f"{submission} {protocol}", allowed=known or "none", hint=_run(where, submission, protocol),
        )  # fmt: skip
    found.sort(key=lambda one: max(str(record["ended"]) for record in one[1].records.values()), reverse=True)
    helds = []
    for trial, arm in found:
        dataset = next(iter(arm.records.values()))["dataset"]
        manifest = results.ledger.manifest(dataset["manifest"], dataset["group"])
        helds.append(Held(trial, arm, full_repeats(arm.scored), manifest))
    return helds


def _checked(results: Results, both: Both) -> Both:
    _same_submission(results, both)
    _same_track(results, both)
    _same_images(results, both)
    for held in both:
        _all_folds(results, held)
    return both


def _differ(results: Results, both: Both, problem: str, field: str, found: object, allowed: object) -> InputError:
    one, other = both.careful.trial, both.careless.trial
    return InputError(
        f"{problem} differ between {one.target} and {other.target} ({one.submission}, {both.careful.arm.protocol})",
        file=results.ledger.path, field=field, found=found, allowed=str(allowed),
        hint="Train both by one version of everything",
    )  # fmt: skip


def _same_submission(results: Results, both: Both) -> None:
    one, other = both.careful, both.careless
    if one.trial.model != other.trial.model:
        raise _differ(
            results, both, "versions of the submission", "submission", other.trial.model[:8], one.trial.model[:8]
        )
    weights = [sorted({str(record["weights"]) for record in held.arm.records.values()}) for held in both]
    if weights[0] != weights[1]:
        raise _differ(results, both, "ImageNet weights", "weights", weights[1], weights[0])
    if one.trial.era != other.trial.era:
        raise _differ(results, both, "versions of the harness", "harness", other.trial.era, one.trial.era)
    before = [
        sorted({" → ".join(record.get("chain", [""])[:-1]) for record in held.arm.records.values()}) for held in both
    ]
    if before[0] != before[1]:
        raise _differ(results, both, "stages before the target", "chain", before[1], before[0])


def _same_track(results: Results, both: Both) -> None:
    documents = (results.ledger.document("tracks", held.trial.track_digest) for held in both)
    one, other = (dict(settings({part: track[part] for part in ALIKE})) for track in documents)
    for field in sorted({*one, *other}):
        if one.get(field) != other.get(field):
            raise _differ(results, both, "tracks", field, other.get(field), one.get(field))


def _same_images(results: Results, both: Both) -> None:
    one, other = both.careful.manifest, both.careless.manifest
    names = both.careful.trial.target, both.careless.trial.target
    plain = [{e.image: e._replace(fold=-1, validation_of=-1) for e in manifest.entries} for manifest in (one, other)]
    apart = [image for image in sorted({*plain[0], *plain[1]}) if plain[0].get(image) != plain[1].get(image)]
    file = results.ledger.path
    if apart:
        raise InputError(
            f"{len(apart):,} images of {names[0]} and {names[1]} are not the same, the first {apart[0]}", file=file, field="dataset",
            found=names[1], allowed=f"a dataset made by karyobench data resplit {names[0]} NEW",
        )  # fmt: skip
    for manifest, name in ((one, names[0]), (other, names[1])):
        if (manifest.folds < 0).any():
            raise InputError("not every image is tested in a fold", file=file, field="dataset", found=name)
    number, count = groups_of(one)
    if count == len(one) or exposed(one, number) > 0:
        raise InputError(
            "its folds keep nothing whole, so that there is nothing to hold the others against", file=file, field="NAME",
            found=names[0], allowed="a dataset whose folds keep cells or people whole", hint="The resplit one comes second",
        )  # fmt: skip
    if exposed(other, number) == 0:
        raise InputError(
            f"its folds keep the groups of {names[0]} whole as well, so that nothing leaks", file=file, field="NEW", found=names[1],
            allowed="a dataset made by karyobench data resplit",
        )  # fmt: skip


def _all_folds(results: Results, held: Held) -> None:
    folds = {fold for _, fold in held.places}
    missing = [fold for fold in range(FOLDS) if fold not in folds]
    if missing:
        where = Where(held.trial.target, held.trial.track)
        raise InputError(
            f"folds of {held.trial.submission} by {held.arm.protocol} on {where.dataset} are missing", file=results.ledger.path,
            field="folds", found=sorted(folds), allowed=f"all of 0 to {FOLDS - 1} in one repeat, which together test every image once",
            hint=_run(where, held.trial.submission, held.arm.protocol, missing),
        )  # fmt: skip
