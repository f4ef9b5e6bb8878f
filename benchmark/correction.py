"""Correcting what a submission says of itself - title, paper, licence, note - without training anything again.

A correction is a record of the chained ledger: it names the version that it is of, the document before it and
the one that holds from now on. No key depends on what it may change, so that all records of the version stay as they are.
What would change a result (network, code, weights) is no correction but a new version, which is trained.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from benchmark import files
from benchmark.errors import InputError, IntegrityError
from benchmark.withdrawal import line, version, versions

if TYPE_CHECKING:
    from benchmark.ledger import Ledger
    from benchmark.records import Record
    from benchmark.submission import Submission

MOST = 500
"""Characters of a reason."""

Document = Mapping[str, Any]


def differences(before: Document, after: Document) -> list[str]:
    """Names of the fields that two documents of a submission tell differently; absent and empty are the same."""
    told, now = _told(before), _told(after)
    return sorted(name for name in told.keys() | now.keys() if told.get(name) != now.get(name))


def _told(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {name: _told(one) for name, one in value.items()}
    return {name: one for name, one in kept.items() if one is not None and one != {}}


def deciding(before: Document, after: Document) -> list[str]:
    """Fields that differ and decide a result: what may not be corrected.

    The sizes that a network takes bound where it runs and not what it computes, so that they may.
    """
    pairs: dict[str, tuple[Any, Any]] = {name: (before.get(name), after.get(name)) for name in ("name", "weights")}
    models = [{k: v for k, v in (one.get("model") or {}).items() if k != "image_size"} for one in (before, after)]
    pairs["model"] = models[0], models[1]
    found = []
    for name, (old, new) in pairs.items():
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [f"{name}.{part}" for part in differences(old, new)]
        elif _told(old) != _told(new):
            found.append(name)
    return found


class Corrected:
    """Which document holds in the place of one that was recorded."""

    def __init__(self, corrections: Iterable[Record]) -> None:
        self._holds: dict[tuple[str, str], str] = {}
        for record in corrections:
            name, before, after = record["submission"], record["before"], record["document"]
            for place, held in list(self._holds.items()):
                if place[0] == name and held == before:
                    self._holds[place] = after
            self._holds[name, before] = self._holds[name, after] = after

    def of(self, submission: str, document: str) -> str:
        """The hash of the document that holds now."""
        return self._holds.get((submission, document), document)


def correct(ledger: Ledger, submission: Submission, reason: str | None = None) -> Record:
    """Record that a submission's document, as it is now, holds for the version of it that is in the ledger.

    Args:
        ledger: that holds records of the same network, code and weights.
        submission: as its folder says it now.
        reason: why, in one line.

    Raises:
        InputError: when there is no record of it, its network, code or weights have changed, nothing has changed, or
            the reason is of several lines.
    """
    name, records = submission.name, ledger.records()
    own = [record for record in records if record["submission"]["name"] == name]
    if not own:
        known = sorted({record["submission"]["name"] for record in records})
        raise InputError("no record of this submission", file=ledger.path, field="submission", found=name,
                         allowed=known or "none")  # fmt: skip
    new = submission.spec.model_dump(mode="json")
    wanted = f"{submission.digest}:{submission.code_hash}"
    same = [record for record in own if version(record) == wanted]
    held = _holding(ledger, same or own, name)
    decides = deciding(ledger.document("submissions", held), new) if same else _other(own[-1], submission)
    if decides:
        raise InputError(
            "is no correction, since it decides results: a new version is trained", file=submission.folder / "submission.yaml",
            field=", ".join(decides), allowed="title, family, paper, license, note, model.image_size", hint=f"Run: karyobench run {name}",
        )  # fmt: skip
    if not differences(ledger.document("submissions", held), new):
        raise InputError("says nothing new", file=submission.folder / "submission.yaml", found=name)
    text = line(reason, "reason", "must be one line", MOST) if reason is not None else None
    after = files.digest(new)
    ledger.put_document("submissions", after, new)
    return ledger.append({
        "type": "correction", "submission": name, "version": wanted, "before": held, "document": after, "reason": text,
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    })  # fmt: skip


def _holding(ledger: Ledger, records: list[Record], name: str) -> str:
    return Corrected(ledger.corrections()).of(name, records[-1]["submission"]["document"])


def _other(newest: Record, submission: Submission) -> list[str]:
    """What of the network differs from the newest version that is recorded."""
    named = newest["submission"]
    return ["code"] if named["code"] != submission.code_hash else ["model"]


def problem(ledger: Ledger, record: Record, before: Mapping[str, Record]) -> str | None:
    """What is wrong with a correction, given the units recorded before it by key; None when nothing is."""
    if record["version"] not in versions(before.values(), record["submission"]):
        return "corrects a version that no record before it is of"
    documents = []
    for name in (record["before"], record["document"]):
        try:
            documents.append(ledger.document("submissions", name))
        except IntegrityError as error:
            return str(error)
        if files.digest(documents[-1]) != name:
            return f"submissions/{name[:12]}... is not what its name says"
    decides = deciding(*documents)
    return f"corrects what decides results: {', '.join(decides)}" if decides else None
