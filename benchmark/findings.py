"""What a ledger says: every score and gain of a track, with verdicts over whole families.

The family of a track, fixed before any result is seen, is two-step over imagenet for every
submission and target (Holm). A filter never makes it smaller. Every other contrast is exploratory
(Benjamini-Hochberg) and marked so. A gain is called *transfer* only when two-step is better than
imagenet and than imagenet-long, its control for more training.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from benchmark import conditional
from benchmark import protocol as protocols
from benchmark.arm import Arm, Trial, ended
from benchmark.errors import InputError
from benchmark.protocol import BASELINE, LONG, TWO_STEP
from benchmark.results import Pair, Results
from benchmark.stats import verdict
from benchmark.stats.bootstrap import Interval, gain_interval
from benchmark.stats.design import Design, Variances
from benchmark.stats.pigeonhole import Draws, draw
from benchmark.stats.verdict import Contrast, Verdict
from benchmark.versions import present
from benchmark.wording import sentence

LEAST_GROUPS = 2
"""Of fewer groups nothing can be said of others, not even an interval around a difference."""

REGISTERED = (TWO_STEP, BASELINE)
"""The contrast whose verdicts a track promises."""

Question = tuple[str, str]
"""(protocol, baseline)."""


Shape = tuple[int, tuple[int, ...]]
"""Repeats and blocks of a design: pairs of one shape share their draws."""


class Finding(NamedTuple):
    """One contrast of one trial with its verdict.

    `contrast` is None where there is one training or one group, so that nothing can be tested; with
    one group there is no number either, see `refused`.
    """

    pair: Pair
    contrast: Contrast | None
    verdict: Verdict
    exploratory: bool


def contrast(results: Results, pair: Pair, drawn: dict[Shape, Draws]) -> Contrast | None:
    """Everything about a pair's gain; None where there is one training or one group.

    Args:
        results: that hold the pair.
        pair: two arms.
        drawn: resamples by design, which are drawn once and shared.
    """
    if pair.trainings < 2 or pair.groups < LEAST_GROUPS:
        return None

    def compute() -> dict[str, Any]:
        design = Design(pair.repeats, pair.blocks)
        shape = design.repeats, design.blocks
        if shape not in drawn:
            drawn[shape] = draw(design, verdict.RESAMPLES, 0)
        return verdict.contrast(pair.arm, pair.against, design, draws=drawn[shape])._asdict()

    found = results.memo.get("contrast", pair.hashes, compute)
    return Contrast(**{**found, "variances": Variances(*found["variances"])})


def _decide(results: Results, pairs: Sequence[Pair], exploratory: bool, drawn: dict[Shape, Draws]) -> list[Finding]:
    found = [contrast(results, pair, drawn) for pair in pairs]
    tested = [one for one in found if one is not None]
    verdicts = iter(verdict.decide(tested, family=None if exploratory else len(pairs), exploratory=exploratory))
    none = Verdict("withheld", 1.0, 1.0, len(pairs))
    return [
        Finding(pair, one, none if one is None else next(verdicts), exploratory)
        for pair, one in zip(pairs, found, strict=True)
    ]


def pairs(results: Results, arms: dict[str, Arm], baseline: str = BASELINE) -> list[Pair]:
    """The pairs of a trial that are asked about: every protocol over the baseline, and each two-step over its imagenet-long."""
    held = protocols.ordered(arms)
    questions = [(name, baseline) for name in held if name != baseline]
    if baseline == BASELINE:
        questions += [(name, protocols.control_of(name)) for name in held if protocols.base(name) == TWO_STEP]
    return [pair for question in questions if (pair := results.pair(arms, *question))]


def find(
    results: Results, baseline: str = BASELINE, step: Callable[[int, int | None], None] | None = None
) -> dict[tuple[Trial, Question], Finding]:
    """Every contrast over a baseline, and two-step over imagenet-long for the question of transfer.

    Args:
        results: of one whole ledger or track: families are taken over all of it.
        baseline: a protocol.
        step: told how many families are done and how many there are.
    """
    families: dict[tuple[tuple[str, str], tuple[str, str]], list[tuple[Trial, Pair]]] = defaultdict(list)
    for trial, arms in results.trials.items():
        for pair in pairs(results, arms, baseline):
            question = pair.protocol, pair.baseline
            kind = question if question in (REGISTERED, (TWO_STEP, LONG)) else _exploratory(question)
            families[trial.frame, kind].append((trial, pair))
    found = {}
    drawn: dict[Shape, Draws] = {}
    for done, ((_, kind), members) in enumerate(families.items(), 1):
        findings = _decide(results, [pair for _, pair in members], kind[0] == "exploratory", drawn)
        for (trial, pair), finding in zip(members, findings, strict=True):
            found[trial, (pair.protocol, pair.baseline)] = finding
        if step:
            step(done, len(families))
    return found


def _exploratory(question: Question) -> Question:
    """The family of a comparison that is not the track's own; gains over controls of longer training are one of their own."""
    return "exploratory", protocols.base(question[1])


