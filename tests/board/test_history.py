from typing import Any

from benchmark.board.history import changes
from benchmark.board.reading import Reading
from benchmark.withdrawal import withdraw


def test_the_life_of_a_submission(maker: Any) -> None:
    def on(day: int, fold: int, arm: str = "imagenet", **more: Any) -> None:
        maker.add(arm, fold, ended=f"2026-01-{day:02d}T0{fold}:00:00+00:00", **more)

    on(1, 0)
    on(1, 1, "two-step")
    on(3, 2, failed=True)
    new = {"name": "net", "model": "m2", "code": None, "pinned": True, "document": "other"}
    on(5, 0, submission=new)
    on(5, 1, "source-shuffled")
    key = maker.ledger.records()[0]["key"]
    for grade in ("failed", "bitwise"):
        maker.ledger.append({"type": "reproduction", "of": key, "grade": grade, "ended": "2026-01-06T00:00:00+00:00"})
    withdraw(maker.ledger, "net", "because")
    found = changes(Reading(maker.ledger))
    assert [(one.kind, one.date[:10]) for one in found][1:] == [
        ("reproduced", "2026-01-06"), ("replaced", "2026-01-05"), ("extended", "2026-01-03"), ("entered", "2026-01-01")]  # fmt: skip
    texts = {one.kind: one.text for one in found}
    assert texts["entered"] == "net entered the t track: 2 trainings (imagenet, two-step) on tiny."
    assert (
        texts["extended"] == "net has more trainings on the t track: 1 training (imagenet) on tiny, of which 1 failed."
    )
    assert texts["replaced"].startswith(
        "net has a new version on the t track, 6fc120c5, which replaces 7acc2dd9 (other network): 1 training"
    )
    assert texts["reproduced"] == "2 records of net trained again: 1 bitwise, 1 failed."
    assert texts["withdrawn"] == "net was withdrawn (2 versions): because" and found[0].kind == "withdrawn"
    assert next(one.date for one in found if one.kind == "entered") == "2026-01-01T01:00:00+00:00"
