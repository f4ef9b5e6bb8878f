"""What a new submission is and will take on a track: size, arithmetic, memory, time.

Where two steps at the track's batch are quick enough they are run and measured; else time and memory are estimated
from a batch of four, and are called so.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from benchmark import protocol as protocols
from benchmark.campaign import Campaign, default_jobs
from benchmark.checking.rehearsing import Rehearsed, rehearse
from benchmark.cost import TWO_BATCHES, Cost, Evidence, Machines, Overhead, predict
from benchmark.errors import InputError
from benchmark.forecast import Timed
from benchmark.job import Findings
from benchmark.plan import Unit
from benchmark.sandbox import Sandbox
from benchmark.submission import Submission
from benchmark.track import Track

PATIENCE = 60.0
"""Seconds that the measured steps may take, by the estimate."""

ESTIMATED = "this machine, one pass of four images"
NUMBERS = 4
"""Kept for every parameter: itself, its gradient and the two moments of AdamW."""

BYTES = 4
PASSES = 4.5
"""Passes of the batch in two epochs of two steps: training, and some for validation and warming up."""


class Preview(NamedTuple):
    """Figures of one submission on one track.

    Attributes:
        track: its name.
        image_size: side in pixels.
        batch: of the track.
        parameters: numbers that are trained.
        multiply_adds: of one image forward; None where they cannot be counted.
        memory: bytes of one unit at that batch.
        how: whether time and memory are `measured` at the track's batch or `estimated` from four images.
        seconds_an_image: in training, on one processor thread of this machine.
        units: trainings of the whole track, and of the longest of them the seconds.
        longest: seconds of the longest.
        cost: of all of them.
    """

    track: str
    image_size: int
    batch: int
    parameters: int
    multiply_adds: int | None
    memory: int
    how: Literal["measured", "estimated"]
    seconds_an_image: float
    units: int
    longest: float
    cost: Cost

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {**self._asdict(), "cost": self.cost.plain()}


def preview(item: Submission, track: Track, sandbox: Sandbox, seconds: float) -> Preview:
    """Build a submission's model in a sandbox, and say what it will take.

    Args:
        item: the submission.
        track: on which.
        sandbox: where its code runs.
        seconds: that one run of it may take.

    Raises:
        InputError: when the track's images are not taken, or the model cannot be built or trained.
        InfrastructureError: when the machine failed.
    """
    size, recipe = track.preprocess.size, track.recipe
    refusal = item.takes(size)
    if refusal:
        raise InputError(refusal, file=item.folder, field="model.image_size", hint="Choose another --track")
    with TemporaryDirectory(prefix="karyobench-preview-") as folder:
        place = Path(folder)
        seen, paced = rehearse(item, sandbox, place, size, seconds=seconds), None
        found = seen.findings
        if PASSES * recipe.batch_size * found.seconds / 4 < PATIENCE:
            paced = rehearse(item, sandbox, place, size, seconds=seconds, pace=recipe)
        rate, memory, how = _figures(found, paced, recipe.batch_size)
        units = _units(item, track, place / "workspace")
    timed = Evidence([Timed(item.name, 1.0, rate)], {TWO_BATCHES if how == "measured" else ESTIMATED: 1})
    cost = predict(units, timed, Machines("local", "cpu", default_jobs("cpu", 1), 1), Overhead())
    longest = max(unit.cost for unit in units) * rate
    return Preview(
        track.name, size, recipe.batch_size, found.parameters, found.multiply_adds, memory, how, rate, len(units),
        longest, cost,
    )  # fmt: skip


def _figures(
    found: Findings, paced: Rehearsed | None, batch: int
) -> tuple[float, int, Literal["measured", "estimated"]]:
    """Seconds an image, bytes at the batch, and how both are known."""
    rate = paced.findings.seconds_an_image if paced else None
    if paced is not None and paced.peak_bytes is not None and rate is not None:
        return rate, paced.peak_bytes, "measured"
    return found.seconds / 4, NUMBERS * BYTES * found.parameters + found.held * batch, "estimated"


def _units(item: Submission, track: Track, workspace: Path) -> list[Unit]:
    """All trainings of a track that a submission may have, on the committed manifests."""
    names = protocols.MAIN if item.spec.weights is not None else ("scratch",)
    return Campaign(workspace, track, [item], fetch=False).plan(names).units
