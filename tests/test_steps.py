from typing import Any

from benchmark.findings import summary
from benchmark.results import Results
from benchmark.steps import only_steps


def test_a_data_set_that_only_taught_is_no_result(maker: Any) -> None:
    """The first step of `two-step[drawn]` is a training on `drawn`, which its track does not ask about."""
    own = {"train_images": 100, "epochs": 2}
    for target in ("tiny", "other", "drawn", "mine", "asked"):
        for fold in (0, 1):
            maker.add("imagenet", fold, target=target, **own)
    before = {record["dataset"]["name"]: record["key"] for record in maker.ledger.records()}
    for source in ("other", "drawn", "mine"):
        maker.add(f"two-step[{source}]", 1, parent=before[source], **own)
    maker.add("scratch", 1, target="mine", **own)
    maker.add("imagenet", 1, target="drawn", name="net2", **own)
    maker.add("source-shuffled", 0, target="drawn", **own)
    units = maker.ledger.by_key()
    hidden = [units[key] for key in only_steps(units, maker.ledger)]
    assert sorted((one["submission"]["name"], one["dataset"]["name"], one["arm"], one["fold"]) for one in hidden) == [
        ("net", "drawn", "imagenet", 0), ("net", "drawn", "imagenet", 1), ("net", "drawn", "source-shuffled", 0),
    ]  # fmt: skip
    assert {(trial.submission, trial.target): list(arms) for trial, arms in Results(maker.ledger).trials.items()} == {
        ("net", "tiny"): ["imagenet", "two-step[other]", "two-step[drawn]", "two-step[mine]"],
        ("net", "other"): ["imagenet"],  # taught, too, and is a target
        ("net", "mine"): ["imagenet", "scratch"],  # is none and taught, too; more was asked of it
        ("net", "asked"): ["imagenet"],  # is none, and taught nobody
        ("net2", "drawn"): ["imagenet"],
    }
    rows = summary(Results(maker.ledger, submissions=["net"]), "imagenet")
    assert [row["target"] for row in rows] == ["asked", "mine", "other", "tiny"]
