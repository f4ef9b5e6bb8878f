"""Everything that `karyobench insight quality` computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmark import provenance
from benchmark.arm import Arm, Trial
from benchmark.data.manifest import CLASSES, Manifest
from benchmark.data.store import Store
from benchmark.errors import InputError
from benchmark.insight.domains import Bar
from benchmark.insight.quality import effect, schema
from benchmark.insight.quality import validation as planting
from benchmark.insight.quality.flags import CROP, FLAGS, NO_BODY, flagged, scores, standard
from benchmark.insight.quality.kept import Measured, measure_dataset
from benchmark.insight.quality.wording import answer, sentence
from benchmark.insight.resample import LEAST_GROUPS, Floats, Ints
from benchmark.insight.similarity import versions
from benchmark.ledger import Ledger
from benchmark.results import Results
from benchmark.track import Track

RESAMPLES = 1000
Bools = npt.NDArray[np.bool_]


class Flagged(NamedTuple):
    """A dataset with its flags.

    Attributes:
        measured: the dataset and its measures.
        scores: by flag, (n,).
        flags: by flag and the unions `any` and `crop`, (n,).
    """

    measured: Measured
    scores: dict[str, Floats]
    flags: dict[str, Bools]


def chosen(workspace: Path, track: Track, names: Sequence[str]) -> list[str]:
    """The datasets that are asked for, or those of the track that are imported.

    Raises:
        InputError: when there is none, or one is unknown.
    """
    store = Store(workspace)
    for name in names:
        store.card(name)
    found = list(dict.fromkeys(names)) or [name for name in track.targets if store.has(name)]
    if not found:
        raise InputError(
            f"no dataset of the track {track.name} is imported", file=workspace, allowed=track.targets,
            hint=f"Run: karyobench data fetch {track.targets[0]}",
        )  # fmt: skip
    for name in found:
        store.open(name)
    return found


def flag(measured: Measured, thresholds: dict[str, float]) -> Flagged:
    """Score and flag every image of a dataset."""
    manifest = measured.manifest
    usual = standard(measured.columns, manifest.labels, manifest.cells, len(CLASSES))
    found = scores(measured.columns, manifest.labels, manifest.cells, usual)
    flags = flagged(found, thresholds)
    flags["any"] = np.logical_or.reduce([flags[name] for name in (*FLAGS, NO_BODY)])
    flags["crop"] = np.logical_or.reduce([flags[name] for name in (*CROP, NO_BODY)])
    return Flagged(measured, found, flags)


def described(found: Flagged) -> schema.Dataset:
    """A dataset's flags as a report holds them."""
    manifest = found.measured.manifest
    ids = {}
    for name in (*FLAGS, NO_BODY):
        places = np.flatnonzero(found.flags[name])
        if name in found.scores:
            places = places[np.argsort(-found.scores[name][places], kind="stable")]
        ids[name] = tuple(manifest.entries[p].image for p in places)
    columns = found.measured.columns
    medians = {k: float(np.nanmedian(v)) if np.isfinite(v).any() else None for k, v in columns.items()}
    return schema.Dataset(
        name=found.measured.dataset.card.name, manifest=manifest.digest, images=len(manifest),
        flagged={name: int(one.sum()) for name, one in found.flags.items()}, medians=medians, ids=ids,
    )  # fmt: skip


def tested(results: Results, arm: Arm, manifest: Manifest, flags: Bools) -> tuple[effect.Tested, str, list[int]] | None:
    """The test images of an arm over its full repeats, what is to be resampled, and the folds; None without any."""
    places = arm.full
    if not places:
        return None
    repeats, folds = (sorted({place[i] for place in places}) for i in (0, 1))
    positions = np.concatenate([manifest.part(fold, "test") for fold in folds])
    said = np.stack([np.concatenate([results.read(arm.records[r, f]) for f in folds]) for r in repeats])
    groups, by = manifest.groups[positions], manifest.group_by
    if len(np.unique(groups)) < LEAST_GROUPS and (manifest.cells[positions] != "").all():
        groups, by = manifest.cells[positions], "cell"
    unit: Ints = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    return effect.Tested(manifest.labels[positions], said.astype(np.int64), unit, flags[positions]), by, folds


def effects(results: Results, datasets: Sequence[Flagged], seed: int, resamples: int) -> Iterator[schema.Effect | None]:
    """Every arm of the ledger with and without flagged images, for any flag and for bad crops; None where none is flagged."""
    by_manifest = {one.measured.manifest.digest: one for one in datasets}
    for trial, arms in sorted(results.listed().trials.items()):
        if trial.manifest not in by_manifest:
            continue
        one = by_manifest[trial.manifest]
        for arm in arms.values():
            yield _effect(results, trial, arm, one, "any", seed, resamples)
            yield _effect(results, trial, arm, one, "crop", seed, resamples)