def transfer(found: dict[tuple[Trial, Question], Finding], trial: Trial, name: str = TWO_STEP) -> str:
    """Whether a better two-step may be called transfer: `yes`, `no`, `not tested`; empty when it is not better."""
    gain = found.get((trial, (name, BASELINE)))
    if gain is None or gain.verdict.name != "better":
        return ""
    control = found.get((trial, (name, protocols.control_of(name))))
    if control is None or control.verdict.name == "withheld":
        return "not tested"
    return "yes" if control.verdict.name == "better" else "no"


def refused(results: Results, trial: Trial, finding: Finding) -> InputError | None:
    """The error that stands in place of a gain on fewer than two groups."""
    pair = finding.pair
    if pair.groups >= LEAST_GROUPS:
        return None
    return InputError(
        f"{trial.submission} on {trial.target}: a gain of {pair.protocol} over {pair.baseline} cannot be estimated",
        file=results.ledger.path,
        field="groups tested",
        found=pair.groups,
        allowed=f"{LEAST_GROUPS} or more",
        hint="Train more folds, or group the data set more finely",
    )


def describe(results: Results, arms: dict[str, Arm], finding: Finding) -> dict[str, Any]:
    """A finding as plain data, in parts of 1."""
    entry = told(finding, lambda: shown(results, finding.pair))
    return entry | {"secondary": conditional.columns(results, arms, finding.pair)} if finding.contrast else entry


def told(finding: Finding, interval: Callable[[], Interval]) -> dict[str, Any]:
    """A finding as plain data, without the secondary columns.

    Args:
        finding: the finding.
        interval: gives the gain's interval for these very trainings, where they are too few for a test.
    """
    pair, tested = finding.pair, finding.contrast
    entry: dict[str, Any] = {"over": pair.baseline, "trainings": pair.trainings, "groups": pair.groups}
    if tested and not tested.needs:
        entry |= {"value": tested.gain, "low": tested.low, "high": tested.high, "interval": "trainings and groups"}
    else:
        found = interval()
        kind = "groups" if found.low == found.low else "none"
        entry |= {"value": found.value, "low": found.low, "high": found.high, "interval": kind}
    entry |= {
        "verdict": finding.verdict.name,
        "exploratory": finding.exploratory,
        "adjustment": "Benjamini-Hochberg" if finding.exploratory else "Holm",
        "family": finding.verdict.family,
        "p_adjusted": finding.verdict.p,
        "p_equivalent_adjusted": finding.verdict.p_equivalent,
        "needs": tested.needs if tested else verdict.shortage(pair.trainings, pair.groups, len(pair.blocks)),
    }
    if tested:
        known = tested._asdict()
        entry |= {name: known[name] for name in (
            "se", "df", "p", "p_test", "p_bootstrap", "p_equivalent", "bootstrap_low", "bootstrap_high",
            "p_satterthwaite", "smallest", "smallest_margin", "repeats_for_point",
        )}  # fmt: skip
        entry["judges_equivalence"] = tested.judges_equivalence
        entry["variances"] = tested.variances._asdict()
    return entry


