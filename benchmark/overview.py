"""Beyond one submission: ranks on a target, and the general question over all submissions.

Only submissions that hold every training of the largest design on a target take part: a joint
bootstrap needs one design, and the fewest trainings of any submission must not set everybody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmark import protocol as protocols
from benchmark.arm import Arm, Place, Trial
from benchmark.protocol import BASELINE, TWO_STEP
from benchmark.results import Pair, Results
from benchmark.stats import general, pigeonhole
from benchmark.stats.design import Design
from benchmark.stats.pseudo import macro
from benchmark.stats.ranks import Rank
from benchmark.stats.ranks import ranks as rank
from benchmark.stats.verdict import RESAMPLES, SPREAD_RESAMPLES, needs

Field = dict[Trial, dict[str, Arm]]

MOST_RANKED = 300
"""Submissions of one target that are ranked: the best by score. Pairs grow as the square, and whoever is
below this many others is told apart from none that matters."""


def _fields(results: Results) -> Iterator[tuple[tuple[str, str], str, Field]]:
    """Trials by frame (see `Trial`) and target; of several versions of a submission the newest counts."""
    keys = sorted({(trial.frame, trial.target, trial.manifest) for trial in results.trials})
    for frame, target, manifest in keys:
        newest: dict[str, Trial] = {}
        for trial in results.trials:
            if (trial.frame, trial.target, trial.manifest) == (frame, target, manifest):
                newest[trial.submission] = trial
        yield frame, target, {trial: results.trials[trial] for _, trial in sorted(newest.items())}


def _largest(sets: Iterable[Sequence[Place]]) -> list[Place]:
    found: Iterable[list[Place]] = map(list, sets)
    return max(found, key=len, default=[])


def ranks(results: Results, protocol: str = TWO_STEP) -> list[dict[str, Any]]:
    """Rank of every submission by macro-F1 of one protocol, by track and target, best first.

    A design too small for a verdict ranks nobody.
    """
    lines = []
    for _, target, field in _fields(results):
        places = {trial: arms[protocol].full for trial, arms in field.items() if protocol in arms}
        wanted = _largest(places.values())
        if not wanted:
            continue
        chosen = [trial for trial, held in places.items() if list(held) == wanted]
        blocks = results.blocks(field[chosen[0]][protocol], wanted)
        design = Design(len({r for r, _ in wanted}), blocks) if len(wanted) > 1 and sum(blocks) > 1 else None
        if design is None or needs(design):
            continue
        best = sorted(chosen, key=lambda trial: -results.score(field[trial][protocol]).value)[:MOST_RANKED]
        chosen = sorted(best)
        hashes = [one for trial in chosen for one in field[trial][protocol].hashes(wanted)]
        found = results.memo.get("ranks", hashes, partial(_ranked, results, field, chosen, protocol, wanted, design))
        named = sorted(
            zip(chosen, (Rank(*one) for one in found), strict=True), key=lambda one: (one[1].rank, -one[1].score)
        )
        lines += [
            {"track": trial.track, "track_digest": trial.track_digest, "era": trial.era, "target": target, "protocol": protocol,
             "submission": trial.submission, **place._asdict()}
            for trial, place in named
        ]  # fmt: skip
    return lines


def _ranked(
    results: Results, field: Field, chosen: list[Trial], protocol: str, wanted: list[Place], design: Design
) -> list[Rank]:
    counts = [results.tally(field[trial][protocol], wanted) for trial in chosen]
    drawn = pigeonhole.draw(design, RESAMPLES, 0)
    some = pigeonhole.first(drawn, SPREAD_RESAMPLES)
    tables = [
        np.stack([pigeonhole.scores(one, design, which) for one in counts])
        for which in (drawn, pigeonhole.only_trainings(some), pigeonhole.only_groups(some))
    ]
    scores = np.array([macro(one).mean() for one in counts])
    return rank(scores, tables[0], tables[1], tables[2], df=min(design.trainings, design.groups) - 1)


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
        protocols.get(name)
    asked: dict[tuple[str, str], list[tuple[Trial, Pair]]] = {}
    for frame, _, field in _fields(results):
        pairs = {trial: pair for trial, arms in field.items() if (pair := results.pair(arms, protocol, baseline))}
        wanted = _largest(pair.places for pair in pairs.values())
        chosen = [(trial, pair) for trial, pair in pairs.items() if pair.places == wanted]
        if not chosen:
            continue
        one = chosen[0][1]
        if one.trainings < 2 or one.groups < 2 or needs(Design(one.repeats, one.blocks)):
            continue
        asked.setdefault(frame, []).extend(chosen)
    lines = []
    for members in asked.values():
        if len({trial.submission for trial, _ in members}) > 1:
            hashes = [one for _, pair in members for one in pair.hashes]
            found = results.memo.get("general", hashes, partial(_answered, results, members))
            track = members[0][0]
            lines += [
                {
                    "track": track.track,
                    "track_digest": track.track_digest,
                    "era": track.era,
                    "protocol": protocol,
                    "over": baseline,
                    **one,
                }
                for one in found
            ]
    return lines


def _answered(results: Results, members: list[tuple[Trial, Pair]]) -> list[dict[str, Any]]:
    designs = {trial.target: Design(pair.repeats, pair.blocks) for trial, pair in members}
    cells = [
        general.Cell(trial.submission, _family(results, results.trials[trial]), trial.target, pair.arm, pair.against)
        for trial, pair in members
    ]
    return [one._asdict() for one in general.answer(cells, designs)]
