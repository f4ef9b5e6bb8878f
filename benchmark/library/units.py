"""Units: run what is missing, and what is recorded of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from benchmark import asked
from benchmark.comparison import known
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.protocol import ordered
from benchmark.records import Record
from benchmark.results import Results
from benchmark.workspace import folder


class UnitResult(NamedTuple):
    """What the ledger says of one unit.

    Attributes:
        key: hash of all that decides the result; `predictions` are stored under it.
        submission: its name.
        protocol: the protocol that ends here.
        target: the dataset that is scored.
        track: name of the track.
        fold: from 0.
        repeat: from 0.
        status: `scored`, or `failed` where the submission's model failed.
        macro_f1: mean of F1 over the classes of the test part, in parts of 1; None where it failed.
        accuracy: part of the test images that are right; None where it failed.
        seconds: that the training took.
        failure: kind of the failure, as `nan` or `out-of-memory`; empty where it was scored.
        record: the whole record: scores by class, confusion, versions, device, hashes. Not to be changed.
    """

    key: str
    submission: str
    protocol: str
    target: str
    track: str
    fold: int
    repeat: int
    status: str
    macro_f1: float | None
    accuracy: float | None
    seconds: float
    failure: str
    record: Record


def result_of(record: Record) -> UnitResult:
    """A unit's record as a result."""
    scored = record["status"] == "scored"
    return UnitResult(
        key=record["key"],
        submission=record["submission"]["name"],
        protocol=record["arm"],
        target=record["dataset"]["name"],
        track=record["track"]["name"],
        fold=record["fold"],
        repeat=record["repeat"],
        status=record["status"],
        macro_f1=record["scores"]["macro_f1"] if scored else None,
        accuracy=record["scores"]["accuracy"] if scored else None,
        seconds=record["seconds"],
        failure="" if scored else record["failure"]["kind"],
        record=record,
    )


def units(
    workspace: Path | str | None = None, *, track: str | None = None, submissions: Sequence[str] | None = None
) -> list[UnitResult]:
    """What a ledger says of its units, by submission, target, protocol, repeat and fold. Nothing is run.

    Args:
        workspace: its folder; default: `KARYOBENCH_WORKSPACE`, else `karyobench-workspace`.
        track: only of this one.
        submissions: only of these.

    Raises:
        InputError: for a submission without a record.
        IntegrityError: for a ledger that cannot be read.

    Example:
        ```python
        from benchmark import units

        best = max(units("leaderboard", track="pocket"), key=lambda unit: unit.macro_f1 or 0)
        ```
    """
    ledger = Ledger(folder(workspace) / "ledger")
    results = Results(ledger, track)
    known(ledger, results, submissions or ())
    found = [
        arm.records[place]
        for trial, arms in sorted(results.trials.items())
        if not submissions or trial.submission in submissions
        for arm in (arms[name] for name in ordered(arms))
        for place in sorted(arm.records)
    ]
    return [result_of(record) for record in found]


def run(
    submission: Path | str | Sequence[str],
    track: str = "pocket",
    *,
    protocols: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    folds: Sequence[int] | None = None,
    repeats: Sequence[int] | None = None,
    workspace: Path | str | None = None,
    sandbox: str = "process",
    device: str = "auto",
    jobs: int | None = None,
    threads: int = 1,
    offline: bool = False,
    retry_failed: bool = False,
    progress: Callable[[float, int], None] | None = None,
) -> list[UnitResult]:
    """Train and score what is missing of a submission, and give the results that were asked for.

    What is in the ledger is not trained again, and a run that was stopped goes on; the same call as `karyobench run`.

    Args:
        submission: name of a shipped one, path of a folder, or several.
        track: name or path of a track.
        protocols: default: scratch, imagenet, two-step.
        targets: default: all of the track.
        sources: chains of datasets as `sim-q+sim-g`, for the protocols that take one; default: the track's.
        folds: from 0; default: the track's.
        repeats: from 0; default: the track's.
        workspace: its folder; default: `KARYOBENCH_WORKSPACE`, else `karyobench-workspace`.
        sandbox: where the submitted code runs: `process`, a process of yours, for your own code only; `docker`, a
            container without network (docs/security.md).
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        jobs: units at once; default: as many as processors and memory, or a GPU's memory, allow.
        threads: processor threads a unit; changes the last bits of a result.
        offline: never ask the hub for weights.
        retry_failed: train units again whose model failed.
        progress: told about once a second how many training images are done, and how many there are.

    Returns:
        One result a protocol, target, fold and repeat, in the order of the plan, those that were done before
        included. What cannot run is left out.

    Raises:
        InputError: for anything unknown, or when nothing of it could be run; says why.
        InfrastructureError: when the machine failed; what is finished is kept, and the same call goes on.

    Example:
        ```python
        from benchmark import run

        [result] = run("submissions/my-net", "smoke", protocols=["scratch"], targets=["sim-q"])
        result.macro_f1
        ```
    """
    names = [submission] if isinstance(submission, str | Path) else list(submission)
    campaign, plan = asked.prepare(
        [str(name) for name in names], track, folder(workspace), protocols, targets, folds, repeats,
        fetch=not offline, source=sources,
    )  # fmt: skip

    def show(state: Any) -> None:
        if progress:
            progress(state.images_done, state.images)

    asked.execute(
        campaign, campaign.todo(plan, retry_failed), device=device, jobs=jobs, threads=threads, sandbox=sandbox,
        command=f"benchmark.run({', '.join(map(repr, map(str, names)))}, {track!r})",
        showing=lambda: nullcontext(show),
    )  # fmt: skip
    records = campaign.ledger.by_key()
    wanted = dict.fromkeys(plan.classifiers.values())
    found = [result_of(records[key]) for key in wanted if key in records]
    if not found:
        reasons = "; ".join(f"{', '.join(what)}: {reason}" for reason, what in plan.blocked().items())
        raise InputError(f"nothing could be run: {reasons}")
    return found
