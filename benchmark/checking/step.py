"""What a step of a check is given, and what it answers with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmark.checking.report import Report
from benchmark.pretrained import Located
from benchmark.sandbox import Sandbox
from benchmark.submission import Submission
from benchmark.track import Track

Progress = Callable[[int, int | None], None]


class SkippedError(Exception):
    """This step cannot say anything here; the message says why."""


@dataclass
class Subject:
    """A submission under check, and what its steps have found so far.

    Args:
        asked: name or path of the submission.
        tracks: whose image sizes are tried.
        sandbox: where its code runs.
        folder: an empty folder for inputs, outputs and the workspace of the smoke units.
        offline: whether the hub is never asked.
        units: whether smoke units are trained.
        seconds: that one run of its code may take.
        report: what was found.
    """

    asked: str
    tracks: Sequence[Track]
    sandbox: Sandbox
    folder: Path
    offline: bool
    units: bool
    seconds: float
    report: Report
    item: Submission | None = None
    located: Located | None = None
    digests: dict[int, str] = field(default_factory=dict)
    """Hash of logits and gradients by image size."""

    @property
    def submission(self) -> Submission:
        """The submission, once it was read."""
        assert self.item is not None
        return self.item

    def warn(self, text: str) -> None:
        """Note what is no failure."""
        self.report.warnings.append(text)


class Step(NamedTuple):
    """One thing that is checked.

    Attributes:
        name: as the table shows it.
        run: does it; returns what was found. Raises `SkippedError`, or a `KaryoError` for what is wrong.
        needs: steps without which this one means nothing: it is skipped unless they were ok.
    """

    name: str
    run: Callable[[Subject], str]
    needs: tuple[str, ...] = ()
