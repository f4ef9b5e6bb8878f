"""What reading a whole cell gains, per protocol, target and submission, from the ledger's predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark import provenance
from benchmark.arm import Trial as Which
from benchmark.errors import InputError
from benchmark.insight import estimate, outputs
from benchmark.insight.estimate import Counts, Found
from benchmark.insight.karyotype.assign import X, Y, constrained
from benchmark.insight.karyotype.schema import Estimate, Gain, Karyotype, Reading, Trial
from benchmark.insight.outputs import Outputs
from benchmark.memo import Memo
from benchmark.protocol import BASELINE, TWO_STEP
from benchmark.results import Results
from benchmark.stats.generator import count
from benchmark.stats.multiple import benjamini_hochberg
from benchmark.stats.pseudo import Tally
from benchmark.stats.verdict import ALPHA, RESAMPLES
from benchmark.wording import p_value, points

Ints = npt.NDArray[np.int64]
Step = Callable[[int, int | None], None]


def compare(
    results: Results, track: str, trials: Sequence[Which], step: Step | None = None, resamples: int = RESAMPLES
) -> Karyotype:
    """Every protocol of every trial, read both ways.

    Args:
        results: that hold the trials; their memory of figures is used.
        track: its name.
        trials: from `outputs.trials`.
        step: told readings done and in all.
        resamples: of the pigeonhole bootstrap.

    Raises:
        InputError: when a target's cells are not known, or stand in several folds.
    """
    done, listed = 0, results.listed().trials
    total = sum(len(outputs.ran(listed[one])) + 1 for one in trials)

    def stepped() -> None:
        nonlocal done
        done += 1
        if step:
            step(done, total)

    found = [_trial(results, one, stepped, resamples) for one in trials]
    return _decided(
        Karyotype(
            track=track, track_digest=trials[0].track_digest, trials=tuple(found), resamples=resamples, seed=0,
            ledger=results.ledger.head(),
            versions={name: metadata.version(name) for name in ("numpy", "scipy")},
            harness=provenance.harness(),
        )
    )  # fmt: skip


def _trial(results: Results, trial: Which, step: Callable[[], None], resamples: int) -> Trial:
    arms = results.trials[trial]
    readings, sizes = [], np.zeros(1, dtype=np.int64)
    for name in outputs.ran(arms):
        own = outputs.read(results, trial, [name])
        sizes = np.bincount(_cells(own)[own.cells >= 0])
        compute = partial(_reading, own, name, resamples)
        found = _remembered(results.memo, "reading", own, resamples, compute)
        readings.append(Reading.model_validate(found))
        step()
    gain = None
    if results.pair(arms, TWO_STEP, BASELINE) is not None:
        both = outputs.read(results, trial, [TWO_STEP, BASELINE])
        gain = Gain.model_validate(_remembered(results.memo, "gain", both, resamples, lambda: _gain(both, resamples)))
    step()
    any_record = next(iter(next(iter(arms.values())).records.values()))
    sizes = sizes[sizes > 0]
    return Trial(
        submission=trial.submission, version=trial.model, target=trial.target, manifest=trial.manifest,
        simulated=bool(any_record["track"]["simulated"]), smallest_cell=int(sizes.min()), largest_cell=int(sizes.max()),
        readings=tuple(readings), gain=gain, sentences=(),
    )  # fmt: skip


def _cells(own: Outputs) -> Ints:
    if (own.cells < 0).all():
        raise InputError(
            "no cell is known, so that none can be read as a whole", field=own.trial.target, found="images without a cell",
            allowed="a dataset whose manifest names cells",
        )  # fmt: skip
    return own.cells


def _remembered(memo: Memo, kind: str, own: Outputs, resamples: int, compute: Callable[[], Any]) -> Any:
    found: Any = memo.get(f"karyotype {kind}", (*own.hashes, str(resamples)), lambda: compute().model_dump(mode="json"))
    return found


def _tally(own: Outputs, said: Ints) -> Tally:
    return count(own.truth, own.column, said, own.groups)


def shown(found: Found) -> Estimate:
    """An estimate in the report's form, not yet decided."""
    return Estimate.of(found).model_copy(update={"p": found.p})


def _score(found: Found | None) -> Estimate:
    """A part of 1, which no interval leaves and which is not tested against nothing."""
    assert found is not None
    return Estimate.part(found)


def _reading(own: Outputs, name: str, resamples: int) -> Reading:
    alone, together = own.said[name], constrained(own.logits[name], own.cells)
    tallies = _tally(own, alone), _tally(own, together)
    right = alone == own.truth, together == own.truth
    complete = [estimate.ratio(_complete(own, one), own.blocks) for one in right]

    def mean(chosen: npt.NDArray[np.bool_]) -> float:
        return float(chosen.sum(axis=1).mean())

    return Reading(
        protocol=name, folds=own.folds, repeats=own.repeats, images=len(own.truth), groups=own.groups,
        cells=len(np.unique(own.cells[own.cells >= 0])),
        alone=_score(estimate.macro_sum([(1, tallies[0])], own.blocks, resamples)),
        together=_score(estimate.macro_sum([(1, tallies[1])], own.blocks, resamples)),
        difference=shown(estimate.macro_sum([(1, tallies[1]), (-1, tallies[0])], own.blocks, resamples)),
        complete_alone=_score(complete[0]),
        complete_together=_score(complete[1]),
        changed=mean(alone != together), mended=mean(right[1] & ~right[0]), spoiled=mean(right[0] & ~right[1]),
        sex=_sex(own, together),
    )  # fmt: skip


