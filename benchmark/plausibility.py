"""The plausibility gate: does a learning curve rise faster than the others of its kind make believable?

A *set* is what one track, target and protocol hold, of all submissions. The statistic of a record is
its mean validation macro-F1 over the first third of its epochs (rounded up), on the logit scale. A high score early
is what code shows that recognises images or brings weights that have seen them.

It is held against two references, each of eight other trainings or more:

- **Other submissions**, three or more: the mean of all trainings of the submission in that set against
  theirs, by a prediction interval for one more submission. Its variance is that between submissions and
  within, s²(means)·(1 + 1/k) + s²(within)·(1/n − mean 1/nᵢ) where that adds, with k other submissions; t with
  k − 1 degrees of freedom. It is one test a submission and set, because ten alike curves are not ten
  findings, and would vouch for each other if they were left in.
- **Its own submission's other trainings**: each record against them, by the same interval with n = 1;
  for a single record that is not like its kin.

One-sided; Holm within either family, at half of `LEVEL` each. A flag is no verdict: it says which
records to reproduce first.

**Limits.** With few submissions the first reference can hardly flag anything (t with 2 degrees of
freedom): a fourth architecture may well be better than three. Two fakes under two names hide each other in
part. The log is written where the submitted code runs, which can alter it: whoever fakes a slow curve
is not found here, but by reproduction, by the container and by review.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.records import Record
from benchmark.stats.multiple import holm
from benchmark.versions import era

Floats = npt.NDArray[np.float64]

LEVEL = 0.001
LEAST_OTHERS = 8
LEAST_SUBMISSIONS = 3
EARLY = 1 / 3
CLIP = 0.005
"""Scores are kept this far from 0 and 1 before the logit is taken."""

LEAST_SPREAD = 0.1
"""Smallest standard deviation, on the logit scale, that is believed of a reference: curves that are all but
equal by chance or by rounding must not make a small difference look impossible."""


Place = tuple[str, str, str, str]
"""Track digest, target, protocol."""


class Flag(NamedTuple):
    """How a record compares.

    Attributes:
        statistic: its mean validation macro-F1 over the first third of its epochs; where it is compared
            with other submissions, the mean over its submission's trainings.
        expected: what the reference makes of it.
        p: one-sided, adjusted.
    """

    statistic: float
    expected: float
    p: float


Word = Literal["too fast", "as expected", "not whole", ""]


class Judgement(NamedTuple):
    """What can be said of one record.

    Attributes:
        flag: None where it was not judged.
        whole: whether its log holds a score for every epoch.
    """

    flag: Flag | None
    whole: bool = True

    @property
    def flagged(self) -> bool:
        """Whether it rises implausibly fast."""
        return self.flag is not None and self.flag.p <= LEVEL

    @property
    def word(self) -> Word:
        """For a table; empty where there are too few others to judge by."""
        if not self.whole:
            return "not whole"
        return "too fast" if self.flagged else "as expected" if self.flag else ""


def early_score(record: Record) -> float | None:
    """Mean validation macro-F1 over the first third of the epochs; None where the log is not whole."""
    log, epochs = record.get("log"), record.get("epochs")
    if not isinstance(log, list) or not isinstance(epochs, int) or not log or len(log) != epochs:
        return None
    found = [line.get("validation_macro_f1") if isinstance(line, dict) else None for line in log]
    scores = [score for score in found if isinstance(score, int | float) and 0 <= score <= 1]
    return statistics.fmean(scores[: math.ceil(EARLY * epochs)]) if len(scores) == epochs else None


def logit(score: float) -> float:
    """log(s / (1 − s)), for a score kept away from 0 and 1."""
    kept = min(max(score, CLIP), 1 - CLIP)
    return math.log(kept / (1 - kept))


def _score(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def predict(new: Sequence[float], groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """What the mean of a new group is expected to be, and the chance of one as large as this.

    Args:
        new: values of the new group.
        groups: values of the others, two groups or more.

    Returns:
        The mean of the groups' means, and a one-sided p-value.
    """
    return _predict(float(np.mean(new)), len(new), _Groups.of(groups))


class _Groups(NamedTuple):
    """Groups of values, each as its mean, one over its size, and its sum of squares about the mean."""

    means: Floats
    parts: Floats
    squares: Floats

    @classmethod
    def of(cls, groups: Iterable[Sequence[float]]) -> _Groups:
        found = list(groups)
        sizes = np.array([len(group) for group in found], dtype=np.int64)
        if not sizes.size:
            return cls(*np.empty((3, 0)))
        values, starts = np.concatenate(found), sizes.cumsum() - sizes
        means = np.add.reduceat(values, starts) / sizes
        return cls(means, 1 / sizes, np.add.reduceat(np.square(values - means.repeat(sizes)), starts))


def _predict(mean: float, size: int, groups: _Groups) -> tuple[float, float]:
    count, free = len(groups.means), round(float((1 / groups.parts - 1).sum()))
    within = float(groups.squares.sum()) / max(free, 1)
    variance = float(groups.means.var(ddof=1)) * (1 + 1 / count)
    variance += within * max(0.0, 1 / size - float(groups.parts.mean()))
    spread, expected = max(math.sqrt(variance), LEAST_SPREAD), float(groups.means.mean())
    return expected, float(stats.t.sf((mean - expected) / spread, count - 1))


def leave_one_out(groups: _Groups) -> tuple[Floats, Floats]:
    """`predict` of every group from all the others, at once: expected means, and one-sided p-values.

    Args:
        groups: four or more.
    """
    others = len(groups.means) - 1
    centre = groups.means.mean()
    means, spare = groups.means - centre, 1 / groups.parts - 1
    expected = (means.sum() - means) / others
    between = np.maximum((np.square(means).sum() - np.square(means)) / others - np.square(expected), 0.0)
    between *= others / (others - 1)
    within = (groups.squares.sum() - groups.squares) / np.maximum(np.rint(spare.sum() - spare), 1.0)
    added = np.maximum(0.0, groups.parts - (groups.parts.sum() - groups.parts) / others)
    spread = np.maximum(np.sqrt(between * (1 + 1 / others) + within * added), LEAST_SPREAD)
    return expected + centre, np.asarray(stats.t.sf((means - expected) / spread, others - 1))


def judge(records: Iterable[Record]) -> dict[str, Judgement]:
    """Judge every scored record among the others, by key.

    Args:
        records: of units; the newest of a key counts.
    """
    judged: dict[str, Judgement] = {}
    sets: dict[Place, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for key, record in {record["key"]: record for record in records if record["status"] == "scored"}.items():
        score = early_score(record)
        if score is None:
            judged[key] = Judgement(None, whole=False)
        else:
            place = record["track"]["digest"], era(record), record["dataset"]["name"], record["arm"]
            sets[place][record["submission"]["name"]][key] = logit(score)
    between: dict[tuple[str, ...], Flag] = {}
    within: dict[tuple[str, ...], Flag] = {}
    for members in sets.values():
        all_, trainings = list(members.values()), sum(map(len, members.values()))
        judged |= {key: Judgement(None) for own in all_ for key in own}
        if len(members) > LEAST_SUBMISSIONS:
            pairs = zip(all_, _tested(_Groups.of([list(own.values()) for own in all_])), strict=True)
            between |= {tuple(own): flag for own, flag in pairs if trainings - len(own) >= LEAST_OTHERS}
        for own in all_:
            if len(own) > LEAST_OTHERS:
                kin = _tested(_Groups.of([[value] for value in own.values()]))
                within |= {(key,): flag for key, flag in zip(own, kin, strict=True)}
    for family in (between, within):
        adjusted = holm([flag.p for flag in family.values()]) if family else ()
        for (keys, flag), p in zip(family.items(), adjusted, strict=True):
            for key in keys:
                found, known = flag._replace(p=min(1.0, 2 * float(p))), judged[key].flag
                judged[key] = Judgement(found if known is None or found.p < known.p else known)
    return judged


def _tested(groups: _Groups) -> list[Flag]:
    expected, p = leave_one_out(groups)
    return [
        Flag(_score(mean), _score(likely), chance)
        for mean, likely, chance in zip(groups.means.tolist(), expected.tolist(), p.tolist(), strict=True)
    ]


def flags(records: Iterable[Record]) -> dict[str, Flag]:
    """Records whose curve rises implausibly fast, by key, the least plausible first.

    Args:
        records: of units; the newest of a key counts.
    """
    found = {key: one.flag for key, one in judge(records).items() if one.flag is not None and one.flagged}
    return dict(sorted(found.items(), key=lambda item: item[1].p))
