from typing import Any

import pytest

from benchmark.wording import p_value, points, reach, sentence


def gain(verdict: str, **changes: Any) -> dict[str, Any]:
    return {
        "over": "imagenet", "value": 0.012, "low": 0.004, "high": 0.02, "verdict": verdict, "exploratory": False,
        "family": 4, "p_adjusted": 0.012, "p_equivalent_adjusted": 1.0, "smallest": 0.011, "repeats_for_point": 3,
        "judges_equivalence": True, "smallest_margin": 0.004,
        "needs": "6 trainings or more (found 5)", **changes,
    }  # fmt: skip


@pytest.mark.parametrize(("found", "wanted"), [
    (gain("better"), "reads q better than by ImageNet fine-tuning: +1.2 points of macro-F1 (+0.4 to +2.0)"),
    (gain("better"), "p = 0.012 after adjusting for 4 comparisons"),
    (gain("better", p_equivalent_adjusted=0.01), "though by less than half a point"),
    (gain("better", transfer="yes"), "more training alone does not explain it"),
    (gain("better", transfer="no"), "not shown to be transfer"),
    (gain("better", transfer="no", over_long={"value": -0.007, "low": -0.012, "high": -0.002, "verdict": "worse"}),
     "Equally long training on the target alone does better still (−0.7 points, −1.2 to −0.2), so that"),
    (gain("better", transfer="no", over_long={"value": 0.001, "low": -0.002, "high": 0.004, "verdict": "equivalent"}),
     "Equally long training on the target alone does equally well to within half a point (+0.1 points, −0.2 to +0.4), so that"),
    (gain("better", transfer="not tested", over_long=gain("withheld", value=-0.001)),
     "Over equally long training on the target alone it is −0.1 points so far; a verdict on that takes 6 trainings or more (found 5)."),
    (gain("better", transfer="no", over_long={"value": 0.001, "low": -0.008, "high": 0.0101, "verdict": "undecided"}),
     "It does not stand over equally long training on the target alone (+0.1 points, −0.8 to +1.0), so that"),
    (gain("better", transfer="yes", over_long={"value": 0.01, "low": 0.004, "high": 0.016, "verdict": "better"}), "alone (+1.0 points, +0.4 to +1.6), so that"),
    (gain("better", transfer="not tested"), "was not tested (imagenet-long)"),
    (gain("worse", value=-0.012), "worse than by ImageNet fine-tuning: −1.2 points"),
    (gain("equivalent", value=0.001), "do equally well: the difference (+0.1 points"),
    (gain("undecided"), "a true gain of 1.1 points would have been found four times in five, and 3 repeats would"),
    (gain("undecided", repeats_for_point=0), "cannot be found with so few groups"),
    (gain("undecided", repeats_for_point=None), "four times in five."),
    (gain("undecided", judges_equivalence=False, smallest_margin=0.0131),
     "within half a point is not judged: these trainings could judge it to within 1.3 points."),
    (gain("withheld"), "No verdict on two-step training"),
    (gain("withheld"), "it takes 6 trainings or more (found 5)"),
])  # fmt: skip
def test_every_verdict_is_one_sentence_with_its_figures(found: dict[str, Any], wanted: str) -> None:
    text = sentence("net", "q", "two-step", found)
    assert wanted in text and text.endswith(".") and text[0].isupper()


def test_what_is_exploratory_says_so_first() -> None:
    assert sentence("net", "q", "two-step", gain("undecided", exploratory=True)).startswith("Exploratory: ")


def test_figures() -> None:
    assert points(-0.0123, signed=True) == "−1.2" and points(0.9) == "90.0"
    assert points(-0.0001, signed=True) == "+0.0", "no negative nothing"
    assert p_value(0.0004) == "p < 0.001" and p_value(0.0312) == "p = 0.031"


@pytest.mark.parametrize(("beyond", "family", "said"), [
    (True, "", "submissions beyond these, too"), (True, "cnn-mobile", "other submissions of cnn-mobile, too, and of no other family"),
    (False, "", "these submissions only"), (False, "cnn-mobile", "these submissions only"),
])  # fmt: skip
def test_an_answer_says_whom_it_speaks_of(beyond: bool, family: str, said: str) -> None:
    assert reach(beyond, family) == said