def shown(results: Results, pair: Pair) -> Interval:
    """A gain where the trainings are too few for a test, with an interval for these very trainings."""
    return Interval(*results.memo.get("gain", pair.hashes, lambda: gain_interval(pair.arm, pair.against)))


def labels(trials: Iterable[Trial]) -> dict[tuple[str, str], str]:
    """What to call a track, by the frame of its trials: with its version, and with the era of the harness, where there are several."""
    frames = {trial.frame: trial.track for trial in trials}
    versions = Counter(name for name, _ in {(name, digest) for (digest, _), name in frames.items()})
    eras = Counter(name for name, _ in {(name, era) for (_, era), name in frames.items()})
    here = present()
    return {
        (digest, era): name
        + (f"-{digest[:8]}" if versions[name] > 1 else "")
        + (f"-harness-{era}" if eras[name] > 1 and era != here else "")
        for (digest, era), name in frames.items()
    }


def _newest(results: Results) -> dict[tuple[str, tuple[str, str], str], Trial]:
    """Of every submission, frame and target the trial that a board shows: the newest that is not withdrawn, or else the newest."""
    listed = results.listed().trials
    found: dict[tuple[str, tuple[str, str], str], Trial] = {}
    for trial in sorted(results.trials, key=lambda one: (one in listed, ended(one, results.trials[one]))):
        found[trial.submission, trial.frame, trial.target] = trial
    return found


def summary(
    results: Results,
    baseline: str = BASELINE,
    submissions: Sequence[str] | None = None,
    step: Callable[[int, int | None], None] | None = None,
) -> list[dict[str, Any]]:
    """One entry a trial: scores, gains and verdicts of every protocol, as plain data in parts of 1.

    Where a ledger holds several versions of one track, its name carries the version; see `labels`.

    Args:
        results: of one whole ledger or track.
        baseline: a protocol.
        submissions: only these are listed; families are taken over all.
        step: told of progress.
    """
    found, listed = find(results, baseline, step), results.listed().trials
    newest = _newest(results)
    rows = []
    label_of = labels(results.trials)
    for trial, arms in sorted(results.trials.items()):
        if submissions and trial.submission not in submissions:
            continue
        row: dict[str, Any] = {"submission": trial.submission, "track": label_of[trial.frame], "target": trial.target}
        row["withdrawn"], row["replaced"] = (
            trial not in listed,
            newest[trial.submission, trial.frame, trial.target] != trial,
        )
        row["track_digest"], row["version"], row["manifest"] = trial.track_digest, trial.model, trial.manifest
        row["era"], row["weights"], row["version_name"] = trial.era, trial.weights, trial.version
        row["simulated"] = any(r["track"]["simulated"] for a in arms.values() for r in a.records.values())
        row["pinned"] = all(r["submission"]["pinned"] for a in arms.values() for r in a.records.values())
        row["protocols"] = {}
        for name in protocols.ordered(arms):
            arm = arms[name]
            entry: dict[str, Any] = {}
            if arm.scored:
                entry["macro_f1"] = results.score(arm)._asdict()
                entry["trainings"] = len(arm.full)
            entry["failed"] = [arm.records[place]["failure"]["kind"] for place in arm.failed]
            finding = found.get((trial, (name, baseline)))
            error = finding and refused(results, trial, finding)
            if error:
                entry["gain_error"] = str(error)
            elif finding:
                entry["gain"] = describe(results, arms, finding)
                if (protocols.base(name), baseline) == REGISTERED:
                    entry["gain"]["transfer"] = transfer(found, trial, name)
                    control = found.get((trial, (name, protocols.control_of(name))))
                    if control and refused(results, trial, control) is None:
                        longer = describe(results, arms, control)
                        longer["sentence"] = sentence(trial.submission, trial.target, name, longer)
                        entry["gain"]["over_long"] = longer
                entry["gain"]["sentence"] = sentence(trial.submission, trial.target, name, entry["gain"])
            row["protocols"][name] = entry
        rows.append(row)
    return rows
