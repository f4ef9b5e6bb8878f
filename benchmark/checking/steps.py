"""The steps of a check in their order, and running them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark import track as tracks_
from benchmark.checking import reading, rehearsing, trying
from benchmark.checking.report import Report, Result
from benchmark.checking.step import SkippedError, Step, Subject
from benchmark.errors import KaryoError
from benchmark.sandbox import Sandbox
from benchmark.track import Track

SIZES = ("smoke", "pocket", "paper")
"""Tracks whose image sizes a submission is tried at."""

DEADLINE = 120.0
"""Seconds that one run of a submission's code may take."""

Progress = Callable[[str, int, int], None]


def steps(tracks: Sequence[Track], units: bool = True) -> list[Step]:
    """All steps for some tracks, in their order.

    Args:
        tracks: whose image sizes are tried.
        units: whether smoke units are trained.
    """
    return [*reading.STEPS, *rehearsing.steps(tracks), *(trying.steps() if units else ())]


def check(
    submission: Path | str,
    *,
    sandbox: Sandbox,
    tracks: Sequence[str] = SIZES,
    units: bool = True,
    offline: bool = False,
    seconds: float = DEADLINE,
    progress: Progress | None = None,
) -> Report:
    """Check one submission; its code runs in the sandbox alone.

    Args:
        submission: name of a shipped one, or a folder.
        sandbox: where its code runs; see `benchmark.checking.place`.
        tracks: names of tracks whose image sizes are tried.
        units: whether one smoke unit a protocol is trained.
        offline: never ask the hub for weights.
        seconds: that one run of its code may take.
        progress: told the name of the step that begins, steps done, and steps in all.

    Returns:
        How every step ended. Raises nothing for what is wrong with the submission.

    Raises:
        InputError: for an unknown track.
    """
    chosen = [tracks_.load(name) for name in tracks]
    planned = steps(chosen, units)
    report = Report(str(submission), facts={"sandbox": sandbox.name})
    with tempfile.TemporaryDirectory(prefix="karyobench-check-") as folder:
        subject = Subject(str(submission), chosen, sandbox, Path(folder), offline, units, seconds, report)
        for number, step in enumerate(planned):
            if progress:
                progress(step.name, number, len(planned))
            report.results.append(_done(step, subject))
    return report


def _done(step: Step, subject: Subject) -> Result:
    ended = {result.step: result.status for result in subject.report.results}
    wanting = [name for name in step.needs if ended.get(name, "ok") != "ok"]
    if wanting:
        return Result(step.name, "skipped", f"needs: {wanting[0]}")
    started = time.monotonic()
    try:
        found = step.run(subject)
    except SkippedError as reason:
        return Result(step.name, "skipped", str(reason), time.monotonic() - started)
    except KaryoError as error:
        return Result(step.name, "failed", str(error), time.monotonic() - started)
    return Result(step.name, "ok", found, time.monotonic() - started)
