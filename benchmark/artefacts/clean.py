"""Removing blobs that nothing refers to any more, safe against runs that work meanwhile.

A blob is kept while a unit's document names it; while it, or a kit that names it, is younger than the grace time; and, as
long as any run or claim showed a sign of life within that time, while any kit names it. Ages are told by the store's own
clock. Whoever needs a blob that is older than a day writes it again, so that it is young; it is looked at once more just
before it goes. What cannot be read ends the cleaning before anything is removed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from benchmark.artefacts.places import State
from benchmark.artefacts.store import DAY, FRESH, PROBE, Artefacts, MissingError
from benchmark.errors import InfrastructureError, InputError

LEAST = 2 * FRESH
"""Seconds of grace at least: a blob is made young after one day, by clocks that may be wrong by hours."""

READERS = 16
"""Documents that are read at once."""

HASH = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True)
class Survey:
    """What is in a store.

    Args:
        kept: number and bytes of blobs that stay.
        old: names and bytes of those that can go, and of what killed writers left.
        kits: kits that no run uses any more.
        living: whether a run or a claim showed a sign of life within the grace time.
        before: moment, by the store's clock, before which a blob is old.
    """

    kept: tuple[int, int]
    old: dict[str, int] = field(default_factory=dict)
    kits: tuple[str, ...] = ()
    living: bool = False
    before: float = 0.0


def survey(store: Artefacts, grace: float) -> Survey:
    """Find what can go; changes nothing but the store's probe.

    Args:
        store: the store.
        grace: seconds.

    Raises:
        InputError: when the grace time is too short, or there is no store at the address.
        IntegrityError: for a document that is none.
        InfrastructureError: when the store does not answer.
    """
    if not grace >= LEAST:
        raise InputError("too short", field="--days", found=grace / DAY, allowed=f"{LEAST / DAY:g} or more")
    blobs = _listed(store, "blobs")  # first, so that a document that comes meanwhile is read
    if not blobs and not _listed(store, "units"):
        raise InputError("there is no store", field="store", found=store.address)
    before = _now(store) - grace
    living = any(state.modified >= before for folder in ("runs", "claims") for state in _listed(store, folder).values())
    kits = {name.removeprefix("kits/"): state.modified for name, state in _listed(store, "kits").items()}
    done = tuple(sorted(kit for kit, used in kits.items() if used < before and not living))
    wanted = _named(store, kits.keys() - set(done)) | _of_units(store)
    old = {
        name: state.size
        for name, state in blobs.items()
        if state.modified < before and name.rpartition("/")[2] not in wanted
    }
    stays = [state.size for name, state in blobs.items() if name not in old]
    return Survey((len(stays), sum(stays)), old, done, living, before)


def remove(store: Artefacts, found: Survey) -> dict[str, int]:
    """Remove what a survey found, but for what has become young since.

    Returns:
        Names and bytes of what is gone.

    Raises:
        InfrastructureError: when the store does not answer; what is gone is gone.
    """
    for kit in found.kits:
        if _old(store, f"kits/{kit}", found.before):
            store.ask(partial(store.place.delete, f"kits/{kit}"))
    gone = {}
    for name, size in found.old.items():
        if _old(store, name, found.before):
            store.ask(partial(store.place.delete, name))
            gone[name] = size
    return gone


def _old(store: Artefacts, name: str, before: float) -> bool:
    state = store.ask(lambda: store.place.state(name))
    return state is not None and state.modified < before


def _listed(store: Artefacts, folder: str) -> dict[str, State]:
    return store.ask(lambda: dict(store.place.walk(folder)), folder)


def _now(store: Artefacts) -> float:
    """The time by the store's clock."""
    store.check()
    state = store.ask(lambda: store.place.state(PROBE))
    if state is None or state.modified > time.time() + 365 * DAY:
        raise InfrastructureError(f"{store.address}: the store does not tell how old things are")
    return state.modified


def _named(store: Artefacts, kits: Iterable[str]) -> set[str]:
    """Kits that are there, and every hash in them."""
    found = set()
    for kit in kits:
        try:
            found |= {kit, *(one.decode() for one in HASH.findall(store.get(kit)))}
        except MissingError:
            continue
    return found


def _of_units(store: Artefacts) -> set[str]:
    def hashes(key: str) -> list[str]:
        document = store.document(key)
        named = (document.result, document.checkpoint, document.logits) if document else ()
        return [one for one in named if one]

    with ThreadPoolExecutor(READERS) as pool:
        return {one for found in pool.map(hashes, sorted(store.finished())) for one in found}
