"""Versions of one submission: what tells them apart, since when, and why one is withdrawn."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.arm import Trial
from benchmark.board.detail_model import Version, Withdrawal
from benchmark.board.reading import Line, Reading
from benchmark.records import Record


def own(lines: Iterable[Line]) -> list[Record]:
    """Records of a version, without those that it shares with others, where it has any of its own."""
    found = [record for line in lines for record in line.records]
    mine = [one for line in lines for one in line.records if (one["weights"] or "") == line.trial.weights]
    return mine or found


def withdrawal(reading: Reading, trial: Trial) -> Withdrawal | None:
    """Why the version of a trial is withdrawn; None where it is not."""
    found = reading.withdrawn.of(trial.submission, trial.model, trial.weights)
    return None if found is None else Withdrawal(date=found["ended"], reason=found["reason"])


def versions(reading: Reading, by_version: dict[str, list[Line]], newest: Line) -> tuple[Version, ...]:
    """All versions of a submission, the present one first, then the newest.

    Args:
        reading: of the ledger.
        by_version: lines, by the name of their version.
        newest: the line that stands for the submission.
    """
    found = []
    for name, lines in by_version.items():
        records = list({record["key"]: record for line in lines for record in line.records}.values())
        dates = sorted(str(record["ended"]) for record in own(lines))
        last = max(records, key=lambda record: str(record["ended"]))
        named = last["submission"]
        found.append(
            Version(
                name=name,
                withdrawal=withdrawal(reading, lines[0].trial),
                model=named["model"],
                code=named["code"],
                weights=tuple(sorted({str(record["weights"]) for record in records if record["weights"]})),
                document=reading.corrected.of(named["name"], str(named.get("document") or "")),
                first=dates[0],
                last=dates[-1],
                records=len(records),
                current=name == newest.trial.version,
            )
        )
    return tuple(sorted(found, key=lambda one: (one.current, one.last), reverse=True))
