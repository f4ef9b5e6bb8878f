"""The errors of a submission on its targets, put together from the ledger's predictions and the dataset's images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark import provenance
from benchmark.arm import Trial as Which
from benchmark.data.manifest import CLASSES
from benchmark.data.store import Prepared, Store
from benchmark.errors import InputError
from benchmark.insight import outputs
from benchmark.insight.errors import conditions, confusions, labels, planted, schema, sets
from benchmark.insight.estimate import Floats, Found
from benchmark.insight.features import Features, backbone
from benchmark.insight.outputs import Outputs
from benchmark.insight.quality.kept import measure_dataset
from benchmark.insight.schema import Estimate
from benchmark.protocol import BASELINE, TWO_STEP
from benchmark.results import Results
from benchmark.stats.bootstrap import Interval
from benchmark.stats.metrics import softmax
from benchmark.stats.multiple import benjamini_hochberg
from benchmark.track import Track

Progress = Callable[[int, int | None], None]
Bar = Callable[..., AbstractContextManager[Progress]]


MEASURES = {"length": "length", "bend": "bend", "contrast": "contrast", "sharpness": "sharpness"}
"""Measures of `benchmark.insight.quality` that errors are held against, and their names for people."""


class Seen(NamedTuple):
    """What a gallery needs of one trial.

    Attributes:
        own: predictions.
        data: images, in manifest order.
        features: of all images of the manifest, by the fixed network.
        members: images by kind.
        suspects: of the labels, for the images of `own`.
    """

    own: Outputs
    data: Prepared
    features: npt.NDArray[np.float32]
    members: list[sets.Members]
    suspects: labels.Suspects


class Outcome(NamedTuple):
    """The report, and what a gallery is made of, a trial each."""

    report: schema.Errors
    seen: list[Seen]


def examine(
    workspace: Path, results: Results, track: Track, trials: Sequence[Which], protocols: Sequence[str], seed: int, bar: Bar
) -> Outcome:  # fmt: skip
    """Everything about the errors of some trials.

    Args:
        workspace: holds the datasets; features and probabilities are kept below `insight`.
        results: that hold the trials.
        track: whose preprocessing.
        trials: from `outputs.trials`.
        protocols: which are compared; empty for those of the three that have predictions.
        seed: of all chance.
        bar: shows progress.

    Raises:
        InputError: when a protocol has no predictions, or a dataset is not imported in the version that was tested.
    """
    chosen = [outputs.read(results, one, list(protocols) or outputs.ran(results.trials[one])) for one in trials]
    store = Store(workspace)
    ready = [_prepared(store, one, track, bar) for one in chosen]
    extract = Features(backbone(), workspace / "insight" / "features")
    found, seen = [], []
    for own, data in zip(chosen, ready, strict=True):
        with bar(f"features of {own.trial.target}") as progress:
            features = extract(data.images, progress)
        one, shown = _trial(own, data, features, workspace, seed, bar)
        found.append(one)
        seen.append(shown)
    report = schema.Errors(
        track=track.name, track_digest=chosen[0].trial.track_digest, trials=_adjusted(found), seed=seed,
        ledger=results.ledger.head(), versions=_versions(),
        harness=provenance.harness(),
    )  # fmt: skip
    return Outcome(report, seen)


def _prepared(store: Store, own: Outputs, track: Track, bar: Bar) -> Prepared:
    name = own.trial.target
    with bar(f"preparing {name}") as progress:
        data = store.prepared(name, track.preprocess, progress)
    if data.manifest.digest != own.trial.manifest:
        raise InputError(
            "the predictions are of another version of this dataset", file=store.folder(name) / "manifest.csv",
            found=data.manifest.digest[:12], allowed=own.trial.manifest[:12],
        )  # fmt: skip
    return data


def _trial(
    own: Outputs, data: Prepared, features: npt.NDArray[np.float32], workspace: Path, seed: int, bar: Bar
) -> tuple[schema.Trial, Seen]:
    names = list(own.wrong)
    members = [sets.members(own, kind) for kind in sets.kinds(names)]
    suspected, known = _labels(own, features, workspace, seed, bar)
    with bar(f"measuring {own.trial.target}") as progress:
        values = measure_dataset(workspace, own.trial.target, progress).columns
    said, unfitted = _conditions(own, {key: values[key][own.positions] for key in MEASURES})
    counted = [(name, conditions.by_cell(own.wrong[name], own.truth, own.cells, seed)) for name in names]
    apart = sets.discordance(own, seed)
    trial = schema.Trial(
        submission=own.trial.submission, version=own.trial.model, target=own.trial.target, manifest=own.trial.manifest,
        simulated=data.card.simulated, protocols=tuple(names), folds=own.folds, repeats=own.repeats,
        images=len(own.truth), groups=own.groups, group_by=data.card.group, rates=tuple(_rate(own, name) for name in names),
        kinds=tuple(_kind(own, one) for one in members),
        discordance=None if apart is None else schema.Discordance(
            gained=apart.gained, lost=apart.lost, difference=Estimate.of(apart.difference), p=apart.p
        ),
        lookalikes=tuple(_lookalike(own, name, group) for group in confusions.LOOKALIKES for name in names),
        changes=_changes(own),
        pairs=tuple(
            schema.Pair(protocol=name, first=a, second=b, errors=count)
            for name in names for a, b, count in confusions.commonest(own, name)
        ),
        conditions=said, unfitted=unfitted,
        cells=tuple(schema.Cells(protocol=name, **one._asdict()) for name, one in counted if one is not None),
        labels=known,
    )  # fmt: skip
    return trial, Seen(own, data, features, members, suspected)


def _part_or_none(found: Found | None) -> Estimate | None:
    return None if found is None else Estimate.part(found)


def _rate(own: Outputs, name: str) -> schema.Rate:
    return schema.Rate(protocol=name, rate=Estimate.part(sets.rate(own, name)))


def _kind(own: Outputs, one: sets.Members) -> schema.Kind:
    return schema.Kind(
        key=one.kind.key, title=one.kind.title, images=float(one.chosen.sum(axis=1).mean()), share=Estimate.part(one.share),
        expected=one.expected, ratio=None if one.ratio is None else Estimate.of(one.ratio), always=tuple(own.ids(one.always)),
    )  # fmt: skip


def _lookalike(own: Outputs, name: str, group: str) -> schema.Lookalike:
    one = confusions.confusion(own, name, group)
    return schema.Lookalike(
        group=group,
        protocol=name,
        errors=one.errors,
        share=_part_or_none(one.share),
        chance=one.chance,
        rate=_part_or_none(one.rate),
    )


def _changes(own: Outputs) -> tuple[schema.Change, ...]:
    if not {TWO_STEP, BASELINE} <= set(own.wrong):
        return ()
    found = [(group, confusions.change(own, group, TWO_STEP, BASELINE)) for group in confusions.LOOKALIKES]
    return tuple(
        schema.Change(group=group, difference=Estimate.of(one), p=one.p, p_adjusted=None)
        for group, one in found if one is not None
    )  # fmt: skip


def _adjusted(trials: Sequence[schema.Trial]) -> tuple[schema.Trial, ...]:
    """The same with the p-values of all changes adjusted together."""
    known = [change.p for trial in trials for change in trial.changes if change.p is not None]
    adjusted = iter(benjamini_hochberg(known).tolist() if known else [])
    return tuple(
        trial.model_copy(update={"changes": tuple(
            change if change.p is None else change.model_copy(update={"p_adjusted": next(adjusted)})
            for change in trial.changes
        )})
        for trial in trials
    )  # fmt: skip


def _conditions(own: Outputs, values: dict[str, Floats]) -> tuple[tuple[schema.Condition, ...], tuple[str, ...]]:
    ranks = {key: conditions.within_class(one, own.truth) for key, one in values.items()}
    found, unfitted = [], []
    for name, wrong in own.wrong.items():
        odds = conditions.regression(wrong, values, own.truth, own.column)
        if odds is None:
            unfitted.append(name)
        for key, title in MEASURES.items():
            one = odds[key] if odds else None
            found.append(
                schema.Condition(
                    measure=key, title=title, protocol=name, known=int(np.isfinite(values[key]).sum()),
                    trend=_part_or_none(conditions.trend(wrong, ranks[key], own.column, own.blocks)),
                    fifths=tuple(_part_or_none(f) for f in conditions.binned(wrong, ranks[key], own.column, own.blocks)),
                    odds=one and one.value, odds_low=one and one.low, odds_high=one and one.high, odds_p=one and one.p,
                )
            )  # fmt: skip
    return tuple(found), tuple(unfitted)


def _labels(
    own: Outputs, features: npt.NDArray[np.float32], workspace: Path, seed: int, bar: Bar
) -> tuple[labels.Suspects, schema.Labels]:
    """Suspects by the mean probability of all protocols and repeats, and how well the search does on planted errors."""
    each = {name: softmax(found).mean(axis=0) for name, found in own.logits.items()}
    whole = np.mean(list(each.values()), axis=0)
    found = labels.suspects(own.truth, whole)
    alone = {name: labels.suspects(own.truth, one).suspected for name, one in each.items()}
    chosen = np.flatnonzero(found.suspected)
    chosen = chosen[np.argsort(found.margin[chosen], kind="stable")]
    listed = tuple(
        schema.Suspect(
            image=own.ids(np.array([one]))[0], label=CLASSES[own.truth[one]], instead=CLASSES[found.instead[one]],
            margin=float(found.margin[one]), protocols=tuple(name for name in alone if alone[name][one]),
        )
        for one in chosen.tolist()
    )  # fmt: skip
    name = f"{own.trial.submission} {own.trial.target}"
    # an image is tested by the regression in its own fold, also where the networks have not run all folds
    regression = planted.Regression(features, own.manifest.folds, workspace / "insight" / "planted")
    groups = np.unique(own.manifest.groups, return_inverse=True)[1]
    with bar(f"planted errors in {own.trial.target}", "plantings") as progress:
        checks = planted.as_given(own.truth, whole, own.column, seed, name, planted.RATES)
        checks += planted.retrained(
            own.manifest.labels, regression, groups, seed, own.trial.target, planted.RATES, progress
        )
    right = regression(own.manifest.labels).argmax(axis=1) == own.manifest.labels
    return found, schema.Labels(
        suspects=listed, checks=tuple(_check(one) for one in checks), regression_accuracy=float(right.mean())
    )


def _check(one: planted.Check) -> schema.Check:
    def told(found: Interval) -> Estimate:
        return Estimate(value=found.value, low=found.low, high=found.high, basis="groups")

    return schema.Check(
        how=one.how, alike=one.alike, rate=one.rate, planted=one.planted, plantings=one.plantings, flagged=one.flagged,
        precision=told(one.precision), recall=told(one.recall),
    )  # fmt: skip


def _versions() -> dict[str, str]:
    return {**provenance.packages(), **{n: metadata.version(n) for n in ("scipy", "scikit-learn", "statsmodels")}}
