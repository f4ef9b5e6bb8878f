"""Who trains a unit: a claim that its holder keeps alive, so that nobody else trains the same at the same time.

A claim is taken by making the next *generation* of its file, which succeeds once. Its holder counts a
number up; who finds a claim taken watches the number by a clock of its own that does not run backwards, and makes
the next generation when it stood still for long. No two clocks are ever compared, so none can be wrong. A holder
that was only slow goes on; of two results the first published is believed, and both are the same to the bit.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from benchmark.artefacts.documents import Claim
from benchmark.artefacts.store import Artefacts
from benchmark.errors import InputError, TakenError
from benchmark.sandbox.owner import alive, owner

MISSED = 6
"""Beats after which a holder counts as dead."""


def _space() -> str:
    """The space of process numbers: a process of another container cannot be looked up here."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def holder() -> str:
    """This process, and a number of its own."""
    return f"{uuid.uuid4().hex}|{_space()}|{owner()}"


def gone(label: str) -> bool:
    """Whether a holder is a process of this machine that no longer runs."""
    parts = label.split("|", 2)
    return len(parts) == 3 and parts[1] == _space() != "" and not alive(parts[2])


class Held:
    """A claim that this process holds, kept alive by a thread."""

    def __init__(self, leases: Leases, key: str, generation: int) -> None:
        self._leases, self.key, self.generation = leases, key, generation
        self._claim = Claim(holder=leases.holder, beat=0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"claim-{key[:12]}", daemon=True)
        self._thread.start()

    def report(self, line: dict[str, Any]) -> None:
        """Show a line of the unit's log with the next beat."""
        plain = {k: v for k, v in line.items() if isinstance(v, int | float | str)}
        self._claim = self._claim.model_copy(update={"progress": plain})

    def _beat(self) -> None:
        while not self._over.wait(self._leases.beat):
            self._claim = self._claim.model_copy(update={"beat": self._claim.beat + 1})
            with contextlib.suppress(Exception):  # a beat that is lost is no reason to end a training
                self._leases.write(self.key, self.generation, self._claim)

    def release(self, done: bool) -> None:
        """Let go.

        Args:
            done: whether the unit has ended, so that the claim's files have no more use.
        """
        self._over.set()
        self._thread.join()
        with contextlib.suppress(Exception):  # else it is found to stand still
            if done:
                for generation in range(self.generation + 1):
                    self._leases.delete(self.key, generation)
            else:
                released = self._claim.model_copy(update={"released": True})
                self._leases.write(self.key, self.generation, released)


class Leases:
    """Claims on the units of one store.

    Args:
        store: the store.
        beat: seconds between two signs of life.
        clock: seconds from any start, never backwards.
        sleep: waits.
    """

    def __init__(
        self,
        store: Artefacts,
        beat: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store, self.beat = store, beat
        self.holder = holder()
        self._clock, self._sleep = clock, sleep

    @staticmethod
    def name(key: str, generation: int) -> str:
        """Name of a claim's file."""
        return f"claims/{key}/{generation:06d}.json"

    def write(self, key: str, generation: int, claim: Claim) -> None:
        """Write a claim once, without patience."""
        self.store.place.write(self.name(key, generation), claim.model_dump_json().encode())

    def delete(self, key: str, generation: int) -> None:
        """Remove one generation."""
        self.store.place.delete(self.name(key, generation))

    def read(self, key: str, generation: int) -> Claim | None:
        """A claim; None when there is none, or it is not readable."""
        try:
            data = self.store.ask(lambda: self.store.place.read(self.name(key, generation)))
            return Claim.model_validate_json(data)
        except (FileNotFoundError, ValidationError):
            return None

    def newest(self, key: str) -> tuple[int, Claim | None]:
        """The latest generation of a claim, from 0, and the claim; -1 and None when there is none."""
        names = self.store.ask(lambda: self.store.place.names(f"claims/{key}"))
        numbers = [int(name[:6]) for name in names if name[:6].isdigit()]
        if not numbers:
            return -1, None
        return max(numbers), self.read(key, max(numbers))

    @contextmanager
    def hold(self, key: str, ended: Callable[[], bool]) -> Iterator[Held | None]:
        """Hold a unit; None when it has ended meanwhile.

        Args:
            key: the unit's.
            ended: whether it has ended.

        Raises:
            TakenError: when somebody else holds it and lives.
        """
        generation = self._take(key, ended)
        if generation is None:
            yield None
            return
        held, done = Held(self, key, generation), False
        try:
            yield None if ended() else held
            done = True
        finally:
            held.release(done)

    def _take(self, key: str, ended: Callable[[], bool]) -> int | None:
        if self._create(key, 0):
            return 0
        seen: tuple[int, Claim | None] | None = None
        since = self._clock()
        while not ended():
            found = self.newest(key)
            number, claim = found
            if number < 0 or (claim is not None and (claim.released or gone(claim.holder))):
                if self._create(key, number + 1):
                    return number + 1
                continue
            if seen is None:
                seen, since = found, self._clock()
            elif seen != found:
                raise TakenError(f"{key[:12]}: another worker trains it")
            elif self._clock() - since >= MISSED * self.beat:
                if self._create(key, number + 1):
                    return number + 1
                seen = None
                continue
            self._sleep(self.beat)
        return None

    def _create(self, key: str, generation: int) -> bool:
        claim = Claim(holder=self.holder, beat=0)
        name, data = self.name(key, generation), claim.model_dump_json().encode()
        try:
            if self.store.ask(lambda: self.store.place.create(name, data), name):
                return True
        except FileNotFoundError as error:
            raise InputError("there is no such store", field="store", found=self.store.address) from error
        mine = self.read(key, generation)  # an answer may have been lost on its way
        return mine is not None and mine.holder == self.holder
