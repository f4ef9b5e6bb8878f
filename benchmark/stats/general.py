"""Questions about architectures in general: does the protocol help on a target, on one target more, for one family more?

Submissions, trainings and groups are drawn together, each with all it holds (pigeonhole bootstrap,
Owen, Annals of Applied Statistics 1:386, 2007). All submissions of a target share its trainings and
groups. Trainings are shared between targets of one shape as well: two-step towards one target starts
from the other target's ImageNet unit of the same fold and repeat, so that the two gains are
correlated. Groups are other people's chromosomes and are drawn for each target.

*Conservative, and left so.* The pigeonhole counts what trainings and groups do together three times
(Owen 2007), and what submissions do with both up to seven times (Owen & Eckles, Annals of Applied
Statistics 6:895, 2012). Simulated submissions that differ by chance alone got intervals 2-3 times as
wide as needed where there were 6 or 11 of them, 5 times where there were 3.

Two things work the other way. A few submissions drawn with replacement vary too little: percentiles
of 3 cover 75 %, not 95 %. This is mended: the submissions' part of every deviation is widened by
sqrt(n / (n - 1)) times the t quantile over the normal one, the factor of the expanded percentile
interval (Hesterberg, The American Statistician 69:371, 2015); 3, 4 and 5 simulated submissions that
differ in nothing but themselves were then covered in 94-95 %. Few trainings vary too little as well.
This is not mended, for the excess outweighs it as a rule: 10 trainings and 16 groups in one split,
with large effects that all submissions share, gave 3-7 % errors at a nominal 5 %; with small effects,
or with folds, it was 0-5 %.

P-values are not adjusted for the number of questions: Holm over those asked is the caller's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.stats.design import Design
from benchmark.stats.pigeonhole import Draws, scores, two_sided
from benchmark.stats.pseudo import Tally, check_paired, macro

Floats = npt.NDArray[np.float64]

MINIMUM_SUBMISSIONS = 3
"""With fewer, nothing is said of other submissions."""


class Cell(NamedTuple):
    """Both arms of one submission on one target; columns of the tallies in the order of the target's design."""

    submission: str
    family: str
    target: str
    arm: Tally
    baseline: Tally


class Answer(NamedTuple):
    """A mean gain, or a difference of mean gains, in macro-F1, with its percentile interval.

    Args:
        question: in words.
        value: of the data.
        low: lower end of the interval.
        high: upper end.
        p: two-sided, against zero; at or below 1 - level exactly where the interval leaves zero out.
        submissions: how many the answer rests on.
        new_submissions: whether it speaks of other submissions, or of these alone.
        family: the one that all of them are of, so that it speaks of no other; empty where they are of several.
        note: what a reader must know, or empty.
        conservative: the interval is rather too wide than too narrow, as the module says.
    """

    question: str
    value: float
    low: float
    high: float
    p: float
    submissions: int
    new_submissions: bool
    family: str
    note: str = ""
    conservative: bool = True


class Gains(NamedTuple):
    """Gains of the submissions of one target: names, families, values (n,), and resampled (n, resamples)."""

    names: list[str]
    families: list[str]
    values: Floats
    resampled: Floats