def _complete(own: Outputs, right: npt.NDArray[np.bool_]) -> Counts:
    """Cells without an error, and cells, by repeat and group."""
    numbers, first = np.unique(own.cells, return_index=True)
    first, numbers = first[numbers >= 0], numbers[numbers >= 0]
    wrong = np.stack([np.bincount(own.cells[own.cells >= 0], weights=~row[own.cells >= 0])[numbers] for row in right])
    column = own.column[first]
    return Counts(
        estimate.by_group(wrong == 0, column, own.groups), estimate.by_group(np.ones_like(wrong), column, own.groups)
    )


def _sex(own: Outputs, said: Ints) -> float | None:
    """Part of the cells with both sex chromosomes whose number of Y is right; None where there is no such cell."""
    known = own.cells >= 0
    size = int(own.cells.max()) + 1

    def counted(classes: npt.NDArray[np.generic]) -> Ints:
        return np.bincount(own.cells[known], weights=classes[known], minlength=size).astype(np.int64)

    whole = counted((own.truth == X) | (own.truth == Y)) == 2
    if not whole.any():
        return None
    true = counted(own.truth == Y)
    return float(np.mean([(counted(row == Y) == true)[whole].mean() for row in said]))


def _gain(both: Outputs, resamples: int) -> Gain:
    alone, together = {}, {}
    for name in (TWO_STEP, BASELINE):
        alone[name] = _tally(both, both.said[name])
        together[name] = _tally(both, constrained(both.logits[name], both.cells))
    apart = [(1, together[TWO_STEP]), (-1, together[BASELINE])]
    own = [(1, alone[TWO_STEP]), (-1, alone[BASELINE])]
    return Gain(
        folds=both.folds, repeats=both.repeats, groups=both.groups,
        alone=shown(estimate.macro_sum(own, both.blocks, resamples)),
        together=shown(estimate.macro_sum(apart, both.blocks, resamples)),
        change=shown(estimate.macro_sum([*apart, *((-sign, one) for sign, one in own)], both.blocks, resamples)),
        sentence="",
    )  # fmt: skip


def _decided(report: Karyotype) -> Karyotype:
    """The same with p-values adjusted over every difference in it, verdicts and sentences."""
    differences = [one.difference for trial in report.trials for one in trial.readings]
    differences += [trial.gain.change for trial in report.trials if trial.gain]
    known = [one.p for one in differences if one.p is not None]
    adjusted = iter(benjamini_hochberg(known).tolist() if known else [])
    decided = {id(one): _decide(one, None if one.p is None else next(adjusted)) for one in differences}
    trials = []
    for trial in report.trials:
        readings = tuple(one.model_copy(update={"difference": decided[id(one.difference)]}) for one in trial.readings)
        gain = trial.gain
        if gain:
            gain = gain.model_copy(update={"change": decided[id(gain.change)]})
            gain = gain.model_copy(update={"sentence": _of_gain(trial, gain)})
        sentences = tuple(_of_reading(trial, one) for one in readings)
        trials.append(trial.model_copy(update={"readings": readings, "gain": gain, "sentences": sentences}))
    return Karyotype.model_validate(report.model_copy(update={"trials": tuple(trials)}).model_dump())


def _decide(one: Estimate, p: float | None) -> Estimate:
    verdict = "withheld" if p is None else "not decided" if p > ALPHA else "better" if one.value > 0 else "worse"
    return one.model_copy(update={"p_adjusted": p, "verdict": verdict})


def span(one: Estimate, signed: bool = False) -> str:
    """`95.2 [94.5, 96.0]`, in points."""
    text = points(one.value, signed)
    return (
        text
        if one.low is None or one.high is None
        else f"{text} [{points(one.low, signed)}, {points(one.high, signed)}]"
    )


def _few(one: Estimate) -> str:
    if one.verdict != "withheld":
        return f" ({p_value(one.p_adjusted or 0.0)}, exploratory)"
    return " (for these trainings only, no verdict: fewer than six trainings or groups)"


def _of_reading(trial: Trial, one: Reading) -> str:
    said = {"better": "gains", "worse": "costs"}.get(one.difference.verdict or "", "changes")
    return (
        f"{trial.submission}, {one.protocol} on {trial.target}: reading {one.cells} cells as karyotypes {said} "
        f"{span(one.difference, signed=True)} points of macro-F1{_few(one.difference)}: {one.mended:.1f} images mended and "
        f"{one.spoiled:.1f} spoiled of {one.images:,}; cells without an error {span(one.complete_alone)} % → "
        f"{span(one.complete_together)} %."
    )


def _of_gain(trial: Trial, gain: Gain) -> str:
    verdict = gain.change.verdict
    said = {"better": "grows", "worse": "shrinks"}.get(verdict or "", "is not shown to shrink or grow")
    return (
        f"{trial.submission} on {trial.target}: with the constraint, the gain of two-step over imagenet {said}: "
        f"{span(gain.alone, signed=True)} points alone, {span(gain.together, signed=True)} together, change "
        f"{span(gain.change, signed=True)}{_few(gain.change)}."
    )
