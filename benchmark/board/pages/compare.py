"""The page that compares any two submissions, and what it reads: who there is, and the counts of each.

The statistics run in the reader's browser (`static/crossed.js`, `static/pigeonhole.js`), since the
pairs are too many to write down. They are those of `benchmark.stats`, for one comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.board.detail_model import Counts, Tallies
from benchmark.board.model import Board
from benchmark.board.pages.frame import render, script
from benchmark.data.manifest import CLASSES
from benchmark.wording import protocol_name

Ints = npt.NDArray[np.int64]


def files(board: Board) -> Iterator[tuple[str, bytes]]:
    """The page and the list of submissions that its pickers offer."""
    yield "compare.html", render("compare.html", root="", page="compare", board=board)
    yield "data/submissions.js", script("submissions", submissions(board))


def submissions(board: Board) -> dict[str, Any]:
    """What can be compared: tracks, and by submission which targets and protocols have a score.

    Returns:
        `names`, `titles` and `has` are of one length; `has` points into `sets`, where every
        combination of tracks, targets and protocols stands once: track to target to protocols.
    """
    titles: dict[str, str] = {}
    arms: dict[str, dict[str, dict[str, list[str]]]] = {}
    for row in board.rows:
        scored = [protocol for protocol, result in row.results.items() if result.macro_f1]
        if scored:
            titles.setdefault(row.submission, row.title)
            arms.setdefault(row.submission, {}).setdefault(row.track, {})[row.target] = scored
    places: dict[str, int] = {}
    sets: list[dict[str, dict[str, list[str]]]] = []
    has = []
    for found in arms.values():
        place = places.setdefault(repr(found), len(sets))
        if place == len(sets):
            sets.append(found)
        has.append(place)
    return {
        "tracks": [
            {"label": t.label, "title": t.title, "simulated": t.simulated, "targets": t.targets, "protocols": t.protocols}
            for t in board.tracks
        ],
        "stains": {d.name: d.stain for t in board.tracks for d in t.datasets},
        "classes": board.classes,
        "words": {name: protocol_name(name) for name in board.protocols},
        "names": list(arms),
        "titles": [titles[name] for name in arms],
        "has": has,
        "sets": sets,
    }  # fmt: skip


def tallies_file(tallies: Tallies) -> tuple[str, bytes]:
    """The counts of one submission on one track, as (path, content), for `static/tallies.js`.

    Mistakes are rare, so that a file holds only where they are: places in the order
    [repeat][group][class] of true images that were missed and of images that were claimed wrongly, each as
    the gap to the one before, a place with several as often as it has them. True images stand once for all
    protocols of a target, and rows that several groups share once.

    Raises:
        ValueError: when more is hit than is there or claimed, or lists are not of the shape they announce.
    """
    truths: list[dict[str, Any]] = []
    seen: dict[tuple[int, ...], int] = {}
    arms = []
    for counts in tallies.counts:
        misses, extras = _differences(counts, f"{tallies.submission}, {counts.protocol} on {counts.target}")
        if counts.true not in seen:
            seen[counts.true] = len(truths)
            truths.append(_truth(counts.true, counts.groups))
        arms.append({
            "target": counts.target, "protocol": counts.protocol, "folds": counts.folds,
            "numbers": counts.fold_numbers, "repeats": counts.repeats, "truth": seen[counts.true],
            "misses": _gaps(misses), "extras": _gaps(extras),
        })  # fmt: skip
    name = f"tallies/{tallies.track}/{tallies.submission}"
    return f"data/{name}.js", script(name, {"manifests": tallies.manifests, "truths": truths, "arms": arms})


@lru_cache(maxsize=64)
def _truth(true: tuple[int, ...], groups: int) -> dict[str, list[Any]]:
    """True images by group and class, rows that several groups share once: the same for all who were tested on them."""
    rows, of = np.unique(np.array(true).reshape(groups, -1), axis=0, return_inverse=True)
    return {"rows": rows.tolist(), "of": of.ravel().tolist()}


def _differences(counts: Counts, where: str) -> tuple[Ints, Ints]:
    """Missed and wrongly claimed images, shape (repeats × groups × classes,)."""
    true, hits, claimed = (np.array(part, dtype=np.int64) for part in (counts.true, counts.hits, counts.claimed))
    cells = counts.groups * len(CLASSES)
    wanted = len(counts.repeats) * cells
    if (true.size, hits.size, claimed.size) != (cells, wanted, wanted) or sum(counts.folds) != counts.groups:
        raise ValueError(
            f"{where}: {true.size}, {hits.size} and {claimed.size} counts; allowed: {cells}, {wanted}, {wanted}"
        )
    misses, extras = np.tile(true, len(counts.repeats)) - hits, claimed - hits
    if min(hits.min(initial=0), misses.min(initial=0), extras.min(initial=0)) < 0:
        raise ValueError(f"{where}: more hits than true or claimed images, or a negative count")
    return misses, extras


def _gaps(counts: Ints) -> list[int]:
    places = np.flatnonzero(counts)
    ends = np.repeat(places, counts[places]).tolist()
    return [end - start for start, end in pairwise([0, *ends])]
