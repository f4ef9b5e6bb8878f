"""A ledger, read once for the board: records and what was computed of them, with the lookups that pages need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmark import grading, plausibility
from benchmark import protocol as protocols
from benchmark.arm import Arm, Trial, ended
from benchmark.board import ahead
from benchmark.board.model import Badge, GradeName
from benchmark.correction import Corrected
from benchmark.elsewhere.store import Store
from benchmark.errors import InputError, IntegrityError
from benchmark.files import digest
from benchmark.findings import summary
from benchmark.insight.kept import Kept, reports
from benchmark.ledger import Ledger
from benchmark.memo import Memo
from benchmark.records import Record
from benchmark.results import Results
from benchmark.withdrawal import Withdrawn

_PLACE = ("submission", "version", "weights", "track_digest", "era", "target", "manifest")
"""Fields of a summary's row that tell its trial."""


@dataclass(frozen=True)
class Line:
    """One trial with its summary."""

    trial: Trial
    summary: dict[str, Any]
    arms: dict[str, Arm]

    @cached_property
    def records(self) -> list[Record]:
        """Its records, oldest first."""
        found = {record["key"]: record for arm in self.arms.values() for record in arm.records.values()}
        return sorted(found.values(), key=lambda record: str(record["ended"]))

    @cached_property
    def ended(self) -> str:
        """When the last training of its own ended; see `benchmark.arm.ended`."""
        return ended(self.trial, self.arms)


