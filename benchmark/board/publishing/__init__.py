"""The places that a board and its results can be published to, by name.

Each compares what it holds with what is to be there, and writes only the difference, whole or not at
all. May import nothing of the package but `errors` and `files`.
"""

from __future__ import annotations

from benchmark.board.publishing.base import Change, Place, Plan, Publication, What
from benchmark.board.publishing.folder import Folder
from benchmark.board.publishing.git import GitBranch
from benchmark.board.publishing.hub import Hub
from benchmark.errors import InputError

PLACES: dict[str, type[Place]] = {kind.kind: kind for kind in (Hub, GitBranch, Folder)}

__all__ = ["PLACES", "Change", "Place", "Plan", "Publication", "What", "place"]


def place(text: str, what: What, field: str) -> Place:
    """The place that a text like `hf:owner/name` names.

    Args:
        text: kind and address.
        what: is to be published there.
        field: the option, for errors.

    Raises:
        InputError: for an unknown kind or an address that cannot be.
    """
    kind, colon, address = text.partition(":")
    if not colon or not address or kind not in PLACES:
        allowed = [f"{name}:{one.form}" for name, one in PLACES.items()]
        raise InputError("no place to publish to", field=field, found=text, allowed=allowed)
    return PLACES[kind](address, what)
