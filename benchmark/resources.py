"""Where the files that travel with the package are, editable install or not.

In a checkout they are the top-level folders; in a wheel they are packed below
`benchmark/_shipped`. This is the only module that knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from benchmark.errors import InputError

PACKAGE = Path(__file__).resolve().parent

Kind = Literal["submissions", "datasets", "leaderboard"]


def shipped(kind: Kind) -> Path:
    """Folder of the shipped submissions, datasets or leaderboard."""
    packed = PACKAGE / "_shipped" / kind
    return packed if packed.is_dir() else PACKAGE.parent / kind


def tracks() -> Path:
    """Folder of the shipped tracks."""
    return PACKAGE / "tracks"


def named(kind: Kind, name: str, marker: str) -> Path:
    """Folder of one shipped thing.

    Args:
        kind: which folder to look in.
        name: the thing's name.
        marker: the file that makes a folder one of these.

    Raises:
        InputError: when there is none of that name; lists those there are.
    """
    known = names(kind, marker)
    if name not in known:
        raise InputError(f"no {kind.removesuffix('s')} of this name", found=name, allowed=known or "(none)")
    return shipped(kind) / name


def names(kind: Kind, marker: str) -> list[str]:
    """Names of all shipped things of one kind, sorted."""
    return sorted(path.parent.name for path in shipped(kind).glob(f"*/{marker}"))
