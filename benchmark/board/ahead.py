"""Every file of predictions read once and checked, and all figures that are not remembered computed, by all processors.

What is computed here is what `Results.score`, `findings` and `figures.classes` would compute one by one
later, under the same keys: arms of one design share their resamples, and a gain takes those of its two arms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmark import conditional, findings
from benchmark.arm import Arm
from benchmark.board import figures
from benchmark.crew import crew, slices
from benchmark.ledger import Ledger
from benchmark.memo import Gathered, key_of
from benchmark.records import Record
from benchmark.results import Classes, Pair, Results
from benchmark.stats import bootstrap
from benchmark.stats.pigeonhole import Draws
from benchmark.stats.pseudo import Tally

TRIALS = 50
"""Trials that a process is given at once."""

RECORDS = 500
"""Records of which only the files are checked, likewise."""

KIND = "ahead"
"""Of the mark that all figures of a trial are remembered."""

Arms = dict[str, Arm]


class Read(NamedTuple):
    """What a process found.

    Attributes:
        figures: for `Memo.put`.
        said: for `Results.said`.
    """

    figures: list[tuple[str, str]]
    said: dict[str, Classes]


@contextmanager
def reading(results: Results, workers: int | None = None) -> Iterator[None]:
    """Check the predictions of every record of a ledger, and remember what is computed of them, while the body runs.

    Args:
        results: of the whole ledger; its memo and its `said` are filled.
        workers: processes; default: as many as there are processors.

    Raises:
        IntegrityError: when predictions are missing or are not those of the record; names the file.
    """
    missing = {
        key: arms for arms in results.trials.values() if not results.memo.has(key := key_of(KIND, _hashes(arms)))
    }
    held = {id(record) for arms in missing.values() for record in _scored(arms)}
    others = [one for one in results.ledger.records() if one["status"] == "scored" and id(one) not in held]
    with crew(partial(_check, results.ledger), slices(others, RECORDS), workers) as checked:
        for _ in checked:
            pass
    with crew(partial(_figures, results), slices(list(missing.values()), TRIALS), workers) as found:
        yield
        for one in found:
            results.memo.put(one.figures)
            results.said.update(one.said)
    results.memo.put((key, "1") for key in missing)


def _scored(arms: Arms) -> Iterator[Record]:
    return (record for arm in arms.values() for record in arm.records.values() if record["status"] == "scored")


def _hashes(arms: Arms) -> list[str]:
    return [record["hash"] for arm in arms.values() for record in arm.records.values()]


def _check(ledger: Ledger, records: Sequence[Record]) -> None:
    for record in records:
        ledger.check_predictions(record)


def _figures(results: Results, trials: Sequence[Arms]) -> Read:
    gathered = Gathered()
    own = copy(results)
    own.memo, own.said = gathered, {}
    for arms in trials:
        for record in _scored(arms):
            own.read(record)
    asked = [_Asked(arms, pair) for arms in trials for pair in findings.pairs(own, arms)]
    for design, members in _by_design(own, [arm for arms in trials for arm in arms.values()], asked).items():
        _together(gathered, design, members, asked)
    for arms in trials:
        for arm in arms.values():
            if places := arm.full:
                own.score(arm)
                figures.classes(own, arm, places)
    drawn: dict[findings.Shape, Draws] = {}
    for arms, pair in asked:
        if findings.contrast(own, pair, drawn):
            conditional.columns(own, arms, pair)
    return Read(gathered.texts(), own.said)


class _Asked(NamedTuple):
    """A pair of a trial."""

    arms: Arms
    pair: Pair

    @property
    def hashes(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Hashes of the records of either arm."""
        half = len(self.pair.places)
        return self.pair.hashes[:half], self.pair.hashes[half:]


Members = dict[tuple[str, ...], Tally]
"""Counts of arms, by the hashes of their records."""


def _by_design(results: Results, arms: Sequence[Arm], asked: Sequence[_Asked]) -> dict[tuple[int, ...], Members]:
    """Counts of all arms whose intervals are resampled, by repeats and blocks of their design."""
    wanted = [(arm, arm.full) for arm in arms]
    wanted += [
        (one.arms[name], tuple(one.pair.places)) for one in asked for name in (one.pair.protocol, one.pair.baseline)
    ]
    found: dict[tuple[int, ...], Members] = defaultdict(dict)
    for arm, places in wanted:
        if places:
            blocks, hashes = results.blocks(arm, places), tuple(arm.hashes(places))
            design = len(places) // len(blocks), *blocks
            if not bootstrap.of_trainings(len(places), sum(blocks)) and hashes not in found[design]:
                found[design][hashes] = results.tally(arm, places)
    return found


def _together(gathered: Gathered, design: tuple[int, ...], members: Members, asked: Sequence[_Asked]) -> None:
    """Scores and classes of the arms of one design, and gains of the pairs among them."""
    counts = Tally(*(np.stack(part) for part in zip(*members.values(), strict=True)))
    drawn, place = bootstrap.draws(sum(design[1:])), {hashes: number for number, hashes in enumerate(members)}
    found = bootstrap.resampled(counts, drawn)
    scores = bootstrap.score_intervals(counts, design[1:], found=found)
    for hashes, score, classes in zip(members, scores, figures.of_classes(counts), strict=True):
        gathered.keep("score", hashes, score)
        gathered.keep("classes", hashes, classes)
    pairs = [one for one in asked if _paired(members, one)]
    first, second = ([place[one.hashes[side]] for one in pairs] for side in (0, 1))
    for one, gain in zip(pairs, bootstrap.gain_intervals(found[first], found[second], drawn), strict=True):
        gathered.keep("gain", one.pair.hashes, gain)


def _paired(members: Members, one: _Asked) -> bool:
    """Whether both arms are here and of the same images; of others, `Pair` says what is wrong when it is asked."""
    first, second = (members.get(hashes) for hashes in one.hashes)
    return first is not None and second is not None and np.array_equal(first.true, second.true)
