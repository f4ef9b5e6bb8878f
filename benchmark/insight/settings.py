"""The settings of a track's document, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def settings(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A document as (setting, value), nested ones with dots: `recipe.augment.bend`."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
