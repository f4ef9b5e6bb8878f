"""Readers of official archives, one file a layout.

An importer turns the members of an archive into `RawImage`s and knows nothing else: no manifest,
no folds, no preprocessing. May import numpy and Pillow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from benchmark.data.importers import bioimlab, cir, cir_origin
from benchmark.data.importers.archive import Member, members
from benchmark.data.importers.raw import RawImage

Importer = Callable[[Iterable[Member]], Iterator[RawImage]]

IMPORTERS: dict[str, Importer] = {
    "bioimlab": bioimlab.read,
    "cir": cir.read,
    "cir-origin": cir_origin.read,
}
"""A card's `layout` → the function that reads it. Simulated datasets have none: they are rendered."""

__all__ = ["IMPORTERS", "Importer", "Member", "RawImage", "members"]
