"""Which units share a process: pure functions, the same for every engine that packs.

Units of one submission are put together where that leaves no process idle, so that a submission that takes its
process with it takes its own units first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmark.plan import Unit


@dataclass(eq=False)
class Pack:
    """Units that run in one process.

    Args:
        units: by key.
        closed: whether no other may join.
    """

    units: dict[str, Unit] = field(default_factory=dict)
    closed: bool = False


P = TypeVar("P", bound=Pack)


def fair(units: int, packs: int, most: int) -> int:
    """Units of each pack, so that none is full while another is empty.

    Args:
        units: that can run now.
        packs: there are.
        most: of one pack.
    """
    return max(1, min(most, math.ceil(units / max(1, packs))))


def choose(packs: Iterable[P], unit: Unit, quota: int) -> P | None:
    """The pack that a unit joins: one with units of the same submission, else that with fewest units; None when all are full.

    Args:
        packs: to choose from.
        unit: that may share a process.
        quota: units of one pack; see `fair`.
    """
    found = [pack for pack in packs if not pack.closed and len(pack.units) < quota]
    return min(found, key=lambda pack: (not _knows(pack, unit), len(pack.units)), default=None)


def _knows(pack: Pack, unit: Unit) -> bool:
    return any(other.submission == unit.submission for other in pack.units.values())


def room(packs: Sequence[list[Unit]], unit: Unit, most: int, alone: Callable[[Unit], bool]) -> list[Unit] | None:
    """The pack that a unit joins where packs are made before they start: one of its own submission, not full.

    Args:
        packs: made so far.
        unit: the next by the schedule.
        most: units of one pack.
        alone: whether a unit shares no process.
    """
    if alone(unit):
        return None
    return next(
        (
            pack
            for pack in reversed(packs)
            if len(pack) < most and pack[0].submission == unit.submission and not alone(pack[0])
        ),
        None,
    )
