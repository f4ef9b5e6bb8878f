"""Figures of many submissions, counted together: a hundred arms of one design cost little more than one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from benchmark.arm import Arm, Trial
from benchmark.board import figures
from benchmark.board.figures import Figures
from benchmark.board.reading import Reading

TOGETHER = 50
"""Submissions whose figures are counted together, when the first of them is asked for."""

Known = dict[Trial, dict[str, Figures]]
"""Figures of the arms of some trials, by protocol."""


def counted(reading: Reading, submissions: Iterable[str]) -> Known:
    """Figures of all arms of all versions of some submissions; those tested on the same images are counted together."""
    lines = [line for name in submissions for line in reading.by_submission[name]]
    alike: dict[Any, list[tuple[Trial, Arm]]] = defaultdict(list)
    for line in lines:
        for arm in line.arms.values():
            if places := arm.full:
                dataset = arm.records[places[0]]["dataset"]
                alike[dataset["manifest"], dataset["group"], places].append((line.trial, arm))
    found: dict[tuple[Trial, str], Figures] = {}
    for (*_, places), members in alike.items():
        shown = figures.of(reading.results, [arm for _, arm in members], places)
        found |= {(trial, arm.protocol): one for (trial, arm), one in zip(members, shown, strict=True)}
    return {
        line.trial: {name: found[line.trial, name] for name in reading.protocols([line]) if (line.trial, name) in found}
        for line in lines
    }
