"""States of runs in an artefact store, where those look who cannot see the head's workspace."""

from __future__ import annotations

from benchmark.artefacts.patience import Patience
from benchmark.artefacts.store import Artefacts
from benchmark.status.model import RUNS
from benchmark.status.reading import InStore
from benchmark.status.tracker import Publish

PATIENCE = 15.0
"""Seconds that one who looks waits for a store that does not answer."""


def publisher(artefacts: Artefacts) -> Publish:
    """Writes states into a store, without patience: the next beat tries again."""
    return lambda name, data: artefacts.place.write(f"{RUNS}/{name}", data)


def source(address: str) -> InStore:
    """The states of a store.

    Raises:
        InputError: when the address is none.
    """
    found = Artefacts(address, Patience(PATIENCE))
    return InStore(
        lambda: [name for name in found.ask(lambda: found.place.names(RUNS)) if name.endswith(".json")],
        lambda name: found.ask(lambda: found.place.read(f"{RUNS}/{name}"), name),
    )
