from typing import Any

import pytest

from benchmark.forecast import Timed
from benchmark.plan import Unit
from benchmark.status.course import Course, Looked


def unit(key: str, submission: str = "net", parent: str | None = None) -> Unit:
    return Unit(key, submission, "scratch", "d", 0, 0, 0, 4, 25, False, "random", parent, ("d",), None, None)


class Clock:
    """Seconds that a test moves on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


SCORED: dict[str, Any] = {"status": "scored", "seconds": 10.0}
FAILED: dict[str, Any] = {
    "status": "failed",
    "seconds": 1.0,
    "failure": {"kind": "nan", "message": "loss is not finite"},
}


def made(units: list[Unit], **options: Any) -> tuple[Course, Clock]:
    clock = Clock()
    return Course(units, clock=clock, **options), clock


def test_counts_follow_what_happens() -> None:
    units = [unit("a"), unit("b", parent="a"), unit("c", "other"), unit("d", "other")]
    course, clock = made(units, slots=2)
    before = course.state(Looked())
    assert (before["total"], before["done"], before["running"], before["images_done"]) == (4, 0, 0, 0)
    course.begun("a")
    course.begun("c")
    course.line("a", {"epoch": 1, "epochs": 4})
    course.line("a", {"epoch": 9, "epochs": 4})
    course.line("c", {"anything": "else"})
    clock.now += 7.0
    state = course.state(Looked({"a": "n1", "c": ""}, queued=1, retries=3))
    assert (state["done"], state["running"], state["queued"], state["retries"], state["images_done"]) == (
        0,
        2,
        1,
        3,
        25.0,
    )
    assert [(u.key, u.part, u.place, u.seconds) for u in state["under_way"]] == [
        ("a", 0.25, "n1", 7.0),
        ("c", None, "", 7.0),
    ]
    course.ended("a", SCORED)
    course.ended("c", FAILED)
    state = course.state(Looked({"a": "n1"}, given_up={"d": "its node went (2 times)"}))
    assert (state["done"], state["failed"], state["given_up"], state["running"]) == (1, 1, 1, 0)
    assert [(f.key, f.kind) for f in state["failures"]] == [("c", "nan"), ("d", "given-up")]
    assert [one.model_dump() for one in state["submissions"]] == [
        {"submission": "net", "total": 2, "done": 1, "failed": 0, "running": 0},
        {"submission": "other", "total": 2, "done": 0, "failed": 1, "running": 0},
    ]


def test_a_line_that_comes_after_the_record_changes_nothing() -> None:
    course, _ = made([unit("a")])
    course.begun("a")
    course.ended("a", SCORED)
    course.line("a", {"epoch": 1, "epochs": 4})
    state = course.state(Looked())
    assert (state["done"], state["running"], state["images_done"]) == (1, 0, 100.0)


def test_a_unit_that_was_lost_begins_anew() -> None:
    course, clock = made([unit("a")])
    course.state(Looked({"a": "n1"}))
    course.line("a", {"epoch": 3, "epochs": 4})
    clock.now += 50
    course.begun("a")
    [now] = course.state(Looked({"a": "n2"}))["under_way"]
    assert (now.seconds, now.part, now.place) == (0.0, None, "n2")


def test_units_that_are_no_longer_under_way_count_for_nothing() -> None:
    course, _ = made([unit("a"), unit("b")])
    course.state(Looked({"a": ""}))
    state = course.state(Looked({}))
    assert state["running"] == 0 and state["images_done"] == 0 and state["startup"] is None


def test_the_time_that_remains_is_that_of_the_units_left_on_the_slots() -> None:
    units = [unit(name) for name in "abcdef"]
    course, clock = made(units, slots=2)
    assert course.state(Looked())["remaining"] is None, "nothing was timed"
    for key in "ab":
        course.begun(key)
    clock.now += 10
    for key in "ab":
        course.ended(key, SCORED)
    left = course.state(Looked())["remaining"]
    assert left.seconds == pytest.approx(20.0) and left.guessed == ()
    course.begun("c")
    course.line("c", {"epoch": 2, "epochs": 4})
    clock.now += 5
    left = course.state(Looked({"c": ""}))["remaining"]
    assert left.seconds == pytest.approx(20.0), "c has 5 s to go, three more 10 s each, on two slots"
    for key in "cdef":
        course.ended(key, SCORED)
    assert course.state(Looked())["remaining"].seconds == 0.0


@pytest.mark.parametrize("told", [True, False])
def test_units_that_take_turns_in_a_process_take_as_long_as_one_after_the_other(told: bool) -> None:
    """Four in two processes, of which each needs ten seconds of its own: twenty in all, half of them over."""
    course, clock = made([unit(name) for name in "abcd"], slots=16, processes=None if told else 2)
    looked = Looked(dict.fromkeys("abcd", ""), processes=2 if told else None)
    for key in "abcd":
        course.begun(key)
    clock.now += 10
    for key in "abcd":
        course.line(key, {"epoch": 2, "epochs": 4})
    assert course.state(looked)["remaining"].seconds == pytest.approx(10.0), "five of its own in ten of the clock"
    clock.now += 10
    for key in "ab":
        course.ended(key, SCORED | {"sandbox_details": {"beside": 2}})
    clock.now += 1000
    state = course.state(Looked({"c": "", "d": ""}, processes=1))
    assert state["each"] is None and state["startup"] == 0.0, "what else they took was others' time"


def test_units_timed_before_give_an_interval_and_others_are_counted_by_guess() -> None:
    timed = [Timed("net", 100, 10.0), Timed("net", 100, 12.0), Timed("net", 100, 9.0)]
    course, _ = made([unit("a"), unit("b", "other")], timed=timed, slots=1)
    left = course.state(Looked())["remaining"]
    assert (
        left.guessed == ("other",)
        and left.low < left.seconds < left.high
        and left.seconds == pytest.approx(20.7, rel=0.1)
    )


def test_of_a_unit_whose_log_does_not_reach_the_head_the_time_that_it_had_counts() -> None:
    course, clock = made([unit("a")], timed=[Timed("net", 100, 10.0)], slots=1)
    for passed, expected in ((0.0, 10.0), (4.0, 6.0), (96.0, 0.5)):
        clock.now += passed
        assert course.state(Looked({"a": "n1"}))["remaining"].seconds == pytest.approx(expected)


def test_units_of_another_run_are_left_alone() -> None:
    course, _ = made([unit("a")])
    course.begun("x")
    course.line("x", {"epoch": 1, "epochs": 4})
    course.ended("x", SCORED)
    state = course.state(Looked({"x": "n1"}))
    assert (state["done"], state["running"], state["images_done"]) == (0, 0, 0)


def test_what_a_unit_takes_besides_its_own_is_measured() -> None:
    course, clock = made([unit("a"), unit("b")], slots=1)
    clock.now += 4
    course.begun("a")
    clock.now += 12
    course.ended("a", SCORED)
    state = course.state(Looked())
    assert (state["startup"], state["each"]) == (4.0, 2.0)
    assert state["remaining"].seconds == pytest.approx(12.0)


def test_the_imports_of_a_slots_first_unit_belong_to_the_start() -> None:
    course, clock = made([unit(name) for name in "abcd"], slots=2)
    for pair, besides in (("ab", 7.0), ("cd", 1.0)):
        for key in pair:
            course.begun(key)
        clock.now += 10.0 + besides
        for key in pair:
            course.ended(key, SCORED)
    state = course.state(Looked())
    assert (state["startup"], state["each"]) == (6.0, 1.0)


def test_a_forecast_that_takes_long_is_made_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    course, clock = made([unit("a"), unit("b")], slots=1)
    course.ended("a", SCORED)
    calls = []
    real = course._remaining

    def slow(*given: Any) -> Any:
        calls.append(1)
        clock.now += 2.0
        return real(*given)

    monkeypatch.setattr(course, "_remaining", slow)
    for _ in range(100):
        course.state(Looked())
        clock.now += 1.0
    assert 2 <= len(calls) <= 4