def _random(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def draw(designs: Mapping[str, Design], resamples: int, seed: int) -> dict[str, Draws]:
    """Draws of every target: trainings shared by targets of one shape, groups by none.

    They depend on the target's name and design, and not on which other targets there are. Where no
    image would be left, the groups are drawn again.
    """
    found = {}
    for target, design in designs.items():
        shape = (design.repeats, len(design.blocks))
        even = np.full(design.trainings, 1 / design.trainings)
        trainings = _random(seed, 0, *shape).multinomial(design.trainings, even, resamples).reshape(-1, *shape)
        drawn = trainings.sum(axis=1) > 0
        random, even = _random(seed, 1, *target.encode()), np.full(design.groups, 1 / design.groups)
        groups = random.multinomial(design.groups, even, resamples)
        while (empty := ~(drawn & (np.add.reduceat(groups, design.starts, axis=1) > 0)).any(axis=1)).any():
            groups[empty] = random.multinomial(design.groups, even, int(empty.sum()))
        found[target] = Draws(trainings.astype(np.float64), groups.astype(np.float64))
    return found


def _check(cells: Sequence[Cell], designs: Mapping[str, Design]) -> None:
    if not cells:
        raise ValueError("no cells; allowed: 1 or more")
    families: dict[str, str] = {}
    images: dict[str, Tally] = {}
    seen = set()
    for cell in cells:
        where = f"{cell.submission} on {cell.target}"
        if cell.target not in designs:
            raise ValueError(f"{where}: unknown target; allowed: {', '.join(designs)}")
        if (cell.submission, cell.target) in seen:
            raise ValueError(f"{where}: given twice")
        seen.add((cell.submission, cell.target))
        if families.setdefault(cell.submission, cell.family) != cell.family:
            raise ValueError(f"{where}: family {cell.family}, elsewhere {families[cell.submission]}")
        design = designs[cell.target]
        for name, arm in (("arm", cell.arm), ("baseline", cell.baseline)):
            if {part.shape[:2] for part in arm} != {(design.repeats, design.groups)}:
                raise ValueError(
                    f"{where}: {name} of shape {arm.true.shape[:2]}, the design is {(design.repeats, design.groups)}"
                )
            if not all(np.isfinite(part).all() and (part >= 0).all() for part in arm):
                raise ValueError(f"{where}: {name} holds NaN, infinity or a negative count")
            try:
                check_paired(images.setdefault(cell.target, arm), arm)
            except ValueError as error:
                raise ValueError(f"{where}: {name}: {error}") from error


def gains(cells: Sequence[Cell], designs: Mapping[str, Design], draws: Mapping[str, Draws]) -> dict[str, Gains]:
    """Gains of all submissions by target, sorted by name so that the order of the cells changes nothing.

    Args:
        cells: at most one for a submission and target.
        designs: by target.
        draws: by target, from `draw`.

    Raises:
        ValueError: when a target is unknown, a submission comes twice on it or has two families, or
            tallies are not of the design's shape, not finite, or not of the same images in every
            submission, arm and repeat of a target.
    """
    _check(cells, designs)
    found = {}
    for target, design in designs.items():
        own = sorted((cell for cell in cells if cell.target == target), key=lambda cell: cell.submission)
        if own:
            values = [float(macro(cell.arm).mean() - macro(cell.baseline).mean()) for cell in own]
            resampled = [scores(c.arm, design, draws[target]) - scores(c.baseline, design, draws[target]) for c in own]
            names, families = [cell.submission for cell in own], [cell.family for cell in own]
            found[target] = Gains(names, families, np.array(values), np.stack(resampled))
    return found


def _answer(
    question: str,
    families: Sequence[str],
    parts: Sequence[tuple[float, Floats, Floats]],
    seed: int,
    level: float,
    note: str = "",
) -> Answer:
    """Sum of the strata's mean gains.

    Args:
        question: in words.
        families: of its submissions.
        parts: sign of each stratum, values (n,), and resampled values (n, resamples).
        seed: of the draws of submissions.
        level: of the interval.
        note: added to what is found here.
    """
    new = all(len(values) >= MINIMUM_SUBMISSIONS for _, values, _ in parts)
    value = float(sum(sign * values.mean() for sign, values, _ in parts))
    sample = np.zeros(parts[0][2].shape[1])
    for stratum, (sign, values, resampled) in enumerate(parts):
        n, mean = len(values), resampled.mean(axis=0)
        sample += sign * mean
        if new:
            weights = _random(seed, 2, stratum).multinomial(n, np.full(n, 1 / n), len(sample))
            tail = (1 + level) / 2
            widening = math.sqrt(n / (n - 1)) * stats.t.ppf(tail, n - 1) / stats.norm.ppf(tail)
            sample += sign * widening * ((weights.T * resampled).sum(axis=0) / n - mean)
    # the order statistics that make the interval agree with the p-value
    last = math.floor(round((len(sample) + 1) * (1 - level) / 2, 9))
    ordered = np.sort(sample)
    count = sum(len(values) for _, values, _ in parts)
    if not new:
        of = " of each family" if len(parts) > 1 else ""
        few = f"speaks of these submissions only: {MINIMUM_SUBMISSIONS} or more{of} are needed to speak of others"
        note = f"{note}; {few}" if note else few
    family = families[0] if len(set(families)) == 1 else ""
    ends = float(ordered[last - 1]), float(ordered[-last])
    return Answer(question, value, *ends, two_sided(sample), count, new, family, note)


def answer(
    cells: Sequence[Cell],
    designs: Mapping[str, Design],
    *,
    families: Sequence[str] | None = None,
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Answer]:
    """Answer the general questions that the cells allow.

    In this order: the mean gain on every target; the difference of the mean gains on two targets,
    over the submissions that have both; on every target the mean gain of every family, where there are several or some are
    asked for, and the difference of two families. A question that no submission bears on is left out.

    Args:
        cells: at most one for a submission and target.
        designs: by target; a difference is that of an earlier target minus a later one.
        families: those asked about, an earlier one minus a later one; all, sorted, by default.
        resamples: number of resamples.
        level: of the intervals.
        seed: of all draws.

    Raises:
        ValueError: as `gains`; for an unknown family, a level outside 0 to 1, or too few resamples for it.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level}; allowed: between 0 and 1")
    if round((resamples + 1) * (1 - level) / 2, 9) < 1:
        raise ValueError(f"{resamples} resamples; allowed at level {level}: {math.ceil(2 / (1 - level)) - 1} or more")
    known = sorted({cell.family for cell in cells})
    asked = known if families is None else list(families)
    if not set(asked) <= set(known) or len(set(asked)) < len(asked):
        raise ValueError(f"families {', '.join(asked)}; allowed, each once: {', '.join(known)}")
    by_target = gains(cells, designs, draw(designs, resamples, seed))
    found = [
        _answer(f"gain on {target}", own.families, [(1, own.values, own.resampled)], seed, level)
        for target, own in by_target.items()
    ]
    for (first, one), (second, two) in itertools.combinations(by_target.items(), 2):
        if both := sorted(set(one.names) & set(two.names)):
            here, there = ([own.names.index(name) for name in both] for own in (one, two))
            part = (1, one.values[here] - two.values[there], one.resampled[here] - two.resampled[there])
            families_of = [one.families[at] for at in here]
            found.append(_answer(f"gain on {first} minus gain on {second}", families_of, [part], seed, level))
    for target, own in by_target.items():
        rows = {name: np.flatnonzero(np.array(own.families) == name) for name in asked if name in own.families}
        if families is None and len(rows) == 1:
            continue  # it is the gain on the target
        found += [
            _answer(f"gain on {target}, {name}", [name], [(1, own.values[at], own.resampled[at])], seed, level)
            for name, at in rows.items()
        ]
        for first, second in itertools.combinations(rows, 2):
            parts = [(s, own.values[rows[f]], own.resampled[rows[f]]) for s, f in ((1, first), (-1, second))]
            note = "exploratory: families were not assigned at random and differ in more than their name says"
            found.append(
                _answer(f"gain on {target}, {first} minus {second}", [first, second], parts, seed, level, note)
            )
    return found