class Reading:
    """Everything that the board needs of a ledger.

    Args:
        ledger: whose chain holds; see `Ledger.verify`.
        memo: remembers figures between builds.
        workers: processes that read and compute; default: as many as there are processors.

    Raises:
        InputError: when the ledger holds no result.
        IntegrityError: when predictions are missing or are not those of their record.
    """

    def __init__(self, ledger: Ledger, memo: Memo | None = None, workers: int | None = None) -> None:
        self.ledger = ledger
        self.all_records = ledger.records()
        self.records = {record["key"]: record for record in self.all_records}
        self.reproductions = ledger.reproductions()
        self.withdrawals = ledger.withdrawals()
        self.withdrawn = Withdrawn(self.withdrawals)
        self.corrections = ledger.corrections()
        self.corrected = Corrected(self.corrections)
        self.elsewhere = Store(ledger)
        self.self_run = self.elsewhere.entries()
        self.grades: dict[str, GradeName] = dict(grading.best(self.reproductions))
        self.results = Results(ledger, memo=memo or Memo.passing())
        with ahead.reading(self.results, workers):
            self.curves = plausibility.judge(self.records.values())
        self.listed = self.results.listed()
        self._specs: dict[str, dict[str, Any]] = {}
        rows = {tuple(row[name] for name in _PLACE): row for row in summary(self.results)}
        self.lines = [
            Line(
                trial,
                rows[
                    trial.submission,
                    trial.model,
                    trial.weights,
                    trial.track_digest,
                    trial.era,
                    trial.target,
                    trial.manifest,
                ],
                arms,
            )
            for trial, arms in self.results.trials.items()
        ]
        if not self.lines:
            raise InputError(
                "the ledger holds no result yet", file=ledger.path, hint="Run: karyobench run or karyobench demo"
            )

    def current(self, lines: Iterable[Line]) -> list[Line]:
        """Of every submission, track version and target the line that counts.

        That is the newest version that is not withdrawn, or else the newest.
        """
        found: dict[tuple[str, str, str], Line] = {}
        for line in sorted(lines, key=lambda one: (not self.is_withdrawn(one.trial), one.ended)):
            found[line.summary["track"], line.trial.submission, line.trial.target] = line
        return [found[place] for place in sorted(found)]

    def newest(self, submission: str) -> Line:
        """The line that stands for a submission: the newest of those that count."""
        return max(
            self.current(self.by_submission[submission]), key=lambda one: (not self.is_withdrawn(one.trial), one.ended)
        )

    def is_withdrawn(self, trial: Trial) -> bool:
        """Whether a trial is of a withdrawn version."""
        return self.withdrawn.of(trial.submission, trial.model, trial.weights) is not None

    @cached_property
    def by_submission(self) -> dict[str, list[Line]]:
        """Lines of every submission, sorted by name."""
        found: dict[str, list[Line]] = defaultdict(list)
        for line in sorted(self.lines, key=lambda one: one.trial):
            found[line.trial.submission].append(line)
        return found

    @cached_property
    def cards(self) -> dict[str, dict[str, Any]]:
        """The kept cards of datasets, by the hash that is their file's name, and again by their own name.

        Raises:
            IntegrityError: for a card that is not what its name says.
        """
        found: dict[str, dict[str, Any]] = {}
        for path in sorted((self.ledger.folder / "cards").glob("*.json")):
            card = self.ledger.document("cards", path.stem)
            if digest(card) != path.stem:
                raise IntegrityError("card is not what its name says", file=path)
            found[path.stem] = found[str(card["name"])] = card
        return found

    @cached_property
    def reports(self) -> list[Kept]:
        """The reports that the ledger keeps.

        Raises:
            IntegrityError: for one that does not belong there.
        """
        return reports(self.ledger)

    def card(self, record: Record) -> dict[str, Any] | None:
        """The card of the dataset that a record is of; None where the ledger keeps none."""
        dataset = record["dataset"]
        return self.cards.get(dataset.get("card", "")) or self.cards.get(dataset["name"])

    def spec(self, record: Record) -> dict[str, Any]:
        """The submission's own document behind a record, as it was corrected since; empty where the ledger keeps none."""
        named = record["submission"]
        return self.document(self.corrected.of(named["name"], named.get("document") or ""))

    def document(self, name: str) -> dict[str, Any]:
        """A document of a submission by its hash; empty for none."""
        if name and name not in self._specs:
            self._specs[name] = self.ledger.document("submissions", name)
        return self._specs[name] if name else {}

    def seconds(self, record: Record) -> float:
        """Cost of a training with the stages before it; see `cost_seconds`."""
        return sum(cost_seconds(one) for one in self._chain(record))

    def energy(self, record: Record) -> float | None:
        """Joules of a training with the stages before it; None where one was not read."""
        found = [one.get("energy_joules") for one in self._chain(record)]
        return None if None in found else sum(float(one) for one in found if one is not None)

    def _chain(self, record: Record) -> list[Record]:
        chain, parent = [record], record.get("parent")
        while parent and parent in self.records:
            chain.append(self.records[parent])
            parent = chain[-1].get("parent")
        return chain

    def parameters(self, records: Iterable[Record]) -> int | None:
        """Parameters of the network, as the newest of some records or of their reproductions says."""
        keys = {record["key"] for record in records}
        again = [one for one in self.reproductions if one["of"] in keys]
        for one in reversed([*(self.records[key] for key in keys), *again]):
            found = (one.get("environment") or {}).get("parameters")
            if isinstance(found, int) and found > 0:
                return found
        return None

    def badges(self, line: Line) -> tuple[Badge, ...]:
        """Marks of a row."""
        records = line.records
        found: list[Badge] = []
        if self.is_withdrawn(line.trial):
            found.append("withdrawn")
        if line.summary["simulated"]:
            found.append("simulated")
        sealed = all("image" in (record.get("sandbox_details") or {}) for record in records)
        found.append("sealed" if sealed else "self-run")
        if not line.summary["pinned"]:
            found.append("unpinned")
        if any(record["key"] in self.curves and self.curves[record["key"]].flagged for record in records):
            found.append("flagged")
        grades = self.reproduced(line)
        if grades:
            weakest = max(grades, key=grading.GRADES.index)
            found.append("not reproduced" if weakest == "failed" else weakest)
        return tuple(found)

    def reproduced(self, line: Line) -> dict[GradeName, int]:
        """Reproduced records of a row, counted by their best grade."""
        grades = [self.grades[record["key"]] for record in line.records if record["key"] in self.grades]
        return {grade: grades.count(grade) for grade in grading.GRADES if grade in grades}

    @staticmethod
    def protocols(lines: Iterable[Line]) -> tuple[str, ...]:
        """Protocols that some lines hold, in the order of the suite."""
        return tuple(protocols.ordered({name for line in lines for name in line.arms}))


def cost_seconds(record: Record) -> float:
    """What one training took, in seconds.

    On a processor its processor time, which does not tell what else the machine did, where that was read; else the
    time that passed.
    """
    spent = record.get("cpu_seconds")
    on_processor = (record.get("environment") or {}).get("device_type") == "cpu"
    return float(record["seconds"] if spent is None or not on_processor else spent)
