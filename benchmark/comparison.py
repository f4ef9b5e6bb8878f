"""What a ledger says as a whole: scores and gains of every submission, ranks, and the general question.

The one way of `karyobench compare` and of a notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from benchmark import protocol as protocols
from benchmark.allocator import keep_memory
from benchmark.errors import InputError
from benchmark.findings import summary
from benchmark.ledger import Ledger
from benchmark.memo import Memo
from benchmark.memo import default as memory
from benchmark.overview import answers, ranks
from benchmark.protocol import BASELINE
from benchmark.results import Results
from benchmark.versions import sentences


class Compared(NamedTuple):
    """A comparison as plain data, in parts of 1.

    Attributes:
        over: what gains are measured against.
        rows: see `benchmark.findings.summary`.
        ranks: see `benchmark.overview.ranks`.
        general: see `benchmark.overview.answers`.
        submissions: names of all that the ledger, or the track, holds.
        versions: what the records say of the versions of the harness, a sentence each; see `benchmark.versions.sentences`.
    """

    over: str
    rows: list[dict[str, Any]]
    ranks: list[dict[str, Any]]
    general: list[dict[str, Any]]
    submissions: list[str]
    versions: list[str]

    @property
    def refused(self) -> list[str]:
        """The gains that cannot be estimated, each in a sentence."""
        entries = [entry for row in self.rows for entry in row["protocols"].values()]
        return [entry["gain_error"] for entry in entries if "gain_error" in entry]


def known(ledger: Ledger, results: Results, submissions: Sequence[str] = ()) -> list[str]:
    """Submissions that have a record.

    Args:
        ledger: where the results are from.
        results: of it.
        submissions: each must be one of them.

    Raises:
        InputError: for one that is not.
    """
    found = sorted({trial.submission for trial in results.trials})
    for name in submissions:
        if name not in found:
            raise InputError("no record of this submission", file=ledger.path, field="submission", found=name,
                             allowed=found or "none")  # fmt: skip
    return found


def compared(
    ledger: Ledger,
    track: str | None = None,
    over: str = BASELINE,
    submissions: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Compared:
    """Compare protocols from the stored predictions.

    Args:
        ledger: where from.
        track: only this one; default: all, in separate rows.
        over: the protocol that gains are measured against.
        submissions: only these are listed; families are taken over all.
        sources: chains as `sim-q+sim-g`: only protocols over these are listed, and those that take none.
        progress: told how many families are done and how many there are.

    Raises:
        InputError: for an unknown protocol or submission, or a ledger without a record.
        IntegrityError: when predictions are missing or altered.
    """
    over = _baseline(over, sources)
    keep_memory()
    with Memo(memory()) as remembered:
        results = Results(ledger, track, memo=remembered)
        names = known(ledger, results, submissions or ())
        rows = over_sources(summary(results, over, submissions, progress), ledger, sources)
        if not rows:
            raise InputError("no record to compare", file=ledger.path, hint="Run: karyobench run")
        listed = results.listed()
        records = (r for arms in results.trials.values() for arm in arms.values() for r in arm.records.values())
        return Compared(over, rows, ranks(listed), answers(listed), names, list(sentences(records)))


def _baseline(over: str, source: Sequence[str] | None) -> str:
    """The baseline; over the sources that are asked for where it hangs on one."""
    found = protocols.get(over)
    if not source or not found.sourced or found.sources:
        return found.name
    if len(source) > 1:
        raise InputError(
            "a baseline over several chains of sources", field="--over", found=over,
            allowed=[protocols.over(over, protocols.chain(one)) for one in source],
        )  # fmt: skip
    return protocols.over(over, protocols.chain(source[0]))


def _paired(ledger: Ledger, row: dict[str, Any]) -> tuple[str, ...]:
    """The sources that a row's track pairs with its target; none where it is not one of the track's."""
    for pair in ledger.document("tracks", row["track_digest"])["pairs"]:
        if pair["target"] == row["target"]:
            return (pair["source"],) if isinstance(pair["source"], str) else tuple(pair["source"])
    return ()


def over_sources(rows: list[dict[str, Any]], ledger: Ledger, source: Sequence[str] | None) -> list[dict[str, Any]]:
    """Rows without the protocols that hang on other sources than those asked for; all where none is."""
    if not source:
        return rows
    chains = [protocols.chain(one) for one in source]
    found = []
    for row in rows:
        own = _paired(ledger, row)
        kept = {
            name: entry
            for name, entry in row["protocols"].items()
            if not (one := protocols.get(name)).sourced or (one.sources or own) in chains
        }
        found.append({**row, "protocols": kept})
    if not any(protocols.get(name).sourced for row in found for name in row["protocols"]):
        held = {"+".join(protocols.get(name).sources) for row in rows for name in row["protocols"]} - {""}
        raise InputError(
            "no record of a protocol over these sources", file=ledger.path, field="--source", found=list(source),
            allowed=sorted(held) or "none",
        )  # fmt: skip
    return found
