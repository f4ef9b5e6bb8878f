"""What a ledger holds of one submission by tracks that differ in one setting, and why it may not be compared.

Everything else must be alike: version and weights of the submission, what its chain trained on before, images and folds, and era
of the harness. Tracks of other names have other seeds, so that no training of one is the pair of one of another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from benchmark.arm import Arm, Trial, ended
from benchmark.errors import InputError
from benchmark.insight.settings import settings
from benchmark.results import Results

NEUTRAL = frozenset({"name", "title", "description", "simulated", "pairs", "folds", "repeats", "timeout"})
"""Parts of a track that change no training."""

Value = bool | float | str | None


class Swept(NamedTuple):
    """Tracks that differ in one setting.

    Attributes:
        setting: with dots.
        values: name of a track → its value, in the order of the values.
        digests: name of a track → its newest version in the ledger.
        reference: name of the track that the others are held against.
    """

    setting: str
    values: dict[str, Value]
    digests: dict[str, str]
    reference: str


class Series(NamedTuple):
    """The trainings of one submission by one protocol on one target, by two tracks or more.

    Attributes:
        arms: name of a track → trial and trainings, in the order of the values; the reference among them.
        folds: scored by every one of them.
    """

    arms: dict[str, tuple[Trial, Arm]]
    folds: tuple[int, ...]

    def repeats(self, track: str) -> list[int]:
        """Those of a track's repeats that hold all the folds."""
        return _repeats(self.arms[track][1], self.folds)

    def records(self, track: str) -> list[Mapping[str, Any]]:
        """A track's trainings that are compared, by repeat and fold."""
        held = self.arms[track][1].records
        return [held[repeat, fold] for repeat in self.repeats(track) for fold in self.folds]


def swept(results: Results, names: Sequence[str], reference: str | None = None) -> Swept:
    """The setting in which tracks of a ledger differ.

    Args:
        results: of the whole ledger.
        names: of two tracks or more.
        reference: one of them; default: that of the largest number, or the last named where values are no numbers.

    Raises:
        InputError: when a track is not in the ledger, or they differ in no setting or in several.
    """
    names = list(dict.fromkeys(names))
    file = results.ledger.path
    newest: dict[str, tuple[str, str]] = {}
    for trial, arms in results.listed().trials.items():
        newest[trial.track] = max(newest.get(trial.track, ("", "")), (ended(trial, arms), trial.track_digest))
    for name in (*names, *([reference] if reference else [])):
        if name not in newest or (name == reference and name not in names):
            allowed = sorted(newest) if name not in newest else names
            raise InputError(
                "no training by this track", file=file, field="TRACK", found=name, allowed=allowed or "none"
            )
    if len(names) < 2:
        problem = "one track has nothing to be held against"
        raise InputError(problem, file=file, field="TRACK", found=names, allowed=sorted(newest))
    digests = {name: newest[name][1] for name in names}
    said = {name: _told(results, digest) for name, digest in digests.items()}
    missing = object()
    differ = [
        field
        for field in sorted(set().union(*said.values()))
        if len({repr(one.get(field, missing)) for one in said.values()}) > 1
    ]
    if len(differ) != 1:
        problem = "the tracks differ in more than one setting" if differ else "the tracks differ in no setting"
        raise InputError(problem, file=file, field="TRACK", found=differ or names, allowed="tracks that differ in one")
    [setting] = differ
    values: dict[str, Value] = {name: one.get(setting) for name, one in said.items()}
    if len({repr(value) for value in values.values()}) < len(values):
        raise InputError(f"two tracks have the same {setting}", file=file, field="TRACK", found=values)
    if all(is_number(value) for value in values.values()):
        values = dict(sorted(values.items(), key=lambda item: float(item[1] or 0)))
    return Swept(setting, values, digests, reference or list(values)[-1])


def _told(results: Results, digest: str) -> dict[str, Any]:
    document = results.ledger.document("tracks", digest)
    return dict(settings({part: value for part, value in document.items() if part not in NEUTRAL}))


