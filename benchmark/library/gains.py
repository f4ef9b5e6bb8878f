"""Scores and gains of a ledger with their verdicts, as `karyobench compare` prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.comparison import compared, known
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.library.predictions import trial_of
from benchmark.protocol import BASELINE, TWO_STEP
from benchmark.results import Results
from benchmark.workspace import folder


class Score(NamedTuple):
    """Macro-F1 of one protocol of a submission on a target, in parts of 1.

    Attributes:
        submission: its name.
        version: of the submission: hashes of its model and of its code.
        track: its name, with the version where the ledger holds several of one name.
        target: the dataset.
        protocol: as `two-step`.
        value: mean over the full repeats; None where nothing was scored.
        low: of the 95 % interval; None where none can be given.
        high: the same.
        trainings: how many it rests on.
        failed: kinds of the failures, one a training that failed.
        withdrawn: whether the version is off the board.
        simulated: whether the images say nothing about people.
        pinned: whether all weights have a fixed hash.
    """

    submission: str
    version: str
    track: str
    target: str
    protocol: str
    value: float | None
    low: float | None
    high: float | None
    trainings: int
    failed: tuple[str, ...]
    withdrawn: bool
    simulated: bool
    pinned: bool


class Gain(NamedTuple):
    """A gain of macro-F1 with its verdict, in parts of 1.

    Attributes:
        submission: its name.
        version: of the submission: hashes of its model and of its code; empty for predictions at hand.
        track: name of the track.
        target: the dataset.
        protocol: the arm.
        over: what it is held against.
        value: the gain, mean over repeats.
        low: of the 95 % interval, of this gain alone; None where none can be given.
        high: the same.
        interval: what the interval speaks of: `trainings and groups`, or `groups` (of these very trainings), or `none`.
        verdict: `better`, `worse`, `equivalent`, `undecided`, or `withheld` where the design is too small.
        p: adjusted over the family; 1 where the verdict is withheld.
        p_alone: two-sided, of this gain alone: the larger of the two-way t test and the pigeonhole bootstrap; None where
            there is one training or one group.
        p_equivalent: of the gain being outside ± half a point, adjusted.
        family: how many gains p is adjusted for.
        adjustment: `Holm`, or `Benjamini-Hochberg` for what was not registered beforehand.
        exploratory: whether the question was not registered beforehand.
        smallest: the smallest gain that this design finds four times in five; None where nothing can be tested.
        repeats_for_point: repeats that would find one point so; 0: more groups are needed; None: not known.
        trainings: of each arm.
        groups: cases or cells.
        needs: what a verdict takes; empty where there is one.
        transfer: `yes`, `no` or `not tested` for a better two-step: whether it also stands over `imagenet-long`; else empty.
        sentence: all of it in words.
    """

    submission: str
    version: str
    track: str
    target: str
    protocol: str
    over: str
    value: float
    low: float | None
    high: float | None
    interval: str
    verdict: str
    p: float
    p_alone: float | None
    p_equivalent: float
    family: int
    adjustment: str
    exploratory: bool
    smallest: float | None
    repeats_for_point: int | None
    trainings: int
    groups: int
    needs: str
    transfer: str
    sentence: str


class Comparison(NamedTuple):
    """What a ledger says as a whole.

    Attributes:
        scores: of every submission, target and protocol.
        gains: those that can be estimated.
        refused: those that cannot, each in a sentence.
        ranks: submissions by target, best first, with intervals; plain data.
        general: answers to whether the protocol helps at all, over all submissions; plain data.
    """

    scores: list[Score]
    gains: list[Gain]
    refused: list[str]
    ranks: list[dict[str, Any]]
    general: list[dict[str, Any]]


def _number(value: float) -> float | None:
    return value if value == value else None


def _score(row: dict[str, Any], protocol: str, entry: dict[str, Any]) -> Score:
    found = {name: _number(value) for name, value in entry.get("macro_f1", {}).items()}
    return Score(
        submission=row["submission"], version=row["version"], track=row["track"], target=row["target"],
        protocol=protocol, value=found.get("value"), low=found.get("low"), high=found.get("high"),
        trainings=entry.get("trainings", 0), failed=tuple(entry["failed"]), withdrawn=row["withdrawn"],
        simulated=row["simulated"], pinned=row["pinned"],
    )  # fmt: skip


def gain_from(row: dict[str, Any], protocol: str, found: dict[str, Any]) -> Gain:
    """A gain of `benchmark.findings.summary` with its types."""
    same = ("over", "value", "interval", "verdict", "family", "adjustment", "exploratory", "trainings", "groups",
            "needs", "sentence")  # fmt: skip
    return Gain(
        submission=row["submission"], version=row["version"], track=row["track"], target=row["target"],
        protocol=protocol, low=_number(found["low"]), high=_number(found["high"]), p=found["p_adjusted"],
        p_alone=found.get("p"), p_equivalent=found["p_equivalent_adjusted"], smallest=found.get("smallest"),
        repeats_for_point=found.get("repeats_for_point"), transfer=found.get("transfer", ""),
        **{name: found[name] for name in same},
    )  # fmt: skip


def compare(
    workspace: Path | str | None = None,
    *,
    track: str | None = None,
    over: str = BASELINE,
    submissions: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Comparison:
    """Every score and gain of a ledger with its verdict, as `karyobench compare` prints them.

    All is computed again from the stored predictions; figures are remembered between calls.

    Args:
        workspace: its folder; default: `KARYOBENCH_WORKSPACE`, else `karyobench-workspace`.
        track: only this one; default: all, which never mix.
        over: the protocol that gains are measured against; by default `imagenet`.
        submissions: only these are listed; p-values are adjusted over all.
        sources: chains as `sim-q+sim-g`: only protocols over these are listed, and those that take none.
        progress: told how many families of gains are done and how many there are.

    Raises:
        InputError: for an unknown protocol or submission, or a ledger without a record.
        IntegrityError: when stored predictions are missing or altered.

    Example:
        ```python
        from benchmark import compare

        for gain in compare("leaderboard").gains:
            print(gain.target, gain.verdict, gain.value, gain.p)
        ```
    """
    found = compared(Ledger(folder(workspace) / "ledger"), track, over, submissions, sources, progress)
    entries = [(row, name, entry) for row in found.rows for name, entry in row["protocols"].items()]
    scores = [_score(*one) for one in entries]
    gains = [gain_from(row, name, entry["gain"]) for row, name, entry in entries if "gain" in entry]
    return Comparison(scores, gains, found.refused, found.ranks, found.general)


def gain(
    submission: str,
    target: str,
    protocol: str = TWO_STEP,
    *,
    over: str = BASELINE,
    track: str | None = None,
    version: str | None = None,
    workspace: Path | str | None = None,
) -> Gain:
    """Test one gain: value, interval, verdict, p and the smallest gain that the design could have seen.

    The p-value is adjusted over the whole family of the track, as in `compare`.

    Args:
        submission: its name.
        target: the dataset.
        protocol: the arm; by default `two-step`.
        over: the protocol that it is held against; by default `imagenet`.
        track: needed where the ledger holds several with this target.
        version: of the submission, or its beginning; default: the newest that is recorded.
        workspace: its folder; default: `KARYOBENCH_WORKSPACE`, else `karyobench-workspace`.

    Raises:
        InputError: when there is no such gain, or it cannot be estimated: both arms must have scored all folds of a
            repeat, on two groups or more.
        IntegrityError: when stored predictions are missing or altered.

    Example:
        ```python
        from benchmark import gain

        found = gain("tf-efficientnet-lite0", "cir-g", track="pocket", workspace="leaderboard")
        found.verdict, found.value, found.low, found.high, found.p
        ```
    """
    ledger = Ledger(folder(workspace) / "ledger")
    results = Results(ledger, track)
    known(ledger, results, [submission])
    trial = trial_of(results, submission, target, version)
    own = sorted(one for one in results.trials if one.submission == submission)
    row = dict(zip(own, compared(ledger, track, over, [submission]).rows, strict=True))[trial]
    entry = row["protocols"].get(protocol, {})
    if "gain_error" in entry:
        raise InputError(entry["gain_error"])
    if "gain" not in entry:
        shared = [name for name, one in row["protocols"].items() if "gain" in one]
        raise InputError(
            f"no gain of {submission} over {over} on {target}", file=ledger.path, field="protocol", found=protocol,
            allowed=shared or "none: no full repeat is shared",
        )  # fmt: skip
    return gain_from(row, protocol, entry["gain"])


def columns(rows: Iterable[NamedTuple]) -> dict[str, list[Any]]:
    """Results of one kind as plain columns, for a data frame: `pandas.DataFrame(columns(...))`.

    Args:
        rows: `UnitResult`, `Score` or `Gain`, all of one kind. A unit's whole record is left out.

    Example:
        ```python
        from benchmark import columns, compare

        table = columns(compare("leaderboard").scores)
        table["protocol"], table["value"]
        ```
    """
    plain = [one._asdict() for one in rows]
    names = [name for name in (plain[0] if plain else {}) if name != "record"]
    return {name: [one[name] for one in plain] for name in names}
