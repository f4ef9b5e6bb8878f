from typing import Any

from benchmark.overview import answers, ranks
from benchmark.results import Results


def test_ranks_are_shared_by_what_cannot_be_told_apart(maker: Any) -> None:
    for name, skill in (("good", 0.9), ("as-good", 0.9), ("poor", 0.5)):
        maker.fill(name=name, two_step=skill, imagenet=0.5)
    found = {one["submission"]: (one["rank"], one["low"], one["high"]) for one in ranks(Results(maker.ledger))}
    assert found == {"good": (1, 1, 2), "as-good": (1, 1, 2), "poor": (3, 3, 3)}


def test_who_has_fewer_trainings_is_not_ranked_and_holds_nobody_back(maker: Any) -> None:
    for name in ("a", "b"):
        maker.fill(name=name, two_step=0.8)
    maker.fill(repeats=1, name="late", two_step=0.9)
    assert {one["submission"] for one in ranks(Results(maker.ledger))} == {"a", "b"}


def test_a_design_without_verdicts_ranks_nobody(maker: Any) -> None:
    for name in ("a", "b"):
        maker.fill(repeats=1, name=name, two_step=0.8, imagenet=0.7)
    assert ranks(Results(maker.ledger)) == [] and answers(Results(maker.ledger)) == []


def test_the_general_question_over_targets_and_families(maker: Any) -> None:
    for number, family in enumerate(("cnn-modern", "cnn-classic", "cnn-modern", "cnn-classic")):
        for target, gain in (("q", 0.25), ("g", 0.0)):
            for arm, skill in (("imagenet", 0.6), ("two-step", 0.6 + gain)):
                for fold in range(5):
                    for repeat in (0, 1):
                        maker.add(arm, fold, repeat, skill, f"net{number}", target=target, family=family)
    found = {one["question"]: one for one in answers(Results(maker.ledger))}
    assert found["gain on q"]["low"] > 0 and found["gain on q"]["submissions"] == 4
    assert found["gain on g"]["low"] < 0 < found["gain on g"]["high"]
    assert found["gain on g minus gain on q"]["high"] < 0
    assert found["gain on q, cnn-modern"]["submissions"] == 2
    assert (found["gain on q, cnn-modern"]["family"], found["gain on q"]["family"]) == ("cnn-modern", "")
    assert not found["gain on q, cnn-modern"]["new_submissions"] and found["gain on q"]["new_submissions"]


def test_one_submission_answers_no_general_question(maker: Any) -> None:
    maker.fill(two_step=0.9, imagenet=0.6)
    assert answers(Results(maker.ledger)) == []
