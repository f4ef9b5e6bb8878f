"""Made-up learning curves: a fake is flagged, honest spread is not, and too few are not judged."""

from typing import Any

import numpy as np
import pytest

from benchmark import plausibility
from benchmark.plausibility import _Groups, early_score, flags, judge, leave_one_out, predict

EPOCHS = 9


def curve(level: float, random: np.random.Generator) -> list[dict[str, float]]:
    """Rises from an early level, on the logit scale, by three over the training."""
    logits = level + np.linspace(0, 3, EPOCHS) + random.normal(0, 0.15, EPOCHS)
    return [{"epoch": i + 1, "validation_macro_f1": float(1 / (1 + np.exp(-x)))} for i, x in enumerate(logits)]


def ledger(
    random: np.random.Generator, submissions: int = 8, each: int = 5, between: float = 0.5, within: float = 0.2
) -> list[dict[str, Any]]:
    """Honest records of one set; submissions differ, trainings of one less so."""
    records = []
    for number in range(submissions):
        level = -1 + random.normal(0, between)
        curves = [curve(level + random.normal(0, within), random) for _ in range(each)]
        records += [record(f"net{number}", training, one) for training, one in enumerate(curves)]
    return records


def record(name: str, training: int, log: list[dict[str, float]], **changes: Any) -> dict[str, Any]:
    whole = {
        "key": f"{name}-{training}", "status": "scored", "submission": {"name": name}, "arm": "imagenet",
        "track": {"digest": "t"}, "dataset": {"name": "tiny"}, "epochs": EPOCHS, "log": log,
    }  # fmt: skip
    return {**whole, **changes}


def fake(random: np.random.Generator) -> list[dict[str, float]]:
    """Knows the images from the first epoch on."""
    return curve(4.5, random)


def test_a_submission_that_knows_the_images_is_flagged_and_no_other() -> None:
    random = np.random.default_rng(0)
    records = ledger(random) + [record("cheat", i, fake(random)) for i in range(5)]
    found = flags(records)
    assert set(found) == {f"cheat-{i}" for i in range(5)}
    flag = found["cheat-0"]
    assert flag.statistic > 0.95 and 0.2 < flag.expected < 0.6 and flag.p <= plausibility.LEVEL
    assert judge(records)["net0-0"].word == "as expected" and judge(records)["cheat-1"].word == "too fast"


def test_one_record_unlike_its_kin_is_flagged_without_other_submissions() -> None:
    random = np.random.default_rng(1)
    records = ledger(random, submissions=1, each=12)
    records[4]["log"] = fake(random)
    assert set(flags(records)) == {records[4]["key"]}


def test_slow_is_never_flagged() -> None:
    random = np.random.default_rng(2)
    records = ledger(random) + [record("slow", i, curve(-9, random)) for i in range(5)]
    assert flags(records) == {}


def test_flags_are_ordered_by_p() -> None:
    random = np.random.default_rng(3)
    fakes = [record("much", 0, curve(6, random)), record("more", 0, curve(3, random))]
    records = [*ledger(random, between=0.2), *fakes]
    values = [flag.p for flag in flags(records).values()]
    assert values == sorted(values)


@pytest.mark.parametrize(("submissions", "each"), [(3, 3), (4, 1), (1, 8)])
def test_too_few_are_not_judged(submissions: int, each: int) -> None:
    random = np.random.default_rng(4)
    found = judge(ledger(random, submissions, each))
    assert {one.word for one in found.values()} == {""}
    assert all(one.flag is None and not one.flagged for one in found.values())


@pytest.mark.parametrize(("submissions", "each"), [(4, 3), (9, 1), (1, 9)])
def test_the_least_that_is_judged(submissions: int, each: int) -> None:
    random = np.random.default_rng(5)
    assert all(one.flag for one in judge(ledger(random, submissions, each)).values())


def test_other_tracks_targets_and_protocols_are_other_sets() -> None:
    random = np.random.default_rng(6)
    records = ledger(random, 4, 3)
    for change in ({"arm": "scratch"}, {"track": {"digest": "u"}}, {"dataset": {"name": "other"}}):
        alone = record("alone", 0, fake(random), **change)
        assert judge([*records, alone])["alone-0"].flag is None


