from typing import Any

import numpy as np
import pytest

from benchmark import InputError, IntegrityError, predictions
from benchmark.findings import summary
from benchmark.results import Results


@pytest.fixture
def ledger(maker: Any) -> Any:
    maker.fill(imagenet=0.6, two_step=0.9)
    return maker


def ask(maker: Any, *chosen: str, **options: Any) -> Any:
    return predictions(*(chosen or ("net", "two-step", "tiny")), workspace=maker.ledger.folder.parent, **options)


def test_one_fold_is_what_was_stored_beside_its_images(ledger: Any) -> None:
    found = ask(ledger, fold=2, repeat=1)
    truth, said = ledger.said["two-step", 2, 1]
    assert np.array_equal(found.labels, truth) and np.array_equal(found.predicted, said)
    assert found.logits.shape == (120, 24) and found.logits.dtype == np.float16 and len(found.keys) == 1
    positions = ledger.manifest.part(2, "test")
    assert found.names.tolist() == [ledger.manifest.entries[p].image for p in positions]
    assert found.groups.tolist() == ledger.manifest.groups[positions].tolist() and set(found.folds) == {2}
    assert found.probabilities.sum(1) == pytest.approx(1) and (found.probabilities.argmax(1) == said).all()


def test_a_repeat_holds_every_image_once_fold_by_fold(ledger: Any) -> None:
    found = ask(ledger)
    assert found.folds.tolist() == sorted(found.folds.tolist()) and len(set(found.names)) == len(ledger.manifest)
    assert np.array_equal(found.labels, np.concatenate([ledger.said["two-step", fold, 0][0] for fold in range(5)]))
    table = found.columns()
    assert {len(column) for column in table.values()} == {600} and table["right"].count(True) == sum(
        found.predicted == found.labels
    )


def test_macro_f1_is_that_of_the_table(ledger: Any) -> None:
    [row] = summary(Results(ledger.ledger))
    for protocol in ("imagenet", "two-step"):
        mean = np.mean([ask(ledger, "net", protocol, "tiny", repeat=repeat).macro_f1 for repeat in (0, 1)])
        assert mean == pytest.approx(row["protocols"][protocol]["macro_f1"]["value"], abs=1e-12)


@pytest.mark.parametrize(
    ("chosen", "options", "message"),
    [
        (("nat", "two-step", "tiny"), {}, "no record of this submission; found 'nat'; allowed: net"),
        (("net", "two-step", "tall"), {}, "no record on this target; found 'tall'; allowed: tiny"),
        (("net", "scratch", "tiny"), {}, "no training by this protocol; found 'scratch'; allowed: imagenet, two-step"),
        (("net", "two-step", "tiny"), {"repeat": 2}, r"no such training; found \(2, 'all'\); allowed: 0, 0, 0, 1"),
        (("net", "two-step", "tiny"), {"fold": 5}, r"no such training; found \(0, 5\)"),
        (("net", "two-step", "tiny"), {"version": "x"}, "no such version; found 'x'; allowed: m:None"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(ledger: Any, chosen: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ask(ledger, *chosen, **options)


def test_tracks_are_never_mixed_and_the_newest_version_is_taken(ledger: Any) -> None:
    changed = {"submission": {"name": "net", "model": "n", "code": None, "pinned": True, "document": "other"}}
    ledger.add("two-step", 0, skill=0.1, **changed)
    assert ask(ledger, fold=0).macro_f1 < 0.3 < ask(ledger, fold=0, version="m:").macro_f1
    ledger.add("two-step", 0, **changed, track={"name": "u", "digest": "e", "simulated": False})
    with pytest.raises(InputError, match=r"which track.*allowed: t, u"):
        ask(ledger, fold=0)
    assert ask(ledger, fold=0, track="u").track == "u"


def test_altered_predictions_are_not_given(ledger: Any) -> None:
    key = ask(ledger, fold=0).keys[0]
    ledger.ledger.predictions_path(key).write_bytes(b"other")
    with pytest.raises(IntegrityError, match="predictions are not those of the record"):
        ask(ledger, fold=0)
