"""Taking a submission off the board, for a reason that stays readable.

A withdrawal is a record of the chained ledger. It names the versions that were recorded when it was
written: they are neither listed nor ranked any more, but their units, predictions and page stay. A
later version of the submission is listed again. Withdrawn units stay in the family that p-values are
adjusted for, so that taking one away never makes the others' evidence look stronger.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from benchmark.errors import InputError

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
    if set(found) <= set(withdrawn(ledger.withdrawals()).get(submission, {})):
        raise InputError("is withdrawn already", file=ledger.path, field="submission", found=submission)
    text = reason.strip()
    if not text or len(text) > MOST or not text.isprintable():
        raise InputError("must say why", field="reason", found=reason, allowed=f"one line of 1 to {MOST} characters")
    return ledger.append({
        "type": "withdrawal",
        "submission": submission,
        "versions": found,
        "reason": text,
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    })  # fmt: skip


def withdrawn(withdrawals: Iterable[Record]) -> dict[str, dict[str, Record]]:
    """The withdrawal of every withdrawn version, by submission and version; the first one counts."""
    found: dict[str, dict[str, Record]] = {}
    for record in withdrawals:
        for one in record["versions"]:
            found.setdefault(record["submission"], {}).setdefault(one, record)
    return found


def problem(record: Record, before: Mapping[str, Record]) -> str | None:
    """What is wrong with a withdrawal, given the units recorded before it by key; None when nothing is."""
    known = versions(before.values(), record["submission"])
    if not record["versions"] or not set(record["versions"]) <= set(known):
        return "withdraws a version that no record before it is of"
    if not isinstance(record["reason"], str) or not record["reason"].strip():
        return "withdraws without a reason"
    return None
