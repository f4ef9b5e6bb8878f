"""Taking a submission off the board, for a reason that stays readable.

A withdrawal is a record of the chained ledger. It names the versions that were recorded when it was
written: they are neither listed nor ranked any more, but their units, predictions and page stay. A
later version of the submission is listed again. Withdrawn units stay in the family that p-values are
adjusted for, so that taking one away never makes the others' evidence look stronger.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from benchmark.errors import InputError
from benchmark.files import digest

if TYPE_CHECKING:
    from benchmark.ledger import Ledger
    from benchmark.records import Record

MOST = 500
"""Characters of a reason."""


def version(record: Mapping[str, Any]) -> str:
    """The version of the submission that a unit's record is of: its model and its code."""
    return f"{record['submission']['model']}:{record['submission']['code']}"


def versions(records: Iterable[Mapping[str, Any]], submission: str) -> list[str]:
    """Recorded versions of a submission, in the order of their first records."""
    return list(dict.fromkeys(version(r) for r in records if r["submission"]["name"] == submission))


def names(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What to call the version of every unit, by key: eight hex digits of model, code and weights.

    Units that started from no weights are of the version that is recorded first among those of their model and code.
    """
    known = list(records)
    first: dict[tuple[str, str], str] = {}
    for record in known:
        if record["weights"]:
            first.setdefault((record["submission"]["name"], version(record)), str(record["weights"]))
    return {
        record["key"]: version_name(
            version(record), record["weights"] or first.get((record["submission"]["name"], version(record)), "")
        )
        for record in known
    }


@functools.lru_cache(maxsize=1 << 16)
def version_name(model: str, weights: str) -> str:
    """What to call a version: of its model and code (see `version`) with some weights, empty for none."""
    return digest([model, weights])[:8]


def withdraw(ledger: Ledger, submission: str, reason: str) -> Record:
    """Record that all present versions of a submission are withdrawn.

    Raises:
        InputError: for a submission without a record, one that is withdrawn already, or a reason that is
            empty, too long or of several lines.
    """
    records = ledger.records()
    found = versions(records, submission)
    if not found:
        known = sorted({record["submission"]["name"] for record in records})
        raise InputError("no record of this submission", file=ledger.path, field="submission", found=submission,
                         allowed=known or "none")  # fmt: skip
    weights = _weights(records, submission)
    gone = Withdrawn(ledger.withdrawals())
    if all(gone.of(submission, one, hash_) for one in found for hash_ in weights[one]):
        raise InputError("is withdrawn already", file=ledger.path, field="submission", found=submission)
    return ledger.append({
        "type": "withdrawal",
        "submission": submission,
        "versions": found,
        "weights": weights,
        "reason": line(reason, "reason", "must say why", MOST),
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    })  # fmt: skip


def _weights(records: Iterable[Mapping[str, Any]], submission: str) -> dict[str, list[str]]:
    """Hashes of the weights that trainings of every version started from; an empty one stands for none."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        if record["submission"]["name"] == submission:
            found.setdefault(version(record), {})[record["weights"] or ""] = None
    return {name: list(hashes) for name, hashes in found.items()}


class Withdrawn:
    """What is withdrawn: model and code with some weights. Records of before weights were named withdraw all of them."""

    def __init__(self, withdrawals: Iterable[Record]) -> None:
        self._found: dict[tuple[str, str], list[Record]] = {}
        for record in withdrawals:
            for one in record["versions"]:
                self._found.setdefault((record["submission"], one), []).append(record)

    def of(self, submission: str, version: str, weights: str = "") -> Record | None:
        """The withdrawal of a version that started from some weights (empty: from none); the first one counts."""
        for record in self._found.get((submission, version), ()):
            if "weights" not in record or weights in record["weights"].get(version, ()):
                return record
        return None


def line(text: str, field: str, problem: str, most: int) -> str:
    """One line of text, without what stands around it.

    Raises:
        InputError: when it is empty, too long, of several lines, or holds what cannot be printed.
    """
    found = text.strip()
    if not found or len(found) > most or not found.isprintable():
        raise InputError(problem, field=field, found=text, allowed=f"one line of 1 to {most} characters")
    return found


def problem(record: Record, before: Mapping[str, Record]) -> str | None:
    """What is wrong with a withdrawal, given the units recorded before it by key; None when nothing is."""
    known = _weights(before.values(), record["submission"])
    named = record.get("weights", {})
    if not record["versions"] or not set(record["versions"]) | set(named) <= set(known):
        return "withdraws a version that no record before it is of"
    if any(not set(hashes) <= set(known[one]) for one, hashes in named.items()):
        return "withdraws weights that no record before it started from"
    if not isinstance(record["reason"], str) or not record["reason"].strip():
        return "withdraws without a reason"
    return None