@pytest.mark.parametrize("log", [
    None, [], "text", [{"epoch": 1}] * EPOCHS, [{"validation_macro_f1": 0.5}] * (EPOCHS - 1),
    [{"validation_macro_f1": 7.0}] * EPOCHS, [{"validation_macro_f1": float("nan")}] * EPOCHS,
    [{"validation_macro_f1": "1"}] * EPOCHS, [3] * EPOCHS,
])  # fmt: skip
def test_a_log_that_is_not_whole_is_said_and_breaks_nothing(log: Any) -> None:
    random = np.random.default_rng(7)
    found = judge([*ledger(random), record("odd", 0, log)])
    assert found["odd-0"].word == "not whole" and not found["odd-0"].flagged


def test_failed_records_are_not_judged() -> None:
    random = np.random.default_rng(8)
    records = [*ledger(random), record("cheat", 0, fake(random), status="failed")]
    assert "cheat-0" not in judge(records)


@pytest.mark.parametrize(("epochs", "used"), [(1, 1), (2, 1), (3, 1), (4, 2), (10, 4)])
def test_the_first_third_of_the_epochs_counts(epochs: int, used: int) -> None:
    log = [{"validation_macro_f1": 0.9 if i < used else 0.1} for i in range(epochs)]
    assert early_score(record("net", 0, log, epochs=epochs)) == pytest.approx(0.9)


def test_a_perfect_score_has_a_finite_logit() -> None:
    assert [plausibility.logit(score) for score in (0.0, 0.5, 1.0)] == pytest.approx([-5.29, 0, 5.29], abs=0.01)


def test_prediction_from_groups_of_one_is_the_classical_interval() -> None:
    """Student's prediction of one more value: mean ± t(n − 1)·s·√(1 + 1/n)."""
    from scipy import stats

    values = [0.1, 0.5, -0.4, 0.9, 0.2]
    expected, p = predict([1.5], [[v] for v in values])
    wanted = stats.t.sf((1.5 - np.mean(values)) / (np.std(values, ddof=1) * np.sqrt(1 + 1 / 5)), 4)
    assert (expected, p) == (pytest.approx(np.mean(values)), pytest.approx(wanted))


def test_all_but_equal_others_do_not_make_a_small_difference_impossible() -> None:
    assert predict([0.1], [[0.0]] * 10)[1] > 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("between", "low", "high"), [(0.5, 0.9, 1.0), (1.0, 0.1, 0.6), (1.4, 0.0, 0.2)])
def test_how_many_cheats_are_found_hangs_on_how_much_honest_submissions_differ(
    between: float, low: float, high: float
) -> None:
    """The figures of docs/reproduction.md in small: 12 honest submissions of four trainings each, and a cheat."""
    random = np.random.default_rng(3)
    found = 0
    for _ in range(50):
        records = ledger(random, 12, 4, between) + [record("cheat", i, fake(random)) for i in range(4)]
        found += any(key.startswith("cheat") for key in flags(records))
    assert low * 50 <= found <= high * 50


@pytest.mark.parametrize(("submissions", "each", "between"), [(5, 5, 0.7), (10, 4, 0.7), (10, 4, 0.0), (1, 12, 0.0)])
def test_honest_spread_is_flagged_at_the_nominal_rate(
    submissions: int, each: int, between: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a level of 5 % instead of 0.1 %, so that a hundred ledgers can show it: at most 11 of 100."""
    random = np.random.default_rng(9)
    ledgers = [ledger(random, submissions, each, between) for _ in range(100)]
    assert not any(flags(records) for records in ledgers)
    monkeypatch.setattr(plausibility, "LEVEL", 0.05)
    assert sum(bool(flags(records)) for records in ledgers) <= 11


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (5, 3, 1, 8), (2, 2, 40, 2, 7, 1)])
def test_all_at_once_is_one_by_one(sizes: tuple[int, ...]) -> None:
    random = np.random.default_rng(sum(sizes))
    groups = [(3 + random.normal(0, 1) + random.normal(0, 0.3, size)).tolist() for size in sizes]
    expected, p = leave_one_out(_Groups.of(groups))
    for index, own in enumerate(groups):
        wanted = predict(own, groups[:index] + groups[index + 1 :])
        assert (expected[index], p[index]) == pytest.approx(wanted, rel=1e-9)
