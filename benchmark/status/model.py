"""The state of a run, as its head writes it into `runs/<run>.json` of the workspace, and into the store if there is one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.files import Strict

FORMAT = 1

RUNS = "runs"
"""Folder of a workspace, and of a store, in which states are."""

Phase = Literal["preparing", "running", "finished", "failed", "stopped"]

SHOWN = 200
"""Units under way, and failures, that a state names at most; all are counted."""


class Head(Strict):
    """The process that hands out units."""

    host: str
    pid: int
    started: float = Field(description="of the process, in the system's clock ticks since its boot")
    boot: str = Field(description="of the machine: a process of an earlier boot is dead; empty where it is not known")


class Remaining(Strict):
    """Seconds until the run ends, with an interval of 95 %; null where too little was timed (`benchmark.forecast`)."""

    seconds: float
    low: float | None
    high: float | None
    guessed: tuple[str, ...] = Field(description="submissions that were never timed: counted at the rate of the others")


class UnderWay(Strict):
    """A unit that is being trained."""

    key: str
    submission: str
    chain: tuple[str, ...]
    fold: int
    repeat: int
    seconds: float = Field(description="since it started")
    part: float | None = Field(description="of its epochs that are done; null where its log does not reach the head")
    place: str = Field("", description="the node, where the engine knows it")


class Failure(Strict):
    """A unit that has no score."""

    key: str
    submission: str
    chain: tuple[str, ...]
    fold: int
    repeat: int
    kind: str = Field(description="of the model's failure; `given-up` where the machines failed too often")
    message: str


class Count(Strict):
    """Units of one submission."""

    submission: str
    total: int
    done: int
    failed: int
    running: int


class RunState(Strict):
    """Everything that is shown of a run."""

    format: int = FORMAT
    run: str = Field(description="its name: when it started, and a few letters that no other has")
    command: str
    engine: str
    sandbox: str
    track: str
    device: str
    phase: Phase
    message: str = Field(description="why it failed or was stopped")
    head: Head
    started: str = Field(description="UTC")
    beat: int = Field(
        description="grows by one whenever the head writes: a head that lives is told by it, not by clocks"
    )
    beaten: str = Field(description="UTC, when the head wrote last")
    every: float = Field(description="seconds between two beats")
    seconds: float = Field(description="since it started, until it ended")
    slots: int | None = Field(description="units that can run at once; null where only the cluster knows")
    total: int = Field(description="units that this run is to train")
    done: int = Field(description="of them with a score")
    failed: int = Field(description="of them whose model failed: a result")
    given_up: int = Field(description="of them that the machines failed too often, with those that come after them")
    running: int
    queued: int = Field(description="handed to a cluster that has not started them")
    retries: int = Field(description="attempts that the machines failed")
    images: int = Field(description="training images of all units")
    images_done: float
    remaining: Remaining | None
    startup: float | None = Field(description="seconds until its first units trained, imports included")
    each: float | None = Field(
        description="seconds that a unit took besides its own: inputs, scoring, waiting for the head"
    )
    under_way: tuple[UnderWay, ...]
    failures: tuple[Failure, ...]
    submissions: tuple[Count, ...]

    @property
    def ended(self) -> bool:
        """Whether the head said that it is done, one way or another."""
        return self.phase in ("finished", "failed", "stopped")

    @property
    def waiting(self) -> int:
        """Units that nobody has started yet."""
        return self.total - self.done - self.failed - self.given_up - self.running - self.queued
