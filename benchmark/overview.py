"""Beyond one submission: ranks on a target, and the general question over all submissions.

Only submissions that hold every training of the largest design on a target take part: a joint
bootstrap needs one design, and the fewest trainings of any submission must not set everybody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmark.errors import InputError
from benchmark.protocol import BASELINE, PROTOCOLS, TWO_STEP
from benchmark.results import Arm, Pair, Place, Results, Trial
from benchmark.stats import general, pigeonhole
from benchmark.stats.design import Design
from benchmark.stats.pseudo import Tally, macro, tally
from benchmark.stats.ranks import ranks as rank
from benchmark.stats.verdict import RESAMPLES, SPREAD_RESAMPLES, needs

Field = dict[Trial, dict[str, Arm]]


class Entry(NamedTuple):
    """One submission's arm on a target."""

    trial: Trial
    counts: Tally


def _fields(results: Results) -> Iterator[tuple[str, str, Field]]:
    """Trials by track version and target; of several versions of a submission the newest counts."""
    keys = sorted({(trial.track_digest, trial.target, trial.manifest) for trial in results.trials})
    for digest, target, manifest in keys:
        newest: dict[str, Trial] = {}
        for trial in results.trials:
            if (trial.track_digest, trial.target, trial.manifest) == (digest, target, manifest):
                newest[trial.submission] = trial
        yield digest, target, {trial: results.trials[trial] for _, trial in sorted(newest.items())}


def _largest(sets: list[list[Place]]) -> list[Place]:
    return max(sets, key=len, default=[])


def ranks(results: Results, protocol: str = TWO_STEP) -> list[dict[str, Any]]:
    """Rank of every submission by macro-F1 of one protocol, by track and target, best first.

    A design too small for a verdict ranks nobody.
    """
    lines = []
    for _, target, field in _fields(results):
        places = {
            trial: results.full_repeats(arms[protocol].scored) for trial, arms in field.items() if protocol in arms
        }
        wanted = _largest(list(places.values()))
        if not wanted:
            continue
        chosen = [trial for trial, held in places.items() if held == wanted]
        blocks = results.blocks(field[chosen[0]][protocol], wanted)
        design = Design(len({r for r, _ in wanted}), blocks) if len(wanted) > 1 and sum(blocks) > 1 else None
        if design is None or needs(design):
            continue
        entries = [Entry(trial, tally(results.matrices(field[trial][protocol], wanted))) for trial in chosen]
        drawn = pigeonhole.draw(design, RESAMPLES, 0)
        some = pigeonhole.first(drawn, SPREAD_RESAMPLES)
        tables = [
            np.stack([pigeonhole.scores(one.counts, design, which) for one in entries])
            for which in (drawn, pigeonhole.only_trainings(some), pigeonhole.only_groups(some))
        ]
        scores = np.array([macro(one.counts).mean() for one in entries])
        found = rank(scores, tables[0], tables[1], tables[2], df=min(design.trainings, design.groups) - 1)
        named = sorted(zip(entries, found, strict=True), key=lambda pair: (pair[1].rank, -pair[1].score))
        lines += [
            {"track": one.trial.track, "target": target, "protocol": protocol, "submission": one.trial.submission, **place._asdict()}
            for one, place in named
        ]  # fmt: skip
    return lines


def _family(results: Results, arms: dict[str, Arm]) -> str:
    record = next(record for arm in arms.values() for record in arm.records.values())
    code = record["submission"].get("document")
    return (results.ledger.document("submissions", code).get("family") if code else None) or "other"


def answers(results: Results, protocol: str = TWO_STEP, baseline: str = BASELINE) -> list[dict[str, Any]]:
    """Answers of each track to the general question: does the protocol help, and where more?

    Raises:
        InputError: for an unknown protocol.
    """
    for name in (protocol, baseline):
        if name not in PROTOCOLS:
            raise InputError("no such protocol", field="protocol", found=name, allowed=tuple(PROTOCOLS))
    cells: dict[str, list[general.Cell]] = {}
    designs: dict[str, dict[str, Design]] = {}
    tracks: dict[str, str] = {}
    for digest, target, field in _fields(results):
        pairs: dict[Trial, Pair] = {}
        for trial, arms in field.items():
            pair = results.pair(arms, protocol, baseline)
            if pair:
                pairs[trial] = pair
        wanted = _largest([pair.places for pair in pairs.values()])
        chosen = {trial: pair for trial, pair in pairs.items() if pair.places == wanted}
        if not chosen:
            continue
        one = next(iter(chosen.values()))
        if one.trainings < 2 or one.groups < 2 or needs(Design(one.repeats, one.blocks)):
            continue
        designs.setdefault(digest, {})[target] = Design(one.repeats, one.blocks)
        tracks[digest] = next(iter(chosen)).track
        cells.setdefault(digest, []).extend(
            general.Cell(trial.submission, _family(results, field[trial]), target, pair.arm, pair.against)
            for trial, pair in chosen.items()
        )
    return [
        {"track": tracks[digest], "protocol": protocol, "over": baseline, **found._asdict()}
        for digest, members in cells.items()
        if len({cell.submission for cell in members}) > 1
        for found in general.answer(members, designs[digest])
    ]
