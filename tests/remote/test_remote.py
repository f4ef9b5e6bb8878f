"""Units on other machines: the same records, nothing trained twice, nothing lost."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.artefacts import Artefacts, Document, clean
from benchmark.artefacts.patience import PATIENCE
from benchmark.artefacts.store import DAY
from benchmark.errors import InfrastructureError, InputError, LostError
from benchmark.remote import execute, node
from benchmark.remote import kit as kits
from tests.remote.conftest import Cluster
from tests.remote.inline import facts


def test_a_remote_run_leaves_the_same_records_as_a_local_one(cluster: Cluster, counting: Any) -> None:
    local = cluster.campaign(cluster.other("local"), store=False)
    cluster.run(local, engine="local")
    remote = cluster.campaign()
    trained = cluster.run(remote)
    assert len(trained) == 3 and facts(remote) == facts(local) and len(facts(local)) == 3
    assert all(record["status"] == "scored" for _, record in trained)
    assert remote.ledger.verify() == [] and cluster.units(remote) == []
    assert len(counting.trained) == 6 and len(set(counting.trained)) == 3
    assert not (cluster.workspace / "units").exists(), "checkpoints are in the store"


def test_a_head_that_lost_its_disk_makes_its_records_again_without_training(cluster: Cluster, counting: Any) -> None:
    first = cluster.campaign()
    cluster.run(first)
    second = cluster.campaign(cluster.other("second"))
    assert len(cluster.run(second)) == 3
    assert facts(second) == facts(first) and second.ledger.verify() == [] and len(counting.trained) == 3


def test_what_a_node_is_asked_for_twice_is_answered_at_once(cluster: Cluster, counting: Any) -> None:
    campaign = cluster.campaign()
    units = cluster.units(campaign)
    cluster.run(campaign)
    kit = next(
        path.name
        for path in (cluster.root / "store" / "blobs").glob("*/*")
        if b"harness" in path.read_bytes()[:4000] and b'"beat"' in path.read_bytes()[:4000]
    )
    documents = [execute(cluster.artefacts.address, kit, unit) for unit in units]
    assert [one["key"] for one in documents] == [unit.key for unit in units] and len(counting.trained) == 3


def test_a_node_that_died_after_training_publishes_what_it_has(
    cluster: Cluster, counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = cluster.campaign()

    def dies(*_: Any) -> None:
        raise InfrastructureError("the node died")

    with monkeypatch.context() as patch:
        patch.setattr(node, "publish", dies)
        with pytest.raises(InfrastructureError, match=r"2 of 3 units could not be run, and 1 that come after"):
            cluster.run(campaign)
    before = list(counting.trained)
    node.node.cache_clear()
    cluster.run(campaign)
    assert sorted(counting.trained) == sorted({*before, *counting.trained}), "nothing is trained twice"
    assert len(facts(campaign)) == 3


def test_a_child_starts_on_another_node_from_its_parents_checkpoint(
    cluster: Cluster, counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = cluster.campaign(cluster.other("local"), store=False)
    cluster.run(local, engine="local")
    campaign = cluster.campaign()
    plan = campaign.plan(["two-stages"], ["sim-q"])
    campaign.run(plan.units[:1], lambda unit, line: None, sandbox="counting", engine="inline")
    cluster.new_node(monkeypatch, "second-node")
    cluster.run(campaign)
    assert facts(campaign) == facts(local)


def test_a_partly_written_checkpoint_is_trained_again_and_the_child_starts_from_the_whole(
    cluster: Cluster, counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = cluster.campaign(cluster.other("local"), store=False)
    cluster.run(local, engine="local")
    counting.trained.clear()
    campaign = cluster.campaign()
    plan = campaign.plan(["two-stages"], ["sim-q"])
    campaign.run(plan.units[:1], lambda unit, line: None, sandbox="counting", engine="inline")
    document = cluster.artefacts.document(plan.units[0].key)
    assert document is not None and document.checkpoint is not None
    blob = cluster.root / "store" / "blobs" / document.checkpoint[:2] / document.checkpoint
    blob.write_bytes(blob.read_bytes()[:1000])
    cluster.new_node(monkeypatch, "second-node")
    cluster.run(campaign)
    assert facts(campaign) == facts(local) and len(campaign.ledger.records()) == 3
    assert counting.trained.count(plan.units[0].key) == 2 and len(counting.trained) == 4
    assert cluster.artefacts.get(document.checkpoint)


def test_a_result_that_is_gone_from_the_store_is_made_again(cluster: Cluster, counting: Any) -> None:
    first = cluster.campaign()
    cluster.run(first)
    key = counting.trained[0]
    document = cluster.artefacts.document(key)
    assert document is not None and document.logits is not None
    cluster.artefacts.discard(document.logits)
    second = cluster.campaign(cluster.other("second"))
    cluster.run(second)
    assert facts(second) == facts(first) and counting.trained.count(key) == 2 and len(counting.trained) == 4


def test_a_models_failure_is_recorded_once_and_its_child_fails_with_the_reason(cluster: Cluster, counting: Any) -> None:
    local = cluster.campaign(cluster.other("local"), store=False)
    counting.failing.append(cluster.units(local)[1].key)
    cluster.run(local, engine="local")
    campaign = cluster.campaign()
    counting.trained.clear()
    cluster.run(campaign)
    assert facts(campaign) == facts(local) and len(counting.trained) == 2
    kinds = sorted((record["failure"] or {}).get("kind", "") for record in campaign.ledger.records())
    assert kinds == ["", "nan", "parent"]
    second = cluster.campaign(cluster.other("second"))
    cluster.run(second)
    cluster.run(second)
    assert facts(second) == facts(local) and len(second.ledger.records()) == 3 and len(counting.trained) == 2


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_failed_units_are_trained_again_when_that_is_asked_for(cluster: Cluster, counting: Any, engine: str) -> None:
    campaign = cluster.campaign(store=engine != "local")
    counting.failing.append(cluster.units(campaign)[1].key)
    cluster.run(campaign, engine)
    counting.failing.clear()
    assert cluster.run(campaign, engine) == []
    cluster.run(campaign, engine, retry_failed=True)
    assert {record["status"] for record in campaign.ledger.by_key().values()} == {"scored"}
    assert campaign.ledger.verify() == []


def test_what_a_laptop_has_trained_a_cluster_goes_on_from(cluster: Cluster, counting: Any) -> None:
    whole = cluster.campaign(cluster.other("whole"), store=False)
    cluster.run(whole, engine="local")
    counting.trained.clear()
    laptop = cluster.campaign(store=False)
    plan = laptop.plan(["two-stages"], ["sim-q"])
    laptop.run(plan.units[:1], lambda unit, line: None, sandbox="counting")
    campaign = cluster.campaign()
    cluster.run(campaign)
    assert facts(campaign) == facts(whole) and len(counting.trained) == 3


def test_the_order_of_test_images_is_a_secret_of_the_node_and_no_test_label_is_in_the_sandbox(
    cluster: Cluster, counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bytes, ...]] = []

    def look(inputs: Path) -> None:
        assert {path.name for path in inputs.iterdir()} == {
            "job.json", "train.npy", "train_labels.npy", "validation.npy", "validation_labels.npy", "test.npy", "code",
        }  # fmt: skip
        seen.append(tuple(map(bytes, np.load(inputs / "test.npy"))))

    monkeypatch.setattr(counting, "during", staticmethod(look))
    kept = []
    for name in ("one", "two"):
        campaign = cluster.campaign(cluster.other(f"head-{name}"))
        cluster.artefacts = campaign.artefacts = Artefacts(str(cluster.root / f"store-{name}"))
        cluster.new_node(monkeypatch, name)
        units = campaign.todo(campaign.plan(["scratch"], ["sim-q"]))
        campaign.run(units, lambda unit, line: None, sandbox="counting", engine="inline")
        kept.append(facts(campaign))
    assert kept[0] == kept[1] and seen[0] != seen[1] and sorted(seen[0]) == sorted(seen[1])


def test_a_node_with_another_revision_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = cluster.campaign()
    monkeypatch.setattr(kits, "harness", lambda: {"version": "0", "code": "other"})
    real = kits.read
    monkeypatch.setattr(
        kits,
        "read",
        lambda *a: (monkeypatch.setattr(kits, "harness", lambda: {"version": "9", "code": "x"}), real(*a))[1],
    )
    with pytest.raises(InfrastructureError, match="this node has another revision of karyobench than the head"):
        cluster.run(campaign)
    assert campaign.ledger.records() == []


def test_a_store_that_is_gone_for_good_records_nothing_and_the_next_run_goes_on(
    cluster: Cluster, counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = cluster.campaign()
    monkeypatch.setenv(PATIENCE, "0.1")
    shutil.rmtree(cluster.root / "store", ignore_errors=True)
    (cluster.root / "store").write_text("no folder")
    with pytest.raises(InputError):
        cluster.run(campaign)
    (cluster.root / "store").unlink()
    cluster.run(campaign)
    assert len(facts(campaign)) == 3


def test_two_heads_with_one_ledger_write_one_record_a_unit(cluster: Cluster) -> None:
    first, second = cluster.campaign(), cluster.campaign()
    units = cluster.units(second)
    cluster.run(first)
    second.run(units, lambda unit, line: None, sandbox="counting", engine="inline")
    assert len(first.ledger.records()) == 3 and first.ledger.verify() == []


def test_a_result_cannot_say_what_a_unit_is_or_scored(cluster: Cluster, counting: Any) -> None:
    campaign = cluster.campaign()
    cluster.run(campaign)
    key = counting.trained[0]
    document = cluster.artefacts.document(key)
    assert document is not None
    result = json.loads(cluster.artefacts.get(document.result)) | {"key": "other", "scores": {"macro_f1": 1.0}}
    cluster.artefacts.forget(key)
    forged = cluster.artefacts.put(json.dumps(result).encode())
    cluster.artefacts.publish(Document.model_validate(document.model_dump() | {"result": forged}))
    second = cluster.campaign(cluster.other("second"))
    cluster.run(second)
    assert facts(second) == facts(campaign)


def test_errors_come_back_from_a_node_as_they_were() -> None:
    import pickle

    again = pickle.loads(pickle.dumps(LostError("parent")))
    assert again.parent == "parent" and isinstance(again, InfrastructureError)
    broken = pickle.loads(pickle.dumps(InputError("wrong", file="f", field="x", found=1, hint="do it")))
    assert (
        str(broken) == str(InputError("wrong", file="f", field="x", found=1, hint="do it")) and broken.hint == "do it"
    )
    assert pickle.loads(pickle.dumps(InfrastructureError("lost", transient=True))).transient


def test_a_store_that_was_cleaned_a_month_later_and_in_the_middle_of_a_run_still_has_all_that_counts(
    cluster: Cluster, counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is made a month old; cleaned while a unit trains, nothing that it needs goes, and after the run only kits do."""
    store, month = cluster.root / "store", time.time() - 30 * DAY
    campaign = cluster.campaign()
    plan = campaign.plan(["two-stages"], ["sim-q"])
    campaign.run(plan.units[:1], lambda unit, line: None, sandbox="counting", engine="inline")
    names = {path.relative_to(store).as_posix() for path in store.glob("blobs/*/*")}
    for path in store.rglob("*"):
        os.utime(path, (month, month))
    cleaned: list[dict[str, int]] = []

    def during(inputs: Path) -> None:
        cleaned.append(clean.remove(cluster.artefacts, clean.survey(cluster.artefacts, 7 * DAY)))

    monkeypatch.setattr(counting, "during", staticmethod(during))
    cluster.new_node(monkeypatch, "second-node")
    cluster.run(campaign)
    assert len(campaign.ledger.records()) == 3 and len(counting.trained) == 3, "no unit is trained twice for it"
    assert len(cleaned) == 2 and cleaned[0] == {}, "its kit names the same images as the kit before it"
    for path in store.rglob("*"):
        os.utime(path, (month, month))
    gone = clean.remove(cluster.artefacts, clean.survey(cluster.artefacts, 7 * DAY))
    assert gone and len(names - gone.keys()) >= 3, "documents keep theirs"
    other = cluster.campaign(cluster.other("another-head"))
    cluster.run(other)
    assert facts(other) == facts(campaign) and len(counting.trained) == 3
