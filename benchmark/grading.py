"""The grade of a reproduction: the same bits, the same within rounding, the same within chance, or none.

Grades, best first:

- `bitwise`: the stored logits (half precision, manifest order) are the same to the bit.
- `tolerance`: no logit differs by more than `TOLERANCE`, and 99.5 % of the images get the same class.
- `statistical`: the difference of macro-F1 is what two trainings of one unit differ by.
- `failed`: none of these, or the new training failed where the old one scored.

**Statistical.** The difference of two trainings of one unit on the same groups has the variance
2·σ²(training) + s²/groups. σ²(training) is the between-training component of all repeats of that arm
(`twoway.components` on the pseudo-values of the single arm); s² is the variance over groups of the
paired difference of pseudo-values. |difference| over its root is held against t at 5 %, two-sided,
with the degrees of freedom of the scarcer of the two samples: (repeats − 1) × folds or groups − 1. In a
fold of fewer than four groups, s² is twice the arm's own component of training × group instead. With one repeat
σ² is not known, and the 95 % interval of the paired bootstrap over groups must hold zero; with
fewer than four groups besides, nothing can be concluded, which is `failed`.

A test that a difference is *not significant* is passed by whoever has little data. So the difference must
also be within `CAP`.

**Limits.** Measured on simulated trainings of one unit from different seeds (`stats.generator`, 16 to 119
groups in five folds, 300 each): with two or four repeats the test wrongly rejects 1 to 5 %. With one repeat it
rejects 18 to 54 %, because the luck of training is then not allowed for. The cap alone rejects 3 to 7 % where that
luck is mild and folds hold 13 groups or more, but 20 % in folds of four groups and 28 to 40 % where it is strong: such a
`failed` says that the score is not had again within three points, not that somebody cheated; `reason` tells
which it was. A fake that scores within chance of the original passes: this grade says that the *score* can be
had again, not that the same network was trained. σ² comes from trainings of different seeds and is, if
anything, too wide for the same seed on another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.errors import IntegrityError
from benchmark.scoring import Stored, by_group
from benchmark.stats.bootstrap import MINIMUM_GROUPS, gain_interval
from benchmark.stats.design import Design
from benchmark.stats.metrics import confusion_by_group
from benchmark.stats.pseudo import macro, pseudo_values, tally
from benchmark.stats.twoway import components
from benchmark.versions import era

if TYPE_CHECKING:
    from benchmark.ledger import Ledger
    from benchmark.records import Record

Ints = npt.NDArray[np.int64]
Name = Literal["bitwise", "tolerance", "statistical", "failed"]
GRADES: tuple[Name, ...] = ("bitwise", "tolerance", "statistical", "failed")

TOLERANCE = 0.1
"""Of a logit. Measured with 600 tiny images, against the same training on one thread: a linear network
for 2 and 10 epochs: 0 on two threads, 0.001 with narrower vector instructions; a small convolutional one: 0.017 and
0.0005 after 2 epochs, 0.084 and 0.028 after 10, the same classes throughout. Half precision itself steps by
0.004 between 4 and 8. A large network with batch norm does not stay near: its rounding errors grow until
another network comes out, and the statistical grade is all there can be.
"""

AGREEMENT = 0.995
ALPHA = 0.05
CAP = 0.03
ROUNDING = 1e-9
"""By which a figure that is computed again may differ from the stored one."""


class Spread(NamedTuple):
    """What the repeats of one arm say of the luck of training.

    Attributes:
        training: variance of macro-F1 between trainings.
        rest: of a training on one group, beyond that.
        df: degrees of freedom.
    """

    training: float
    rest: float
    df: int


class Grade(NamedTuple):
    """A grade and what it rests on.

    Attributes:
        name: the grade.
        reason: why, for people.
        original: macro-F1 of the record, of its stored predictions.
        reproduced: macro-F1 of the new training.
        largest_difference: of any two logits.
        agreement: part of the images that get the same class.
        p: of the two being trainings of one unit; None where no test was needed or could be made.
    """

    name: Name
    reason: str
    original: float
    reproduced: float
    largest_difference: float
    agreement: float
    p: float | None = None


def spread(matrices: Ints, blocks: Sequence[int]) -> Spread | None:
    """Between-training variance of one arm; None where it cannot be told: one repeat, or a single group.

    Args:
        matrices: confusion matrices, shape (repeats, groups, classes, classes).
        blocks: groups of each fold.
    """
    repeats = len(matrices)
    if repeats < 2 or sum(blocks) < 2:
        return None
    found = components(pseudo_values(tally(matrices)), Design(repeats, blocks))
    return Spread(found.training, found.rest, (repeats - 1) * len(blocks))


def grade(original: Stored, reproduced: Stored, labels: Ints, groups: Ints, between: Spread | None) -> Grade:
    """Grade one training against another of the same unit.

    Args:
        original: stored logits, float16 (images, classes).
        reproduced: the same images in the same order.
        labels: true class of each image, shape (images,).
        groups: index of each image's group from 0, shape (images,).
        between: of the arm; None where it is not known.

    Raises:
        ValueError: when the two are not of one type and shape.
    """
    if original.shape != reproduced.shape or original.dtype != np.float16 or reproduced.dtype != np.float16:
        raise ValueError(
            f"not two stored predictions of the same images: {original.dtype} {original.shape} and "
            f"{reproduced.dtype} {reproduced.shape}"
        )
    count = int(groups.max()) + 1
    first, second = (
        confusion_by_group(labels, one.argmax(1).astype(np.int64), groups, count, original.shape[1])[None]
        for one in (original, reproduced)
    )
    largest = float(np.abs(original.astype(np.float64) - reproduced.astype(np.float64)).max())
    agreement = float((original.argmax(1) == reproduced.argmax(1)).mean())
    before, after = (float(macro(tally(one))[0]) for one in (first, second))

    def graded(name: Name, reason: str, p: float | None = None) -> Grade:
        return Grade(name, reason, before, after, largest, agreement, p)

    if original.tobytes() == reproduced.tobytes():
        return graded("bitwise", "the same logits to the bit")
    if largest <= TOLERANCE and agreement >= AGREEMENT:
        return graded("tolerance", f"no logit differs by more than {TOLERANCE:g}")
    return graded(*_compare(first, second, after - before, between))


def _compare(first: Ints, second: Ints, difference: float, between: Spread | None) -> tuple[Name, str, float | None]:
    groups = first.shape[1]
    if between is None and groups < MINIMUM_GROUPS:
        return "failed", f"other predictions; one repeat and {groups} groups are too few to compare scores", None
    if between is None:
        found = gain_interval(tally(second), tally(first))
        p, compatible = None, found.low <= 0 <= found.high
        told = f"its 95 % interval over groups is {100 * found.low:+.1f} to {100 * found.high:+.1f}; one repeat only"
    else:
        if groups < MINIMUM_GROUPS:
            rest, df = 2 * between.rest / groups, between.df
        else:
            paired = pseudo_values(tally(second)) - pseudo_values(tally(first))
            rest, df = float(paired.var(ddof=1)) / groups, min(between.df, groups - 1)
        p = _two_sided(difference, 2 * between.training + rest, df)
        compatible, told = p >= ALPHA, f"p = {p:.3f} for two trainings of one unit"
    text = f"macro-F1 differs by {100 * difference:+.1f} points; {told}"
    if compatible and abs(difference) > CAP:
        return "failed", f"{text}; more than {100 * CAP:g} points pass in no case", p
    return "statistical" if compatible else "failed", text, p


def _two_sided(difference: float, variance: float, df: int) -> float:
    if difference == 0:
        return 1.0
    return float(2 * stats.t.sf(abs(difference) / np.sqrt(variance), df)) if variance > 0 else 0.0


def compare(ledger: Ledger, record: Record, reproduced: Stored, trainings: Sequence[Record]) -> Grade:
    """Grade new predictions of a record by what the ledger holds.

    Args:
        ledger: where the record, its manifest and the other trainings are.
        record: of the unit.
        reproduced: in manifest order.
        trainings: records of the same arm from which the between-training variance is taken, whole
            repeats, from `siblings`.

    Raises:
        IntegrityError: when something that it needs is missing or altered.
    """
    manifest = ledger.manifest(record["dataset"]["manifest"], record["dataset"]["group"])
    positions = manifest.part(record["fold"], "test")
    _, groups = np.unique(manifest.groups[positions], return_inverse=True)
    between = _spread_of(ledger, trainings)
    return grade(ledger.predictions(record), reproduced, manifest.labels[positions], groups, between)


def _spread_of(ledger: Ledger, records: Sequence[Record]) -> Spread | None:
    places = {(record["repeat"], record["fold"]): record for record in records}
    repeats, folds = (sorted({place[i] for place in places}) for i in (0, 1))
    if len(repeats) < 2:
        return None
    manifest = ledger.manifest(records[0]["dataset"]["manifest"], records[0]["dataset"]["group"])
    rows = [[by_group(ledger.predictions(places[r, f]).argmax(1), manifest.tested(f)) for f in folds] for r in repeats]
    return spread(np.stack([np.concatenate(row) for row in rows]), [len(part) for part in rows[0]])


def siblings(record: Record, units: Mapping[str, Record]) -> list[Record]:
    """The scored trainings of a record's arm, whole repeats only, in order of repeat and fold.

    Args:
        record: of one unit.
        units: newest record by key.
    """

    def arm(one: Record) -> tuple[object, ...]:
        submission, dataset = one["submission"], one["dataset"]
        version = (submission["name"], submission["model"], submission["code"])
        made = one["weights"], era(one)
        return (*version, *made, one["arm"], one["track"]["digest"], dataset["name"], dataset["manifest"])

    same = {(r["repeat"], r["fold"]): r for r in units.values() if r["status"] == "scored" and arm(r) == arm(record)}
    folds = {fold for _, fold in same}
    whole = sorted({r for r, _ in same if all((r, fold) in same for fold in folds)})
    return [same[r, fold] for r in whole for fold in sorted(folds)]


def best(reproductions: Iterable[Mapping[str, Any]]) -> dict[str, Name]:
    """The best grade of every reproduced key."""
    found: dict[str, Name] = {}
    for one in reproductions:
        name: Name = one["grade"]
        found[one["of"]] = min(found.get(one["of"], name), name, key=GRADES.index)
    return found


def described(result: Grade) -> dict[str, Any]:
    """A grade as plain data, for a record."""
    return {
        "grade": result.name,
        "reason": result.reason,
        "macro_f1": {"original": result.original, "reproduced": result.reproduced},
        "largest_difference": result.largest_difference,
        "agreement": result.agreement,
        "p": result.p,
    }


def problem(ledger: Ledger, reproduction: Record, before: Mapping[str, Record]) -> str | None:
    """What is wrong with a stored reproduction, graded again from the records before it; None where nothing is.

    Args:
        ledger: where its predictions are.
        reproduction: its record.
        before: newest record of every unit before it.
    """
    of = before.get(reproduction["of"])
    if of is None or of["hash"] != reproduction["original"] or not before.keys() >= set(reproduction["trainings"]):
        return "a reproduction of a record, or graded by a record, that is not before it"
    if reproduction["predictions"] is None:
        return None if reproduction["grade"] == "failed" else "a grade without predictions"
    try:
        trainings = [before[key] for key in reproduction["trainings"]]
        again = compare(ledger, of, ledger.predictions(reproduction), trainings)
    except IntegrityError as error:
        return str(error)
    wrong = drifted(described(again), reproduction)
    return f"the grade drifted from the predictions: {', '.join(wrong)}" if wrong else None


def drifted(again: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Names of the figures that are not what was stored, but for rounding."""
    return [name for name in again if not _same(again[name], stored.get(name))]


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, float) and isinstance(second, int | float):
        return abs(first - second) <= ROUNDING
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(first[k], second[k]) for k in first)
    return bool(first == second)
