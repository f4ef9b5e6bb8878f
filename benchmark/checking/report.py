"""What a check found: one result a step, with its time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Result:
    """How one step ended.

    Args:
        step: its name.
        status: `skipped` says nothing about the submission; `detail` says why.
        detail: what was found, what is wrong, or why the step was left out.
        seconds: that it took.
    """

    step: str
    status: Status
    detail: str
    seconds: float = 0.0


@dataclass
class Report:
    """Everything that a check of one submission found.

    Args:
        submission: as it was asked for: a name or a path.
        results: of the steps, in their order.
        warnings: what is no failure but should be mended or known.
        facts: figures: name, hashes, parameters, multiply-adds, bytes, by name.
    """

    submission: str
    results: list[Result] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no step failed."""
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """What is wrong, a text a failed step."""
        return [result.detail for result in self.results if result.status == "failed"]

    @property
    def seconds(self) -> float:
        """Of all steps together."""
        return sum(result.seconds for result in self.results)

    def result(self, step: str) -> Result:
        """How a step ended.

        Raises:
            KeyError: when it was not among the steps.
        """
        found = {result.step: result for result in self.results}
        return found[step]

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "submission": self.submission, "ok": self.ok, "seconds": round(self.seconds, 2), **self.facts,
            "steps": [vars(result) | {"seconds": round(result.seconds, 2)} for result in self.results],
            "problems": self.problems, "warnings": self.warnings,
        }  # fmt: skip
