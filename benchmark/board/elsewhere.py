"""Scores from elsewhere as the board shows them: every figure from the stored predictions, by name and never by rank."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.board.model import Change, ChangeKind, ClassScore, Confusion, Estimate, SelfRun
from benchmark.board.reading import Reading
from benchmark.elsewhere.store import Entry
from benchmark.files import digest


def self_run(reading: Reading) -> tuple[SelfRun, ...]:
    """All scores: those that are listed by name, then what was replaced or withdrawn.

    Raises:
        IntegrityError: when one is not what it should be, or its predictions are missing or altered.
    """
    found = [_told(reading, entry) for entry in reading.self_run]
    return tuple(
        sorted(
            found,
            key=lambda one: (one.replaced or one.withdrawn is not None, one.name, one.track, one.dataset, one.ended),
        )
    )


def state(entries: Sequence[Entry]) -> str:
    """Hash over all of them and their withdrawals; empty for none."""
    told = sorted([one.id, one.withdrawal.model_dump(mode="json") if one.withdrawal else None] for one in entries)
    return digest(told) if told else ""


def _told(reading: Reading, entry: Entry) -> SelfRun:
    score, found = entry.score, reading.elsewhere.figures(entry.score)
    card = reading.cards.get(score.dataset.card)
    value, low, high = found.macro_f1
    return SelfRun(
        id=entry.id, name=score.name, track=score.track.name, dataset=score.dataset.name, stain=card["stain"] if card else None,
        simulated=score.track.simulated, manifest=score.dataset.manifest, folds=score.folds, images=found.images, groups=found.groups,
        form=score.form, macro_f1=Estimate(value=value, low=number(low), high=number(high)), accuracy=found.accuracy, top2=found.top2,
        ece=found.ece, **score.told.model_dump(), harness=score.harness.get("version", "not recorded"), ended=score.ended.isoformat(),
        classes=tuple(
            ClassScore(name=one.name, images=one.images, f1=number(one.f1), low=number(one.low), high=number(one.high))
            for one in found.classes
        ),
        confusions=tuple(Confusion(true=one.true, said=one.said, count=one.times) for one in found.confusions), replaced=entry.replaced,
        withdrawn=entry.withdrawal.ended.isoformat() if entry.withdrawal else None,
        reason=entry.withdrawal.reason if entry.withdrawal else None,
    )  # fmt: skip


def number(value: float) -> float | None:
    """The value, or None for NaN."""
    return None if value != value else float(value)


def changes(reading: Reading) -> list[Change]:
    """What happened to them."""
    found, before = [], dict[tuple[str, str, str], str]()
    for entry in reading.self_run:
        score = entry.score
        place = score.name, score.dataset.name, score.track.name
        folds = f"fold{'s' * (len(score.folds) > 1)} {', '.join(map(str, score.folds))}"
        what = f"{score.name}, a score from elsewhere by {score.told.who} on {score.dataset.name}, {folds}"
        words = f"{what}, took the place of an earlier one" if place in before else f"{what}, was handed in"
        before[place] = entry.id
        found.append(
            _change(
                score.name, score.ended.isoformat(), "self-run", f"{words}. Self-run: listed apart, and not ranked."
            )
        )
    for name in dict.fromkeys(entry.score.name for entry in reading.self_run):
        gone = [e.withdrawal for e in reading.self_run if e.score.name == name and e.withdrawal]
        for date, reason in dict.fromkeys((one.ended.isoformat(), one.reason) for one in gone):
            found.append(_change(name, date, "withdrawn", f"{name}, a score from elsewhere, was withdrawn: {reason}"))
    return found


def _change(name: str, date: str, kind: ChangeKind, text: str) -> Change:
    return Change(date=date, kind=kind, submission=name, track=None, text=text, elsewhere=True)
