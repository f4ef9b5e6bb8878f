"""From ledger records to arms that may be compared: the only reader of records for tables and pages.

Every figure is computed again from the stored predictions. Arms are paired only within one
submission version, track version, manifest and era of the harness, and only over the folds and repeats both have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmark import protocol as protocols
from benchmark.arm import Arm, Place, Trial, full_repeats
from benchmark.controls import lend
from benchmark.data.manifest import Tested
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.memo import Memo
from benchmark.records import Record
from benchmark.scoring import by_group, tallied
from benchmark.stats.bootstrap import Interval, score_interval
from benchmark.stats.generator import Experiment
from benchmark.stats.pseudo import Tally, check_paired
from benchmark.steps import only_steps
from benchmark.versions import era, one_era
from benchmark.withdrawal import Withdrawn, version

Ints = npt.NDArray[np.int64]
Classes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """Two arms of a trial over the places that both have; counted when the counts are first asked for.

    Args:
        protocol: the arm.
        baseline: what it is held against.
        places: in the order of the folds within each repeat.
        blocks: number of groups that each fold tests.
        hashes: of the records behind the two arms, which decide everything that is computed from the pair.
        count: gives the tallies of the two arms.
    """

    protocol: str
    baseline: str
    places: list[Place]
    blocks: tuple[int, ...]
    hashes: tuple[str, ...]
    count: Callable[[], tuple[Tally, Tally]]

    @cached_property
    def _tallies(self) -> tuple[Tally, Tally]:
        return self.count()

    @property
    def arm(self) -> Tally:
        """Counts of the arm.

        Raises:
            InputError: when the stored predictions of the two arms are not of the same images.
        """
        return self._tallies[0]

    @property
    def against(self) -> Tally:
        """Counts of the baseline; errors as `arm`."""
        return self._tallies[1]

    @property
    def repeats(self) -> int:
        """Number of full repeats."""
        return len({repeat for repeat, _ in self.places})

    @property
    def trainings(self) -> int:
        """Number of trainings of each arm."""
        return len(self.places)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return sum(self.blocks)


class Results:
    """Reads a ledger once.

    Args:
        ledger: where from.
        track: only records of this track.
        submissions: only these; default: all.
        memo: remembers figures between runs.

    Attributes:
        trials: arms by trial.
        said: by key of a unit, the class that each test image was taken for; filled as it is read.
    """

    def __init__(
        self,
        ledger: Ledger,
        track: str | None = None,
        submissions: Sequence[str] | None = None,
        memo: Memo | None = None,
    ) -> None:
        self.ledger = ledger
        self.memo = memo or Memo()
        self.trials: dict[Trial, dict[str, Arm]] = {}
        self.said: dict[str, Classes] = {}
        units = ledger.by_key()
        steps = only_steps(units, ledger)
        chosen = [
            record
            for key, record in units.items()
            if protocols.known(record["arm"])
            and key not in steps
            and (not track or record["track"]["name"] == track)
            and (not submissions or record["submission"]["name"] in submissions)
        ]
        weighted: dict[Trial, dict[Trial, None]] = defaultdict(dict)
        trials = [self._trial(record) for record in chosen]
        for trial in trials:
            if trial.weights:
                weighted[trial._replace(weights="")][trial] = None
        for trial, record in zip(trials, chosen, strict=True):
            for one in weighted.get(trial, (trial,)):  # what started from no weights is the same whatever the weights
                self._put(one, record)
        for arms in self.trials.values():
            lend(arms, units)

    def _put(self, trial: Trial, record: Record) -> None:
        arm = self.trials.setdefault(trial, {}).setdefault(record["arm"], Arm(record["arm"]))
        place = record["repeat"], record["fold"]
        if place in arm.records:
            raise InputError(
                f"two units of {trial.submission}, {arm.protocol} on {trial.target}, repeat {place[0]}, "
                f"fold {place[1]}: {arm.records[place]['key'][:12]} and {record['key'][:12]}",
                file=self.ledger.path,
                field="repeat, fold",
                allowed="one unit of a version of a submission",
            )
        arm.records[place] = record

    @staticmethod
    def _trial(record: Record) -> Trial:
        track, dataset, name = record["track"], record["dataset"], record["submission"]["name"]
        return Trial(
            name, version(record), track["name"], track["digest"], dataset["name"], dataset["manifest"], era(record),
            record["weights"] or "",
        )  # fmt: skip

    def listed(self) -> Results:
        """The same without the withdrawn versions: what is shown and ranked. Families are taken over all."""
        gone = Withdrawn(self.ledger.withdrawals())
        other = copy(self)
        other.trials = {t: arms for t, arms in self.trials.items() if not gone.of(t.submission, t.model, t.weights)}
        return other

    def matrices(self, arms: Sequence[Arm], places: Sequence[Place]) -> Ints:
        """Confusion matrices by training and group, shape (arms, repeats, groups, 24, 24).

        The folds of one repeat together are one training in this sense: each tests its own groups.

        Args:
            arms: one at least, all tested on the same images.
            places: that all of them have.

        Raises:
            InputError: when the repeats do not hold the same folds.
        """
        by_arm = [self._rows(arm, places) for arm in arms]
        rows = []
        for row in zip(*by_arm, strict=True):
            folds = [
                by_group(np.stack([self.read(one) for one in records]), self._tested(records[0]))
                for records in zip(*row, strict=True)
            ]
            rows.append(np.concatenate(folds, axis=1))
        return np.stack(rows, axis=1)

    def tally(self, arm: Arm, places: Sequence[Place]) -> Tally:
        """What macro-F1 needs of the `matrices` of one arm, without them; errors likewise."""
        rows = [[tallied(*self._counted(record)) for record in row] for row in self._rows(arm, places)]
        return Tally(
            *(np.concatenate([np.concatenate([one[i] for one in row], axis=1) for row in rows]) for i in range(3))
        )

    @staticmethod
    def _rows(arm: Arm, places: Sequence[Place]) -> list[list[Record]]:
        repeats = sorted({repeat for repeat, _ in places})
        folds = [sorted(fold for r, fold in places if r == repeat) for repeat in repeats]
        if any(found != folds[0] for found in folds):
            raise InputError("repeats hold different folds", field=arm.protocol, found=folds)
        one_era((arm.records[place] for place in places), arm.protocol)
        return [[arm.records[repeat, fold] for fold in folds[0]] for repeat in repeats]

    def _counted(self, record: Record) -> tuple[Classes, Tested]:
        return self.read(record), self._tested(record)

    def _tested(self, record: Record) -> Tested:
        dataset = record["dataset"]
        return self.ledger.manifest(dataset["manifest"], dataset["group"]).tested(record["fold"])

    def read(self, record: Record) -> Classes:
        """The class that each test image was taken for, shape (test images,); its file is read once.

        Raises:
            IntegrityError: when the predictions are missing or not those of the record.
        """
        if record["key"] not in self.said:
            self.said[record["key"]] = self.ledger.predictions(record).argmax(1).astype(np.uint8)
        return self.said[record["key"]]

    def blocks(self, arm: Arm, places: Sequence[Place]) -> tuple[int, ...]:
        """Number of groups that each fold tests, in the order of the columns of `matrices`."""
        first = min(repeat for repeat, _ in places)
        return tuple(len(self._tested(arm.records[r, f]).names) for r, f in sorted(places) if r == first)

    def group_names(self, arm: Arm, places: Sequence[Place]) -> list[str]:
        """Names of the groups, in the order of the columns of `matrices`."""
        first = min(repeat for repeat, _ in places)
        return [name for r, f in sorted(places) if r == first for name in self._tested(arm.records[r, f]).names]

    def score(self, arm: Arm) -> Interval:
        """Macro-F1 of an arm over its full repeats, with an interval where one can be given.

        Raises:
            InputError: when nothing of it was scored.
        """
        places = arm.full
        if not places:
            raise InputError("no scored training", field=arm.protocol)
        return Interval(
            *self.memo.get(
                "score",
                arm.hashes(places),
                lambda: score_interval(self.tally(arm, places), self.blocks(arm, places)),
            )
        )

    def pair(self, arms: dict[str, Arm], protocol: str, baseline: str) -> Pair | None:
        """Two protocols of one trial on the same images; None where they share no full repeat."""
        if protocol not in arms or baseline not in arms:
            return None
        places = full_repeats(arms[protocol].scored & arms[baseline].scored)
        if not places:
            return None

        def count() -> tuple[Tally, Tally]:
            first, second = (self.tally(arms[name], places) for name in (protocol, baseline))
            try:
                check_paired(first, second)
            except ValueError as error:
                raise InputError(str(error), file=self.ledger.path, field=f"{protocol} and {baseline}") from error
            return first, second

        hashes = (*arms[protocol].hashes(places), *arms[baseline].hashes(places))
        return Pair(protocol, baseline, places, self.blocks(arms[protocol], places), hashes, count)

    def experiment(self, arms: dict[str, Arm], pair: Pair) -> Experiment:
        """The predictions behind a pair, image by image, groups in the order of its columns."""
        parts: list[tuple[Ints, Ints, list[Ints]]] = []
        start = 0
        folds = sorted({fold for _, fold in pair.places})
        repeats = sorted({repeat for repeat, _ in pair.places})
        for fold in folds:
            record = arms[pair.protocol].records[repeats[0], fold]
            truth, names, group = self._tested(record)
            said = [
                self.read(arms[name].records[repeat, fold]).astype(np.int64)
                for name in (pair.protocol, pair.baseline)
                for repeat in repeats
            ]
            parts.append((truth, group + start, said))
            start += len(names)
        truth, column = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        rows = np.stack([np.concatenate([part[2][row] for part in parts]) for row in range(2 * len(repeats))])
        return Experiment(truth, column, rows[: len(repeats)], rows[len(repeats) :])
