"""Several units taking turns in one process, so that a GPU which one of them would leave idle is filled.

Each unit has its own stream, its own recorded steps and its own random generators; nothing of what it
computes depends on the others, so that its results are those it has alone. It joins when it comes and leaves when
it is done: no unit waits for another's end, and none for an import or a new context of the GPU.

Units share memory. So only networks of timm may come here: a submission with code of its own could look at the labels of
another fold (invariant 1), and gets a process for every unit.

One line in a unit, one out::

    {"unit": 7, "inputs": ..., "output": ...}
    {"unit": 7, "status": 0, "seconds": 12.3, "peak_bytes": 1234567, "beside": 5}
    {"cancel": 7}                                  that unit ends without an answer

`seconds` is the unit's share of the time: a second in which five took turns counts a fifth for each.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from benchmark.training.worker import Work

SPARE = 1.2
"""A unit joins where so many times what the largest one took is free."""

READ = 1 << 16


class Member:
    """A unit that takes its turn.

    Args:
        request: as it came.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.request, self.number = request, int(request["unit"])
        self.inputs, self.output = Path(request["inputs"]), Path(request["output"])
        self.alone = False
        """Whether it needs the device for itself, since it found no room beside others."""
        self.begin()

    def begin(self) -> None:
        """Start it anew."""
        self.work = Work(self.inputs, self.output, alone=False)
        self.seconds, self.beside, self.turns = 0.0, 0, 0

    def advance(self) -> bool:
        """Its next piece, with its prints in its log; returns whether there is more."""
        with (
            (self.output / "worker.log").open("a") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            more = self.work.advance()
        self.turns += 1
        return more

    def answer(self) -> dict[str, Any]:
        """What the harness is told at its end."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"unit": self.number, "status": self.work.code, "seconds": round(self.seconds, 3), "peak_bytes": peak,
                "beside": self.beside}  # fmt: skip

    def again_alone(self) -> None:
        """Forget what it did, and wait for the device to be free of others."""
        for name in ("failure.json", "log.jsonl"):
            (self.output / name).unlink(missing_ok=True)
        self.begin()
        self.alone = True


class Room:
    """Whether one more unit fits: measured by the first, then asked of the device.

    Args:
        free: bytes of device memory that can be had; None where that is not known, and all may join.
        reserved: bytes that this process has taken of it.
    """

    WARMED = 8
    """Turns after which a unit has taken what it needs: eager steps, the recording, the first evaluation begun."""

    def __init__(self, free: Callable[[], int] | None, reserved: Callable[[], int]) -> None:
        self._free, self._reserved = free, reserved
        self._largest = 0
        self._before: dict[int, int] = {}

    def fits(self, active: list[Member]) -> bool:
        """Whether one more may join these."""
        if self._free is None or not active:
            return True
        if any(one.turns < self.WARMED for one in active):
            return False
        return self._free() >= SPARE * self._largest

    def joined(self, member: Member) -> None:
        """A unit begins."""
        self._before[member.number] = self._reserved()

    def turned(self, member: Member) -> None:
        """A unit had a turn: the memory that was taken since it joined is its own, for only one joins at a time."""
        if member.turns <= self.WARMED and member.number in self._before:
            self._largest = max(self._largest, self._reserved() - self._before[member.number])


def room_of_device() -> Room:
    """On a GPU by its memory; elsewhere the harness decides how many run at once."""
    if not torch.cuda.is_available():
        return Room(None, lambda: 0)
    return Room(lambda: int(torch.cuda.mem_get_info()[0]), lambda: int(torch.cuda.memory_reserved()))


class Turns:
    """The units of this process, and whose turn it is.

    Args:
        tell: called with every answer.
        room: says how many may be here.
        clock: seconds.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None], room: Room, clock: Callable[[], float]) -> None:
        self.tell, self.room, self.clock = tell, room, clock
        self.waiting: deque[Member] = deque()
        self.active: list[Member] = []

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self.waiting and not self.active

    def take(self, request: dict[str, Any]) -> None:
        """A line of the harness: a new unit, or one that is to end."""
        if "cancel" not in request:
            self.waiting.append(Member(request))
            return
        gone = int(request["cancel"])
        self.waiting = deque(one for one in self.waiting if one.number != gone)
        self.active = [one for one in self.active if one.number != gone]
        _let_go()

    def _admit(self) -> None:
        while self.waiting and not any(one.alone for one in self.active):
            member = self.waiting[0]
            if (member.alone and self.active) or not self.room.fits(self.active):
                return
            self.active.append(self.waiting.popleft())
            self.room.joined(member)

    def round(self) -> None:
        """Let join who can, and give every unit one turn."""
        self._admit()
        started, taking, left = self.clock(), list(self.active), []
        for member in taking:
            member.beside = max(member.beside, len(taking))
            if not member.advance():
                left.append(member)
            self.room.turned(member)
        share = (self.clock() - started) / max(1, len(taking))
        for member in taking:
            member.seconds += share
        for member in left:
            self._left(member, len(taking))

    def _left(self, member: Member, beside: int) -> None:
        self.active.remove(member)
        failure = member.work.failure
        if failure is not None and "CUDA error" in failure.message and beside > 1:
            raise RuntimeError(failure.message)  # the device serves nobody in this process any more
        if failure is not None and failure.kind == "out-of-memory" and beside > 1:
            member.again_alone()
            self.waiting.append(member)
        else:
            self.tell(member.answer())
        _let_go()


def _let_go() -> None:
    """Give back the memory of units that have left."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Take units and answer for them, until there are no more requests and all have ended.

    Args:
        requests: a line a unit.
        answers: a line a unit that has ended.
    """

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    turns, pending, more = Turns(tell, room_of_device(), time.monotonic), b"", True
    while more or not turns.idle:
        if more and select.select([requests], [], [], None if turns.idle else 0.0)[0]:
            read = os.read(requests.fileno(), READ)
            more, pending = bool(read), pending + read
            *lines, pending = pending.split(b"\n")
            for line in lines:
                turns.take(json.loads(line))
        turns.round()
    sys.stderr.flush()
