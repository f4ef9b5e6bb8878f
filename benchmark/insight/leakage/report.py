"""Everything that `karyobench insight leakage` computes, from the ledger's predictions alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, Literal

import numpy as np

from benchmark import provenance
from benchmark.errors import InputError
from benchmark.insight.difference import RESAMPLES, Side, total
from benchmark.insight.leakage import schema, splits
from benchmark.insight.leakage.splits import Both, Held, Where
from benchmark.insight.schema import Estimate, Unit
from benchmark.insight.spans import percent
from benchmark.results import Results
from benchmark.wording import points, protocol_name

Step = Callable[[int, int | None], None]

BY = {"image": "by image", "cell": "by cell", "case": "by person"}
KEPT = {"cell": "cells are kept on one side", "case": "people are kept on one side", "image": "images are"}
"""What the groups of the careful split are, in running text."""


def compare(
    results: Results, careful: Where, careless: Where, submissions: Sequence[str] = (), protocols: Sequence[str] = (),
    step: Step | None = None, resamples: int = RESAMPLES, seed: int = 0,
) -> schema.Leakage:  # fmt: skip
    """Hold the scores of two splits of the same images against each other.

    Args:
        results: of the whole ledger.
        careful: the data set whose folds keep groups whole, and its track.
        careless: that of the same images with other folds, and its track.
        submissions: which; each must be comparable. Default: all that are.
        protocols: likewise.
        step: told comparisons done and in all.
        resamples: of the bootstrap.
        seed: likewise.

    Raises:
        InputError: when nothing, or something of what is asked for, may be compared; names what differs or is missing.
    """
    chosen, left_out = _chosen(results, careful, careless, submissions, protocols)
    trials = []
    for done, both in enumerate(chosen):
        if step:
            step(done, len(chosen))
        trials.append(_trial(results, both, resamples, seed))
    if step:
        step(len(chosen), len(chosen))
    first = chosen[0]
    number, groups = splits.groups_of(first.careful.manifest)
    digests = {(both.careful.trial.manifest, both.careless.trial.manifest) for both in chosen}
    assert len(digests) == 1, "chosen so"
    keys = dict.fromkeys(record["key"] for both in chosen for held in both for record in held.records)
    return schema.Leakage(
        track=first.careful.trial.track, track_digest=first.careful.trial.track_digest,
        simulated=any(bool(record["track"]["simulated"]) for record in first.careful.records),
        images=len(first.careful.manifest), groups=groups,
        careful=_split(first.careful, number), careless=_split(first.careless, number),
        trials=tuple(trials), left_out=tuple(left_out), units=tuple(Unit(key=key) for key in keys),
        resamples=resamples, seed=seed, ledger=results.ledger.head(),
        versions={name: metadata.version(name) for name in ("numpy", "scipy")}, harness=provenance.harness(),
    )  # fmt: skip


def _chosen(
    results: Results, careful: Where, careless: Where, submissions: Sequence[str], protocols: Sequence[str]
) -> tuple[list[Both], list[str]]:
    """What is compared, and what could not be and was not asked for by name."""
    known = splits.offered(results, careful, careless)
    names = list(dict.fromkeys(submissions)) or sorted({name for name, _ in known})
    arms = list(dict.fromkeys(protocols)) or sorted({arm for _, arm in known})
    wanted = [
        (name, arm) for name in names for arm in arms if (submissions and protocols) or (name, arm) in known
    ]  # fmt: skip
    for field, asked, place in (("submission", submissions, 0), ("protocol", protocols, 1)):
        for one in asked:
            if not any(pair[place] == one for pair in known):
                raise InputError(
                    f"no scored training of this {field} on {careful.dataset} or {careless.dataset}", file=results.ledger.path,
                    field=field, found=one, allowed=sorted({pair[place] for pair in known}),
                )  # fmt: skip
    found, problems = list[Both](), list[InputError]()
    for name, arm in wanted:
        try:
            found.append(splits.find(results, careful, careless, name, arm))
        except InputError as problem:
            if submissions and protocols:
                raise
            problems.append(problem)
    if not found:
        raise problems[0]
    return _of_one_split(found), [f"{problem.problem} ({problem.found})" for problem in problems]


def _of_one_split(found: list[Both]) -> list[Both]:
    """All of the same two versions of the folds, and of the same two tracks; a report speaks of one.

    Raises:
        InputError: when they are of several.
    """
    kinds = {tuple((held.trial.manifest, held.trial.track_digest) for held in both) for both in found}
    if len(kinds) > 1:
        said = sorted(
            f"{both.careful.trial.submission} {both.careful.arm.protocol}: "
            + " and ".join(f"{held.trial.manifest[:8]} by {held.trial.track_digest[:8]}" for held in both)
            for both in found
        )
        raise InputError(
            "trainings on several versions of the folds or tracks cannot stand in one report", field="dataset", found=said,
            hint="Choose with --submission and --protocol",
        )  # fmt: skip
    return found


def _split(held: Held, number: splits.Ints) -> schema.Split:
    by: Literal["case", "cell", "image"] = held.records[0]["dataset"]["group"]
    return schema.Split(
        dataset=held.trial.target, manifest=held.trial.manifest, by=by, track=held.trial.track,
        track_digest=held.trial.track_digest, exposed=splits.exposed(held.manifest, number),
    )  # fmt: skip


def _scored(held: Held, side: Side, groups: int, resamples: int, seed: int) -> schema.Scored:
    images = [record.get("train_images") for record in held.records]
    known = [one for one in images if one is not None]
    return schema.Scored(
        repeats=len(held.repeats), trainings=side.trainings,
        train_images=float(np.mean(known)) if len(known) == len(images) else None,
        macro_f1=Estimate.part(total([(1, side)], groups, resamples, seed)),
    )  # fmt: skip


def _trial(results: Results, both: Both, resamples: int, seed: int) -> schema.Trial:
    """Remembered: figures hang on the records alone."""
    hashes = [record["hash"] for held in both for record in held.records]
    data: Mapping[str, Any] = results.memo.get(
        "leakage", (*hashes, str(resamples), str(seed)), lambda: _computed(results, both, resamples, seed).model_dump(mode="json")
    )  # fmt: skip
    trial = schema.Trial.model_validate(data)
    return trial.model_copy(update={"sentence": _sentence(trial, both)})


def _computed(results: Results, both: Both, resamples: int, seed: int) -> schema.Trial:
    _, groups = splits.groups_of(both.careful.manifest)
    careful, careless = splits.sides(results, both)
    trial = both.careful.trial
    return schema.Trial(
        submission=trial.submission, version=trial.model, target=trial.target, manifest=trial.manifest,
        protocol=both.careful.arm.protocol,
        careful=_scored(both.careful, careful, groups, resamples, seed),
        careless=_scored(both.careless, careless, groups, resamples, seed),
        flattery=Estimate.of(total([(1, careless), (-1, careful)], groups, resamples, seed)), sentence="",
    )  # fmt: skip


def _sentence(trial: schema.Trial, both: Both) -> str:
    found = trial.flattery
    by, kept = (held.records[0]["dataset"]["group"] for held in (both.careless, both.careful))
    what = f"{trial.submission} ({protocol_name(trial.protocol)}) on {trial.target}"
    split = "a random split" if by == "image" else f"a split {BY[by]}"
    figure = f"{percent(found, signed=True)} points of macro-F1"
    scores = f"{points(trial.careless.macro_f1.value)} % with folds {BY[by]}, {points(trial.careful.macro_f1.value)} % where {KEPT[kept]}"
    few = {"groups": "; for these trainings only", "none": "; no interval can be given"}.get(found.basis, "")
    if found.low is None or found.high is None:
        said = f"{split} gives {what} {figure} more than a careful one"
    elif found.low > 0:
        said = f"{split} flatters {what} by {figure}"
    elif found.high < 0:
        said = f"{split} does not flatter {what}; it gives less: {figure}"
    else:
        said = f"{split} is not shown to flatter {what}: {figure}, which may be none"
    return f"{said[0].upper()}{said[1:]} ({scores}{few})."
