"""What a plan will cost, from the ledger's timed units: wall time, and hours of GPUs or processors, with intervals.

A unit's own seconds come from units of the same track on the same kind of device; what a unit takes besides
(inputs, scoring, the head) and the seconds before the first come from earlier runs of this workspace on the same engine. The
schedule is the engine's own (`benchmark.forecast`). It knows nothing of the time that a cluster's queue takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmark.engine.simulation import Cluster
from benchmark.errors import InputError
from benchmark.forecast import Forecast, Range, Timed, forecast
from benchmark.plan import Unit
from benchmark.speed import Speeds
from benchmark.status.model import RUNS, RunState
from benchmark.status.reading import Folder, parse

if TYPE_CHECKING:
    from benchmark.campaign import Campaign

HOUR = 3600.0

TWO_BATCHES = "this machine, two batches alone"

Device = Literal["cpu", "cuda"]


def kind_of(device: str) -> Device:
    """Kind of a device by its name: of `cuda:1`, `cuda`."""
    return "cuda" if device.startswith("cuda") else "cpu"


@dataclass(frozen=True)
class Machines:
    """On what a plan is to run.

    Args:
        engine: its name.
        device: of the units.
        slots: units that run at once.
        share: GPUs or processor threads that one unit holds.
    """

    engine: str
    device: Device
    slots: int
    share: float


class Evidence(NamedTuple):
    """Units that were timed.

    Attributes:
        timed: the units.
        devices: how many on which device.
    """

    timed: list[Timed]
    devices: dict[str, int]


class Overhead(NamedTuple):
    """What runs of one engine took besides their units.

    Attributes:
        startup: seconds before the first unit.
        each: seconds a unit.
        run: that it was seen in; None: of none, and both are 0.
    """

    startup: float = 0.0
    each: float = 0.0
    run: str | None = None


class Cost(NamedTuple):
    """A prediction, and what it rests on.

    Attributes:
        machines: on what.
        forecast: wall seconds and slot-seconds.
        hours: of GPUs or processor threads.
        devices: timed units by device, those of the plan's submissions.
        overhead: as it was assumed.
    """

    machines: Machines
    forecast: Forecast
    hours: Range
    devices: dict[str, int]
    overhead: Overhead

    @property
    def unit(self) -> str:
        """Of `hours`."""
        return "GPU-hours" if self.machines.device == "cuda" else "processor-hours"

    @property
    def known(self) -> bool:
        """Whether anything can be said."""
        return bool(self.forecast.timed) or not self.forecast.unknown

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        found, machines = self.forecast, self.machines
        return {
            "engine": machines.engine, "device": machines.device, "at_once": machines.slots,
            "wall_seconds": found.wall._asdict() if self.known else None,
            self.unit.replace("-", "_").lower(): self.hours._asdict() if self.known else None,
            "timed_units": found.timed, "timed_on": self.devices, "not_timed": list(found.unknown),
            "overhead": self.overhead._asdict(),
        }  # fmt: skip


def machines(
    engine: str, gpus: float | None, share: float, jobs: int | None, threads: int, local_jobs: int
) -> Machines:
    """What the options of `plan` mean.

    Args:
        engine: its name.
        gpus: in all; None: units run on processors.
        share: GPUs a unit, also a part of one.
        jobs: units at once; default: as many as there are GPUs for, or as `local_jobs` says.
        threads: processor threads a unit.
        local_jobs: what the local engine would choose.

    Raises:
        InputError: for shares that no GPU can be cut into, or a cluster without a size.
    """
    if gpus is not None:
        if gpus <= 0 or share <= 0 or (share > 1 and share != int(share)) or gpus < share:
            raise InputError(
                "not so many units on so many GPUs", field="gpus-per-unit", found=f"{share:g} of {gpus:g}",
                allowed="a part of one GPU, or whole ones, and no more than there are",
            )  # fmt: skip
        fit = int(gpus) * int(1 / share + 1e-9) if share < 1 else int(gpus // share)
        return Machines(engine, "cuda", min(jobs or fit, fit), share)
    if jobs is None and engine != "local":
        raise InputError("how large is the cluster?", field="gpus", hint="Give --gpus, or --jobs for processors")
    return Machines(engine, "cpu", jobs or local_jobs, threads)


def evidence(records: Iterable[Mapping[str, Any]], track: str, device: Device, wanted: Iterable[str]) -> Evidence:
    """Units of a ledger that tell how long others will take.

    Args:
        records: of the ledger.
        track: digest of the track.
        device: kind of the device.
        wanted: submissions; of others, too, the spread of single units is learnt.
    """
    timed, devices, names = [], Counter[str](), set(wanted)
    for record in records:
        if record["status"] != "scored" or record["track"]["digest"] != track:
            continue
        about = record.get("environment") or {}
        if (about.get("device_type") or "cpu") != device:
            continue
        name = record["submission"]["name"]
        timed.append(Timed(name, record.get("epochs", 0) * record.get("train_images", 0), record["seconds"]))
        if name in names:
            devices[str(about.get("device") or "unnamed device")] += 1
    return Evidence(timed, dict(devices))


def known(campaign: Campaign, device: Device) -> Evidence:
    """What is known of a campaign's submissions: from its ledger; on processors, else from two batches that were timed here."""
    names = [submission.name for submission in campaign.submissions]
    found = evidence(campaign.ledger.records(), campaign.track.digest, device, names)
    if device == "cpu":
        speeds, timed = Speeds(campaign.workspace, campaign.track), {one.submission for one in found.timed}
        for submission in campaign.submissions:
            seconds = None if submission.name in timed else speeds.get(submission)
            if seconds is not None:
                found.timed.append(Timed(submission.name, 1.0, seconds))
                found.devices[TWO_BATCHES] = found.devices.get(TWO_BATCHES, 0) + 1
    return found


def overhead(workspace: Path, engine: str) -> Overhead:
    """What the newest run of an engine that has ended took besides its units; nothing where there was none."""
    folder = Folder(workspace / RUNS)
    for name in reversed(folder.names()):
        try:
            state: RunState = parse(name, folder.read(name))
        except (InputError, OSError):
            continue
        if state.engine == engine and state.ended and state.each is not None and state.startup is not None:
            return Overhead(state.startup, state.each, state.run)
    return Overhead()


def predict(units: Sequence[Unit], found: Evidence, where: Machines, besides: Overhead) -> Cost:
    """Predict what some units take.

    Args:
        units: those to do.
        found: what was timed.
        where: on what they will run.
        besides: what runs take besides.
    """
    cluster = Cluster(1, where.slots, startup=besides.startup)
    made = forecast(units, found.timed, cluster, each=besides.each)
    return Cost(where, made, made.work.times(where.share / HOUR), found.devices, besides)