def _effect(
    results: Results, trial: Trial, arm: Arm, one: Flagged, which: str, seed: int, resamples: int
) -> schema.Effect | None:
    found = tested(results, arm, one.measured.manifest, one.flags[which])
    if found is None:
        return None
    images, by, folds = found
    figures = effect.compare(images, seed, resamples)
    if figures is None:
        return None
    data = dict(
        submission=trial.submission, version=trial.model, protocol=arm.protocol, target=trial.target, flags=which,
        trainings=len(images.said) * len(folds), folds=tuple(folds), images=len(images.truth),
        removed=int(images.flagged.sum()), resampled=by, units=int(images.unit.max()) + 1, **figures._asdict(),
    )  # fmt: skip
    return schema.Effect.model_validate({**data, "sentence": sentence(schema.Effect.model_validate({**data, "sentence": ""}))})  # fmt: skip


class Outcome(NamedTuple):
    """The report, and the flagged datasets for a gallery."""

    report: schema.Quality
    datasets: list[Flagged]


def assess(
    workspace: Path, track: Track, names: Sequence[str], seed: int, bar: Bar, resamples: int = RESAMPLES
) -> Outcome:
    """Measure, flag and validate the datasets of a track, and score its ledger with and without what is flagged.

    Args:
        workspace: holds the datasets and the ledger; measures are kept below `insight/quality`.
        track: whose datasets and ledger entries.
        names: datasets instead of the track's.
        seed: of what is planted, removed at random and resampled; thresholds do not depend on it.
        bar: shows progress.
        resamples: of the groups.

    Raises:
        InputError: when a dataset is unknown or not imported.
    """
    found = chosen(workspace, track, names)
    folder = workspace / "insight" / "quality"
    measured = []
    for name in found:
        with bar(f"measuring {name}") as progress:
            measured.append(measure_dataset(workspace, name, progress))
    samples = {part: planting.simulated(planting.CELLS, part) for part in ("choice", "test")}
    planted = {}
    for part, sample in samples.items():
        with bar(f"planting defects in simulated images ({part})") as progress:
            planted[part] = planting.plant(sample, planting.SEED, folder, progress)
    limits = planting.thresholds(planted["choice"])
    checks = [
        planting.validation("simulated", True, samples["test"], planted["test"], limits, resamples, seed, "cell"),
        *(_planted(one, limits, folder, seed, resamples, bar) for one in measured),
    ]
    flags = [flag(one, limits) for one in measured]
    results = Results(Ledger(workspace / "ledger"), track.name)
    scored: list[schema.Effect] = []
    with threadpool_limits(1, user_api="blas"), bar("scores with and without", "arms") as progress:
        total = 2 * sum(map(len, results.listed().trials.values()))
        for done, one in enumerate(effects(results, flags, seed, resamples), 1):
            if one is not None:
                scored.append(one)
            progress(done, total)
    report = schema.Quality(
        track=track.name, track_digest=track.digest, seed=seed, resamples=resamples,
        flags=tuple(schema.Flag(key=k, meaning=v, threshold=limits[k]) for k, v in FLAGS.items()),
        datasets=tuple(map(described, flags)), validation=tuple(checks), effects=tuple(scored),
        without_effect=None if scored else _silence(workspace, track, results, found),
        answers=tuple(answer(name, scored) for name in found if any(e.target == name for e in scored)),
        versions=versions(), harness=provenance.harness(),
    )  # fmt: skip
    return Outcome(report, flags)


def _planted(
    one: Measured, limits: dict[str, float], folder: Path, seed: int, resamples: int, bar: Bar
) -> schema.Validation:
    name = one.dataset.card.name
    sample = planting.drawn(one, seed)
    with bar(f"planting defects in {name}") as progress:
        planted = planting.plant(sample, seed, folder, progress)
    by, simulated = one.manifest.group_by, one.dataset.card.simulated
    return planting.validation(name, simulated, sample, planted, limits, resamples, seed, by)


def _silence(workspace: Path, track: Track, results: Results, names: Sequence[str]) -> str:
    """Why there is no score to hold beside the flags."""
    if not results.trials:
        return (
            f"The ledger of {workspace.name} holds no prediction of the track {track.name}: run `karyobench run` first."
        )
    targets = sorted({trial.target for trial in results.trials})
    return (
        f"The ledger holds predictions of {', '.join(targets)} and none of {', '.join(names)} in the version that is "
        "imported in which some, but not all, tested images are flagged."
    )
