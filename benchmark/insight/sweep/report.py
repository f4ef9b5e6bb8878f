"""Everything that `karyobench insight sweep` computes, from the ledger's predictions alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from benchmark import provenance
from benchmark.insight.difference import RESAMPLES, Side, side, total
from benchmark.insight.estimate import Found
from benchmark.insight.schema import Estimate, Unit
from benchmark.insight.spans import percent
from benchmark.insight.sweep import schema
from benchmark.insight.sweep.series import Series, Swept, Value, found, swept
from benchmark.results import Results
from benchmark.stats.verdict import MARGIN
from benchmark.wording import protocol_name

Step = Callable[[int, int | None], None]
SAID = {
    "better": "is better", "worse": "is worse", "equivalent": "does as well", "undecided": "is not told apart from it",
    "withheld": "is not judged",
}  # fmt: skip

FEW = {
    "groups": "; intervals are of these trainings only",
    "none": "; where there is none, too few people or cells were tested",
}


def compare(
    results: Results, tracks: Sequence[str], submissions: Collection[str] = (), protocols: Collection[str] = (),
    targets: Collection[str] = (), against: str | None = None, step: Step | None = None, resamples: int = RESAMPLES, seed: int = 0,
) -> schema.Sweep:  # fmt: skip
    """Hold the scores of tracks that differ in one setting against each other.

    Args:
        results: of the whole ledger.
        tracks: their names.
        submissions: which; default: all that two of the tracks trained.
        protocols: likewise.
        targets: likewise.
        against: the reference; default: the track of the largest value.
        step: told comparisons done and in all.
        resamples: of the bootstrap.
        seed: likewise.

    Raises:
        InputError: when nothing, or something of what is asked for, may be compared; names what differs or is missing.
    """
    chosen = swept(results, tracks, against)
    series, left_out = found(results, chosen, submissions, protocols, targets)
    trials = []
    for done, one in enumerate(series):
        if step:
            step(done, len(series))
        trials.append(_trial(results, chosen, one, resamples, seed))
    if step:
        step(len(series), len(series))
    records = [record for one in series for track in one.arms for record in one.records(track)]
    return schema.Sweep(
        track=chosen.reference, track_digest=chosen.digests[chosen.reference], setting=chosen.setting,
        reference=chosen.values[chosen.reference], simulated=any(bool(record["track"]["simulated"]) for record in records),
        trials=tuple(trials), left_out=tuple(left_out),
        units=tuple(Unit(key=key) for key in dict.fromkeys(str(record["key"]) for record in records)),
        margin=MARGIN, resamples=resamples, seed=seed, ledger=results.ledger.head(),
        versions={name: metadata.version(name) for name in ("numpy", "scipy")}, harness=provenance.harness(),
    )  # fmt: skip


def _trial(results: Results, tracks: Swept, series: Series, resamples: int, seed: int) -> schema.Trial:
    """Remembered: figures hang on the records alone."""
    hashes = [str(record["hash"]) for track in series.arms for record in series.records(track)]
    data: Mapping[str, Any] = results.memo.get(
        "sweep", (tracks.reference, *hashes, str(resamples), str(seed)),
        lambda: _computed(results, tracks, series, resamples, seed).model_dump(mode="json"),
    )  # fmt: skip
    trial = schema.Trial.model_validate(data)
    return trial.model_copy(update={"sentence": _sentence(tracks, trial)})


def _computed(results: Results, tracks: Swept, series: Series, resamples: int, seed: int) -> schema.Trial:
    trial, arm = series.arms[tracks.reference]
    dataset = next(iter(arm.records.values()))["dataset"]
    manifest = results.ledger.manifest(dataset["manifest"], dataset["group"])
    images = np.concatenate([manifest.part(fold, "test") for fold in series.folds])
    names, group = np.unique(manifest.groups[images], return_inverse=True)

    def counted(track: str) -> Side:
        held, rows = series.arms[track][1].records, series.repeats(track)
        said = [np.concatenate([results.read(held[row, fold]) for fold in series.folds]) for row in rows]
        return side(manifest.labels[images], group, manifest.folds[images], np.stack(said).astype(np.int64))

    sides = {track: counted(track) for track in series.arms}
    reference = sides[tracks.reference]

    def point(track: str) -> schema.Point:
        difference = None
        if track != tracks.reference:
            difference = total([(1, sides[track]), (-1, reference)], len(names), resamples, seed)
        return schema.Point(
            track=track, track_digest=tracks.digests[track], value=tracks.values[track],
            repeats=len(series.repeats(track)), trainings=sides[track].trainings,
            macro_f1=Estimate.part(total([(1, sides[track])], len(names), resamples, seed)),
            difference=None if difference is None else Estimate.of(difference),
            reading=None if difference is None else reading(difference),
        )  # fmt: skip

    return schema.Trial(
        submission=trial.submission, version=trial.model, target=trial.target, manifest=trial.manifest, protocol=arm.protocol,
        folds=series.folds, images=len(images), groups=len(names), group_by=dataset["group"],
        points=tuple(point(track) for track in series.arms), sentence="",
    )  # fmt: skip


def reading(one: Found | Estimate) -> schema.Reading:
    """What an interval says of a difference: no verdict of the suite's, for nothing is adjusted."""
    if one.low is None or one.high is None:
        return "withheld"
    if one.low > -MARGIN and one.high < MARGIN:
        return "equivalent"
    return "better" if one.low > 0 else "worse" if one.high < 0 else "undecided"


def shown(value: Value) -> str:
    """A value of a setting."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value).lower()


def _sentence(tracks: Swept, trial: schema.Trial) -> str:
    said = ", ".join(
        f"{shown(one.value)} {SAID[one.reading]} ({percent(one.difference, signed=True)})"
        for one in trial.points
        if one.reading is not None
    )
    over = {one.difference.basis for one in trial.points if one.difference is not None}
    few = "".join(text for basis, text in FEW.items() if basis in over)
    return (
        f"{trial.submission} ({protocol_name(trial.protocol)}) on {trial.target}, {tracks.setting}: against "
        f"{shown(tracks.values[tracks.reference])}, {said}, in points of macro-F1{few}."
    )
