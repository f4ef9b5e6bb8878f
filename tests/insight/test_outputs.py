from typing import Any

import numpy as np
import pytest

from benchmark.data import manifest as manifests
from benchmark.data.manifest import Entry
from benchmark.errors import InputError
from benchmark.insight import outputs
from benchmark.results import Results
from benchmark.stats.generator import count


def open_results(maker: Any) -> Results:
    return Results(maker.ledger, "t")


def test_images_groups_and_logits_are_in_one_order(maker: Any) -> None:
    maker.fill(imagenet=0.7, two_step=0.9)
    results = open_results(maker)
    [trial] = outputs.trials(results, ["net"], "t")
    found = outputs.read(results, trial, ["imagenet", "two-step"])
    arms = results.trials[trial]
    pair = results.pair(arms, "two-step", "imagenet")
    assert pair is not None and found.places == pair.places and found.blocks == pair.blocks
    own = count(found.truth, found.column, found.said["two-step"], found.groups)
    assert all(np.array_equal(a, b) for a, b in zip(own, pair.arm, strict=True))
    assert found.names == results.group_names(arms["imagenet"], found.places)
    assert [found.manifest.entries[p].cell for p in found.positions] == [found.names[c] for c in found.column]
    assert found.wrong["imagenet"].mean() == pytest.approx(0.3, abs=0.05) and found.repeats == 2
    assert found.ids(np.array([0]))[0] == found.manifest.entries[found.positions[0]].image


def test_only_what_all_protocols_share_is_read(maker: Any) -> None:
    maker.fill(imagenet=0.7, two_step=0.9)
    maker.add("scratch", 1)
    results = open_results(maker)
    [trial] = outputs.trials(results, ["net"], "t")
    found = outputs.read(results, trial, outputs.ran(results.trials[trial]))
    assert list(found.logits) == ["scratch", "imagenet", "two-step"] and found.places == [(0, 1)] and found.groups == 5


def test_the_same_name_of_a_cell_in_two_cases_is_two_cells_and_a_split_cell_is_an_error() -> None:
    def entry(image: str, cell: str, case: str, fold: int) -> Entry:
        return Entry(image, "1", cell, case, 4, 4, "0" * 64, fold, -1)

    two = manifests.build([entry("a", "1", "p", 0), entry("b", "1", "q", 1), entry("c", "", "q", 1)], "case")
    assert outputs.cells(two).tolist() == [0, 1, -1]
    split = manifests.build([entry("a", "1", "p", 0), entry("b", "1", "p", 1)], "case")
    with pytest.raises(InputError, match="cell 1: images of one cell stand in several folds or groups"):
        outputs.cells(split)


def test_the_committed_manifests_hold_no_split_cell() -> None:
    for name, by, count_ in (("bioimlab-q", "cell", 119), ("cir-g", "case", 65)):
        found = manifests.shipped(name, by)
        assert found is not None and outputs.cells(found).max() + 1 == count_


def test_what_is_missing_is_named(maker: Any) -> None:
    maker.fill(imagenet=0.7)
    maker.add("two-step", 0, failed=True)
    results = open_results(maker)
    [trial] = outputs.trials(results, ["net"], "t")
    with pytest.raises(
        InputError,
        match=r"protocol: net has no predictions of this protocol on tiny; found 'two-step'; allowed: imagenet. Run: karyobench run net --track t -p two-step",
    ):
        outputs.read(results, trial, ["imagenet", "two-step"])
    with pytest.raises(InputError, match=r"no record of this submission on the track t; found 'other'; allowed: net"):
        outputs.trials(results, ["other"], "t")
    with pytest.raises(InputError, match=r"no record of this target; found 'cir-g'; allowed: tiny"):
        outputs.trials(results, ["net"], "t", "cir-g")


def test_failed_trainings_alone_are_no_predictions(maker: Any) -> None:
    maker.add("imagenet", 0, failed=True)
    results = open_results(maker)
    with pytest.raises(InputError, match="net: no scored training"):
        outputs.trials(results, ["net"], "t")


def test_protocols_that_share_no_fold_are_named(maker: Any) -> None:
    maker.add("imagenet", 0)
    maker.add("two-step", 1)
    results = open_results(maker)
    [trial] = outputs.trials(results, ["net"], "t")
    with pytest.raises(InputError, match="net on tiny: no fold was trained by all of imagenet, two-step"):
        outputs.read(results, trial, ["imagenet", "two-step"])
