"""What an audit says: one `Check` a claim, and the `Report` of all of them as text and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field
from tabulate import tabulate

from benchmark.files import Strict

SHOWN = 20
"""How many offenders a check names."""


class Check(Strict):
    """The outcome of one check.

    Args:
        name: what was checked.
        datasets: one name, or two where datasets were compared.
        passed: whether the claim holds.
        summary: the outcome in one line.
        figures: what was measured.
        offenders: the first `SHOWN` of what was found: images, pairs of images, pairs of cells, or
            classes of a part.
        count: number of all of them.
        notes: what is no breach and worth knowing.
    """

    name: str
    datasets: tuple[str, ...]
    passed: bool
    summary: str
    figures: dict[str, int | float] = Field(default_factory=dict)
    offenders: tuple[str, ...] = ()
    count: int = 0
    notes: tuple[str, ...] = ()


class Report(Strict):
    """All checks of an audit, in the order they ran."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def text(self) -> str:
        """A table of all checks, then what they found and their notes."""
        rows = [
            ("ok" if check.passed else "BREACH", " + ".join(check.datasets), check.name, check.summary)
            for check in self.checks
        ]
        table = tabulate(rows, headers=("", "dataset", "check", "outcome"), maxcolwidths=[None, None, None, 72])
        blocks = [table]
        for check in self.checks:
            title = f"{check.name} ({' + '.join(check.datasets)})"
            if check.count:
                verb = "found" if check.passed else "offending"
                blocks.append(_block(f"{title}: {check.count:,} {verb}", check.offenders, check.count))
            if check.notes:
                blocks.append(_block(f"{title}: notes", check.notes, len(check.notes)))
        failed = sum(not check.passed for check in self.checks)
        blocks.append("All checks passed." if self.ok else f"{failed} of {len(self.checks)} checks failed.")
        return "\n\n".join(blocks)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON: `ok` and `checks`."""
        return {"ok": self.ok, **self.model_dump(mode="json")}


def outcome(
    name: str,
    datasets: Sequence[str],
    summary: str,
    offenders: Iterable[str] = (),
    *,
    passed: bool | None = None,
    figures: dict[str, int | float] | None = None,
    notes: Iterable[str] = (),
) -> Check:
    """A check that passes when nothing offends, unless `passed` says otherwise."""
    found = list(offenders)
    return Check(
        name=name,
        datasets=tuple(datasets),
        passed=not found if passed is None else passed,
        summary=summary,
        figures=figures or {},
        offenders=tuple(found[:SHOWN]),
        count=len(found),
        notes=tuple(notes),
    )


def _block(title: str, items: Sequence[str], count: int) -> str:
    lines = [title, *(f"  {item}" for item in items)]
    if count > len(items):
        lines.append(f"  ... and {count - len(items):,} more")
    return "\n".join(lines)
