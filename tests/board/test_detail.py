from typing import Any

import numpy as np
import pytest

from benchmark.board.collect import board
from benchmark.board.detail import pages, tallies
from benchmark.board.detail_model import Detail
from benchmark.board.reading import Reading
from benchmark.results import Results
from benchmark.stats.metrics import confusion
from benchmark.stats.pseudo import Tally, macro, tally
from benchmark.withdrawal import withdraw
from tests.conftest import TRACK


def told(maker: Any, name: str = "net") -> Detail:
    reading = Reading(maker.ledger)
    return next(one for one in pages(reading, board(reading)) if one.submission == name).make()[0]


def test_confusions_are_summed_over_repeats_and_classes_carry_their_gains(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    [track] = told(maker).tracks
    [target] = track.targets
    truth, said = (np.concatenate([maker.said["two-step", f, r][i] for r in (0, 1) for f in range(5)]) for i in (0, 1))
    assert np.array_equal(target.confusion["two-step"], confusion(truth, said, 24))
    assert len(target.by_class) == 24
    for one in target.by_class:
        assert one.gain == pytest.approx(one.f1["two-step"] - one.f1["imagenet"])
        assert one.low is not None and one.high is not None and one.low <= one.gain <= one.high


def test_the_worst_groups_come_first_with_their_commonest_mistakes(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    worst = told(maker).tracks[0].targets[0].worst
    read = [one.accuracy["two-step"] for one in worst]
    assert len(worst) == 12 and read == sorted(read) and read[0] < 0.95
    cell, found = worst[0].group, []
    for repeat in (0, 1):
        for fold in range(5):
            truth, said = maker.said["two-step", fold, repeat]
            groups = maker.manifest.groups[maker.manifest.part(fold, "test")]
            found += [(t, s) for t, s, g in zip(truth, said, groups, strict=True) if g == cell]
    assert worst[0].images == 24 and len(found) == 48
    assert read[0] == pytest.approx(np.mean([t == s for t, s in found]))
    first = worst[0].confusions[0]
    names = [str(n) for n in range(1, 23)] + ["X", "Y"]
    counted = {f"{names[t]}→{names[s]} ×{found.count((t, s))}" for t, s in found if t != s}
    assert set(worst[0].confusions) <= counted and first.endswith(f"×{max(int(c.split('×')[1]) for c in counted)}")


def test_every_record_is_listed_with_what_made_it(maker: Any) -> None:
    log = [{"epoch": 1, "loss": 2.0, "validation_macro_f1": 0.5}, {"epoch": 2, "loss": 1.0}]
    maker.add("imagenet", 0, log=log, epochs=2, environment={"device": "A device"}, harness={"version": "0.1.0", "code": "c"},
              packages={"torch": "2"}, sandbox="docker", sandbox_details={"image": "sha256:1"}, chain=["ImageNet", "tiny"])  # fmt: skip
    maker.add("two-step", 1, failed=True)
    [target] = told(maker).tracks[0].targets
    first, second = target.records
    assert (first.device, first.harness, first.image, first.chain) == (
        "A device",
        "0.1.0 c",
        "sha256:1",
        ("ImageNet", "tiny"),
    )
    assert (
        first.key == maker.ledger.records()[0]["key"]
        and first.macro_f1 == maker.ledger.records()[0]["scores"]["macro_f1"]
    )
    assert (second.status, second.failure, second.macro_f1, second.device) == ("failed", "nan", None, "not recorded")
    [curve] = target.curves
    assert curve.loss == (2.0, 1.0) and curve.macro_f1 == (0.5, None)


def test_the_document_is_told_without_what_its_author_left_out(maker: Any) -> None:
    maker.ledger.put_document("submissions", "doc", {"name": "net", "title": "Net", "paper": "https://x.org", "note": None,
                                                     "model": {"timm": "r", "kwargs": {}}, "license": "MIT"})  # fmt: skip
    maker.add("imagenet", 0, submission={"name": "net", "model": "m", "code": None, "pinned": True, "document": "doc"})
    found = told(maker)
    assert (found.title, found.paper, found.license, found.note) == ("Net", "https://x.org", "MIT", None)
    assert "note" not in found.yaml and "kwargs" not in found.yaml and "timm: r" in found.yaml


def test_earlier_versions_stay_listed_and_a_withdrawn_one_says_why(maker: Any) -> None:
    maker.fill(imagenet=0.6)
    new = {"name": "net", "model": "m2", "code": "c", "pinned": True, "document": "other"}
    maker.add("imagenet", 0, submission=new, ended="2026-03-01T00:00:00+00:00", weights="w")
    found = told(maker)
    assert [(v.model, v.code, v.weights, v.records, v.current) for v in found.versions] == [
        ("m2", "c", ("w",), 1, True), ("m", None, (), 10, False)]  # fmt: skip
    assert found.withdrawal is None
    withdraw(maker.ledger, "net", "a mistake")
    found = told(maker)
    assert found.withdrawal is not None and found.withdrawal.reason == "a mistake"
    assert "withdrawn" in found.tracks[0].targets[0].row.badges
    assert {change.kind for change in found.changes} == {"entered", "replaced", "withdrawn"}


def test_tallies_hold_what_macro_f1_is_made_of(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    [found] = tallies(Reading(maker.ledger), "net")
    results = Results(maker.ledger)
    [arms] = results.trials.values()
    for counts in found.counts:
        shape = len(counts.repeats), counts.groups, 24
        true = np.broadcast_to(np.array(counts.true, float).reshape(shape[1:]), shape)
        ours = Tally(np.array(counts.hits, float).reshape(shape), np.array(counts.claimed, float).reshape(shape), true)
        arm = arms[counts.protocol]
        wanted = tally(results.matrices([arm], arm.full)[0])
        assert all(np.array_equal(a, b) for a, b in zip(ours, wanted, strict=True))
        assert counts.folds == (5,) * 5 and counts.repeats == (0, 1)
        assert macro(ours) == pytest.approx(macro(wanted))
    assert found.manifests == {"tiny": maker.manifest.digest}


def test_the_track_with_most_answers_leads_the_page_of_a_submission(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    maker.ledger.put_document("tracks", "a-leak", {**TRACK, "name": "a-leak"})
    for target in ("tiny", "other"):
        maker.add("imagenet", 0, target=target, track={"name": "a-leak", "digest": "a-leak", "simulated": False})
    assert [one.track for one in told(maker).tracks] == ["t", "a-leak"]


def test_an_arm_of_which_nothing_was_scored_has_records_and_no_figures(maker: Any) -> None:
    maker.add("imagenet", 0, failed=True)
    [target] = told(maker).tracks[0].targets
    assert target.confusion == {} and target.worst == () and len(target.records) == 1
    assert tallies(Reading(maker.ledger), "net")[0].counts == ()
