from typing import Any

import numpy as np
import pytest

from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, Entry, Manifest
from benchmark.errors import InputError
from benchmark.findings import summary
from benchmark.results import Results
from benchmark.stats.metrics import confusion, f1_per_class


def gains(maker: Any, over: str = "imagenet", **options: Any) -> dict[str, Any]:
    rows = summary(Results(maker.ledger), over, **options)
    return {
        f"{row['submission']} {row['target']} {name}": entry["gain"]
        for row in rows
        for name, entry in row["protocols"].items()
        if "gain" in entry
    }


def one_group(folds: int = 1) -> Manifest:
    """One group in every fold."""
    entries = [
        Entry(f"c{fold}-{number:02d}", label, f"c{fold}", "", 4, 4, "0" * 64, fold, -1)
        for fold in range(folds)
        for number, label in enumerate(CLASSES)
    ]
    return manifests.build(entries, "cell")


def test_a_clear_gain_is_better_with_everything_a_reader_needs(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    gain = gains(maker)["net tiny two-step"]
    assert (gain["verdict"], gain["exploratory"], gain["adjustment"], gain["family"]) == ("better", False, "Holm", 1)
    assert gain["interval"] == "trainings and groups" and gain["low"] < gain["value"] < gain["high"]
    assert (gain["trainings"], gain["groups"], gain["df"]) == (10, 25, 9)
    assert gain["p_adjusted"] >= gain["p"] == max(gain["p_test"], gain["p_bootstrap"])
    assert 0 < gain["smallest"] < 0.3 and (gain["repeats_for_point"] == 0 or gain["repeats_for_point"] > 2)
    assert gain["sentence"].startswith("On chromosomes of new people or cells, net")


def test_from_five_trainings_there_is_no_verdict_but_the_number_it_takes(maker: Any) -> None:
    maker.fill(repeats=1, imagenet=0.6, two_step=0.95)
    gain = gains(maker)["net tiny two-step"]
    assert gain["verdict"] == "withheld" and gain["interval"] == "groups"
    assert gain["needs"] == "6 trainings or more (found 5; 2 repeats give them)"
    assert gain["needs"] in gain["sentence"]


def test_from_one_training_nothing_is_tested(maker: Any) -> None:
    for arm in ("imagenet", "two-step"):
        maker.add(arm, 0)
    gain = gains(maker)["net tiny two-step"]
    assert gain["verdict"] == "withheld" and "p" not in gain and "found 1" in gain["needs"]


@pytest.mark.parametrize("trainings", [1, 10])
def test_a_gain_on_one_group_is_a_named_error_and_no_number(maker: Any, trainings: int) -> None:
    maker.fill(imagenet=0.5, two_step=0.9)
    maker.manifest = one_group()
    for training in range(trainings):
        for arm in ("imagenet", "two-step"):
            maker.add(arm, 0, training, name="alone")
    rows = summary(Results(maker.ledger))
    alone, other = (row["protocols"]["two-step"] for row in rows)
    assert "gain" not in alone and alone["macro_f1"]["value"] > 0
    assert alone["gain_error"] == (
        f"{maker.ledger.path}: groups tested: alone on tiny: a gain of two-step over imagenet cannot be estimated; "
        "found 1; allowed: 2 or more. Train more folds, or group the data set more finely"
    )
    assert other["gain"]["verdict"] == "better" and other["gain"]["family"] == 2


def test_a_control_on_one_group_gives_no_number_either(maker: Any) -> None:
    maker.manifest = one_group(folds=2)
    for arm in ("imagenet", "two-step"):
        for fold in range(2):
            maker.add(arm, fold)
    maker.add("imagenet-long", 0)
    gain = gains(maker)["net tiny two-step"]
    assert "over_long" not in gain and gain["groups"] == 2


@pytest.mark.parametrize(("long", "transfer"), [(None, "not tested"), (0.5, "yes"), (0.93, "no")])
def test_transfer_must_also_stand_over_the_control(maker: Any, long: float | None, transfer: str) -> None:
    maker.fill(imagenet=0.5, two_step=0.9, **({} if long is None else {"imagenet_long": long}))
    found = gains(maker)
    assert found["net tiny two-step"]["transfer"] == transfer
    assert ("over_long" in found["net tiny two-step"]) == (long is not None)
    if long is not None:
        over = found["net tiny two-step"]["over_long"]
        assert "ImageNet fine-tuning of equal length" in over["sentence"]
        assert found["net tiny imagenet-long"]["exploratory"], "a control is not in the registered family"


def test_what_is_not_better_is_not_asked_about_transfer(maker: Any) -> None:
    maker.fill(imagenet=0.8, two_step=0.8)
    assert gains(maker)["net tiny two-step"]["transfer"] == ""


def test_a_filter_does_not_shrink_the_family(maker: Any) -> None:
    for name in ("a", "b", "c"):
        maker.fill(name=name, imagenet=0.7, two_step=0.72)
    every, one = gains(maker), gains(maker, submissions=["b"])
    assert list(one) == ["b tiny two-step"] and one["b tiny two-step"]["family"] == 3
    assert one["b tiny two-step"]["p_adjusted"] == every["b tiny two-step"]["p_adjusted"]


def test_other_baselines_are_exploratory(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9, scratch=0.5)
    found = gains(maker, over="scratch")
    assert set(found) == {"net tiny two-step", "net tiny imagenet"}
    assert all(gain["adjustment"] == "Benjamini-Hochberg" for gain in found.values())
    assert found["net tiny two-step"]["sentence"].startswith("Exploratory: ")


def test_secondary_columns_say_what_they_rest_on(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    other = gains(maker)["net tiny two-step"]["secondary"]
    truth, first = (np.concatenate([maker.said["two-step", f, 0][i] for f in range(5)]) for i in (0, 1))
    second = np.concatenate([maker.said["imagenet", f, 0][1] for f in range(5)])
    assert other["mcnemar"]["only_first"] == ((first == truth) & (second != truth)).sum()
    assert other["mcnemar"]["only_second"] == ((first != truth) & (second == truth)).sum()
    assert "first repeat" in other["conditional_on"] and other["almost_stochastic_order"] < 0.2
    assert 0 < other["nadeau_bengio_p"] < 1
    gained = []
    for repeat in (0, 1):
        said = [np.concatenate([maker.said[arm, f, repeat][1] for f in range(5)]) for arm in ("two-step", "imagenet")]
        truth = np.concatenate([maker.said["imagenet", f, repeat][0] for f in range(5)])
        gained.append(f1_per_class(confusion(truth, said[0], 24)) - f1_per_class(confusion(truth, said[1], 24)))
    assert [one["gain"] for one in other["by_class"]] == pytest.approx(np.mean(gained, axis=0))


def test_a_duplicated_unit_is_an_error(maker: Any) -> None:
    maker.add("imagenet", 0)
    maker.add("imagenet", 0)
    with pytest.raises(InputError, match="two units of net, imagenet on tiny, repeat 0, fold 0"):
        Results(maker.ledger)


def test_predictions_image_by_image_give_the_same_counts(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    results = Results(maker.ledger)
    [arms] = results.trials.values()
    pair = results.pair(arms, "two-step", "imagenet")
    assert pair is not None
    from benchmark.stats.generator import tallies

    arm, baseline = tallies(results.experiment(arms, pair), pair.groups)
    for one, other in ((arm, pair.arm), (baseline, pair.against)):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
