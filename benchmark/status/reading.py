"""Finding the state of a run, and whether its head still lives.

On its own machine a head is told by its process. On another, by its beat: whoever finds that the last one is older
than it should be, or of the future, waits for the next. So a clock that is wrong makes no head dead.
"""

from __future__ import annotations

import datetime
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pydantic import ValidationError

from benchmark.errors import InputError
from benchmark.status.model import RunState
from benchmark.status.tracker import PUBLISHED, head

Life = Literal["alive", "ended", "dead"]

LATE = 5
"""Beats that may be missing before a head is looked at again."""


class Source(Protocol):
    """Where states are: a folder, or a store."""

    @property
    def every(self) -> float:
        """Seconds between two beats there, at least."""

    def names(self) -> Sequence[str]:
        """Files, oldest run first."""

    def read(self, name: str) -> bytes:
        """A file's bytes."""


class Folder(NamedTuple):
    """`runs` of a workspace."""

    path: Path
    every: float = 0.0

    def names(self) -> Sequence[str]:
        """See `Source`."""
        return sorted(path.name for path in self.path.glob("*.json") if not path.name.startswith("."))

    def read(self, name: str) -> bytes:
        """See `Source`."""
        return (self.path / name).read_bytes()


class InStore(NamedTuple):
    """States that heads published.

    Attributes:
        list_names: names of all.
        read_bytes: of one.
    """

    list_names: Callable[[], Sequence[str]]
    read_bytes: Callable[[str], bytes]
    every: float = PUBLISHED

    def names(self) -> Sequence[str]:
        """See `Source`."""
        return sorted(self.list_names())

    def read(self, name: str) -> bytes:
        """See `Source`."""
        return self.read_bytes(name)


class Found(NamedTuple):
    """A state, and what is known of its head."""

    state: RunState
    life: Life


def parse(name: str, data: bytes) -> RunState:
    """A state from its file.

    Raises:
        InputError: when it is none, or of another version.
    """
    try:
        return RunState.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise InputError(
            f"not the state of a run: {first['msg'].lower()}", file=name, field=field,
            hint="It is of another version of this program, or damaged",
        ) from error  # fmt: skip


def find(source: Source, run: str | None = None, wait: Callable[[float], None] = time.sleep) -> Found:
    """One run, and whether its head lives.

    Args:
        source: where states are.
        run: its name, or how that begins; default: the newest whose head lives, else the newest.
        wait: for another beat.

    Raises:
        InputError: when there is none, or several begin so.
    """
    names = source.names()
    known = [name.removesuffix(".json") for name in names]
    if not names:
        raise InputError("no run is known here", hint="Run: karyobench run")
    if run is not None:
        chosen = [name for name in known if name.startswith(run)]
        if len(chosen) != 1:
            problem = "no run of this name" if not chosen else "several runs begin so"
            raise InputError(problem, field="RUN", found=run, allowed=chosen or known)
        return _found(source, f"{chosen[0]}.json", wait)
    newest = _found(source, names[-1], wait)
    if newest.life == "alive":
        return newest
    for name in reversed(names[:-1]):
        state = parse(name, source.read(name))
        if not state.ended and (found := _found(source, name, wait)).life == "alive":
            return found
    return newest


def _found(source: Source, name: str, wait: Callable[[float], None]) -> Found:
    state = parse(name, source.read(name))
    if state.ended:
        return Found(state, "ended")
    here = own_life(state)
    if here is not None:
        return Found(state, "alive" if here else "dead")
    if on_time(state, source.every):
        return Found(state, "alive")
    wait(2 * max(state.every, source.every) + 1.0)
    later = parse(name, source.read(name))
    return Found(later, "ended" if later.ended else "alive" if later.beat > state.beat else "dead")


def own_life(state: RunState) -> bool | None:
    """Whether a head of this machine lives; None where it is of another machine, or of another name space of processes."""
    mine = head()
    if state.head.host != socket.gethostname():
        return None
    if state.head.boot != mine.boot:
        return False
    try:
        stat = Path(f"/proc/{state.head.pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False
    return stat[0] not in "ZX" and float(stat[19]) == state.head.started


def on_time(state: RunState, every: float) -> bool:
    """Whether a head wrote as lately as it should have, by the clocks of both machines."""
    age = (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(state.beaten)).total_seconds()
    return -state.every <= age <= LATE * max(state.every, every)
