from typing import Any

import pytest

from benchmark.errors import InputError
from benchmark.findings import summary
from benchmark.overview import ranks
from benchmark.results import Results
from benchmark.withdrawal import Withdrawn, withdraw


@pytest.fixture
def two(maker: Any) -> Any:
    maker.fill(name="good", imagenet=0.6, two_step=0.8)
    maker.fill(name="bad", imagenet=0.6, two_step=0.95)
    return maker


def test_a_withdrawn_submission_is_not_listed_or_ranked_and_says_why(two: Any) -> None:
    record = withdraw(two.ledger, "bad", "  had seen the test images ")
    assert record["reason"] == "had seen the test images" and two.ledger.withdrawals() == [record]
    results = Results(two.ledger)
    assert {trial.submission for trial in results.listed().trials} == {"good"}
    assert [one["submission"] for one in ranks(results)] == ["bad", "good"]
    assert [one["submission"] for one in ranks(results.listed())] == ["good"]
    assert {row["submission"]: row["withdrawn"] for row in summary(results)} == {"good": False, "bad": True}


def test_the_family_of_the_others_stays_as_large(two: Any) -> None:
    before = summary(Results(two.ledger), submissions=["good"])[0]["protocols"]["two-step"]["gain"]
    withdraw(two.ledger, "bad", "why")
    after = summary(Results(two.ledger), submissions=["good"])[0]["protocols"]["two-step"]["gain"]
    assert after["family"] == 2 and after["p_adjusted"] == before["p_adjusted"]


def test_a_later_version_is_listed_again(two: Any) -> None:
    withdraw(two.ledger, "bad", "why")
    two.add("imagenet", 0, name="bad", submission={"name": "bad", "model": "m2", "code": None, "pinned": True})
    found = {(trial.submission, trial.model) for trial in Results(two.ledger).listed().trials}
    assert found == {("good", "m:None"), ("bad", "m2:None")}
    gone = Withdrawn(two.ledger.withdrawals())
    assert gone.of("bad", "m:None") is not None and gone.of("bad", "m2:None") is None


def test_nothing_is_deleted_and_the_chain_holds(two: Any) -> None:
    records = two.ledger.records()
    withdraw(two.ledger, "bad", "why")
    assert two.ledger.records() == records and two.ledger.verify() == []
    assert two.ledger.head() == two.ledger.withdrawals()[-1]["hash"]


@pytest.mark.parametrize(
    ("name", "reason", "problem"),
    [
        ("nobody", "why", "no record of this submission; found 'nobody'; allowed: bad, good"),
        ("bad", "  ", "reason: must say why"),
        ("bad", "a\nb", "one line of 1 to 500 characters"),
        ("bad", "x" * 501, "one line of 1 to 500 characters"),
    ],
)
def test_what_cannot_be_withdrawn_is_an_error_and_changes_nothing(
    two: Any, name: str, reason: str, problem: str
) -> None:
    before = two.ledger.path.read_bytes()
    with pytest.raises(InputError, match=problem):
        withdraw(two.ledger, name, reason)
    assert two.ledger.path.read_bytes() == before


def test_the_same_versions_twice_is_an_error(two: Any) -> None:
    withdraw(two.ledger, "bad", "why")
    with pytest.raises(InputError, match="is withdrawn already"):
        withdraw(two.ledger, "bad", "again")


def test_verify_finds_a_withdrawal_of_what_was_never_recorded(two: Any) -> None:
    two.ledger.append({"type": "withdrawal", "submission": "bad", "versions": ["m3:None"], "reason": "x", "ended": ""})
    [finding] = two.ledger.verify()
    assert finding.line == 41 and "no record before it" in finding.problem


def test_other_weights_are_another_version_with_the_same_trainings_from_scratch(maker: Any) -> None:
    maker.add("scratch", 0)
    maker.add("imagenet", 0, weights="1" * 64)
    maker.add("imagenet", 0, weights="2" * 64, ended="2026-03-01T00:00:00+00:00")
    results = Results(maker.ledger)
    assert {trial.weights[:1]: sorted(arms) for trial, arms in results.trials.items()} == {
        "1": ["imagenet", "scratch"], "2": ["imagenet", "scratch"]}  # fmt: skip
    assert len({trial.version for trial in results.trials}) == 2
    replaced = {row["weights"][:1]: row["replaced"] for row in summary(results)}
    assert replaced == {"1": True, "2": False}


def test_a_withdrawal_names_weights_and_leaves_later_ones_listed(maker: Any) -> None:
    maker.add("imagenet", 0, weights="1" * 64)
    record = withdraw(maker.ledger, "net", "wrong weights")
    assert record["weights"] == {"m:None": ["1" * 64]}
    maker.add("imagenet", 0, weights="2" * 64)
    assert [trial.weights[:1] for trial in Results(maker.ledger).listed().trials] == ["2"]
    withdraw(maker.ledger, "net", "these, too")
    assert not Results(maker.ledger).listed().trials and maker.ledger.verify() == []


def test_a_withdrawal_of_before_weights_were_named_withdraws_all(maker: Any) -> None:
    maker.add("imagenet", 0, weights="1" * 64)
    maker.ledger.append({"type": "withdrawal", "submission": "net", "versions": ["m:None"], "reason": "x", "ended": ""})
    assert not Results(maker.ledger).listed().trials and maker.ledger.verify() == []


def test_verify_finds_a_withdrawal_of_weights_that_nothing_started_from(maker: Any) -> None:
    maker.add("imagenet", 0, weights="1" * 64)
    maker.ledger.append(
        {
            "type": "withdrawal",
            "submission": "net",
            "versions": ["m:None"],
            "weights": {"m:None": ["3" * 64]},
            "reason": "x",
            "ended": "",
        }
    )
    [finding] = maker.ledger.verify()
    assert finding.problem == "withdraws weights that no record before it started from"