def is_number(value: Value) -> bool:
    """Whether values of a setting have an order of their own."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def found(
    results: Results, tracks: Swept, submissions: Collection[str], protocols: Collection[str], targets: Collection[str]
) -> tuple[list[Series], list[str]]:
    """What may be compared, and why the rest may not.

    Args:
        results: of the whole ledger.
        tracks: which.
        submissions: only these; none: all.
        protocols: likewise.
        targets: likewise.

    Raises:
        InputError: when one that is asked for was trained by none of the tracks, or nothing can be compared.
    """
    held: dict[tuple[object, ...], dict[str, tuple[Trial, Arm]]] = {}
    offered: dict[str, set[str]] = {"submission": set(), "protocol": set(), "target": set()}
    asked = {"submission": submissions, "protocol": protocols, "target": targets}
    for trial, arms in results.listed().trials.items():
        if tracks.digests.get(trial.track) != trial.track_digest:
            continue
        for arm in arms.values():
            own = {"submission": trial.submission, "protocol": arm.protocol, "target": trial.target}
            if arm.scored:
                for field, name in own.items():
                    offered[field].add(name)
                if all(name in asked[field] or not asked[field] for field, name in own.items()):
                    held.setdefault(_alike(trial, arm), {})[trial.track] = trial, arm
    for field, names in asked.items():
        for name in names:
            if name not in offered[field]:
                raise InputError(
                    f"no scored training of this {field} by any of the tracks", file=results.ledger.path, field=field, found=name,
                    allowed=sorted(offered[field]),
                )  # fmt: skip
    return _comparable(results, tracks, list(held.values()))


def _alike(trial: Trial, arm: Arm) -> tuple[object, ...]:
    """What must be the same."""
    records = arm.records.values()
    weights = tuple(sorted({str(record["weights"]) for record in records}))
    before = tuple(sorted({" → ".join(record.get("chain", [""])[:-1]) for record in records}))
    return trial.submission, arm.protocol, trial.target, trial.manifest, trial.model, trial.era, weights, before


def _comparable(
    results: Results, tracks: Swept, held: list[dict[str, tuple[Trial, Arm]]]
) -> tuple[list[Series], list[str]]:
    newest: dict[tuple[str, str, str], tuple[str, Series]] = {}
    left: list[str] = []
    for arms in held:
        trial, arm = next(iter(arms.values()))
        what = f"{trial.submission} {arm.protocol} on {trial.target}"
        own = {name: arms[name] for name in tracks.values if name in arms}
        folds = tuple(sorted(set.intersection(*({fold for _, fold in arm.scored} for _, arm in own.values()))))
        whole = {name: one for name, one in own.items() if folds and _repeats(one[1], folds)}
        if tracks.reference not in whole or len(whole) < 2:
            trained = ", ".join(f"{name}: folds {sorted({f for _, f in arm.scored})}" for name, (_, arm) in own.items())
            left.append(f"{what}: no fold that {tracks.reference} and all others scored ({trained})")
            continue
        left += [f"{what} by {name}: no repeat of the folds {list(folds)}" for name in own if name not in whole]
        last = max(ended(one, {arm.protocol: arm}) for one, arm in whole.values())
        place = trial.submission, arm.protocol, trial.target
        if place in newest:
            left.append(f"{what}: an older version of submission, data set or harness")
        if place not in newest or newest[place][0] < last:
            newest[place] = last, Series(whole, folds)
    if not newest:
        raise InputError(
            "nothing can be compared", file=results.ledger.path, field="TRACK", found=left or list(tracks.values),
            allowed="the same submission, protocol and target by two tracks",
        )  # fmt: skip
    return [series for _, (_, series) in sorted(newest.items())], left


def _repeats(arm: Arm, folds: Sequence[int]) -> list[int]:
    return [r for r in sorted({r for r, _ in arm.scored}) if all((r, fold) in arm.scored for fold in folds)]
