from typing import Any

import numpy as np
import pytest

from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, Entry, Manifest
from benchmark.errors import InputError
from benchmark.insight import outputs
from benchmark.insight.karyotype.assign import SEXES
from benchmark.insight.karyotype.compare import compare
from benchmark.insight.karyotype.render import markdown
from benchmark.insight.karyotype.schema import Karyotype
from benchmark.results import Results


def whole_cells(cells: int = 20, surplus: int = 0) -> Manifest:
    """Cells of 46 chromosomes, XX and XY by turns; every fourth lacks its first six, the first has some 21 too many."""
    entries = []
    for cell in range(cells):
        classes = SEXES["XY" if cell % 2 else "XX"].tolist()
        classes = classes[6:] if cell % 4 == 0 else classes
        classes = [*classes, *([20] * surplus)] if cell == 1 else classes
        entries += [
            Entry(f"c{cell:02d}-{n:02d}", CLASSES[one], f"c{cell:02d}", "", 4, 4, "0" * 64, cell % 5, -1)
            for n, one in enumerate(classes)
        ]
    return manifests.build(entries, "cell")


def almost_right(maker: Any, fold: int, seed: int, rate: float) -> np.ndarray:
    """Logits that put some of the 7s and 8s just behind a neighbour of theirs, and all others right."""
    part = maker.manifest.part(fold, "test")
    truth = maker.manifest.labels[part]
    random = np.random.default_rng([seed, fold])
    given = np.eye(24)[truth] * 6.0
    for image in np.flatnonzero(np.isin(truth, [6, 7]) & (random.random(len(truth)) < rate)):
        given[image, 9] = 6.5
    return given


def report(maker: Any, repeats: int = 2, rates: tuple[float, float] = (0.5, 0.2)) -> Karyotype:
    maker.manifest = whole_cells()
    for arm, rate in zip(("imagenet", "two-step"), rates, strict=True):
        for repeat in range(repeats):
            for fold in range(5):
                maker.add(arm, fold, repeat, stored=almost_right(maker, fold, repeat + 10 * (arm == "two-step"), rate))
    results = Results(maker.ledger, "t")
    return compare(results, "t", outputs.trials(results, ["net"], "t"), resamples=499)


def test_errors_that_make_a_third_copy_are_mended_and_the_gain_of_two_step_shrinks(maker: Any) -> None:
    [trial] = report(maker).trials
    for one in trial.readings:
        assert one.together.value == 1.0 and one.complete_together.value == 1.0, "a 10 too many is a 7 or an 8"
        assert one.alone.value < 0.99 and one.difference.value == pytest.approx(one.together.value - one.alone.value)
        assert one.difference.verdict == "better" and one.changed == one.mended > 0 and one.spoiled == 0
        assert (one.cells, one.groups, one.repeats, one.folds, one.sex) == (20, 20, 2, (0, 1, 2, 3, 4), 1.0)
    assert (trial.smallest_cell, trial.largest_cell) == (40, 46)
    gain = trial.gain
    assert gain is not None and gain.alone.value > 0 and gain.together.value == 0
    assert gain.change.value == pytest.approx(-gain.alone.value) and gain.change.verdict == "worse"
    assert "the gain of two-step over imagenet shrinks" in gain.sentence


def test_with_one_repeat_there_are_intervals_of_groups_and_no_verdict(maker: Any) -> None:
    found = report(maker, repeats=1)
    [trial] = found.trials
    assert {one.difference.verdict for one in trial.readings} == {"withheld"}
    assert trial.readings[0].difference.basis == "groups" and trial.readings[0].difference.p_adjusted is None
    assert "no verdict: fewer than six trainings or groups" in trial.sentences[0]
    text = markdown(found)
    assert (
        "which images make a cell" in text
        and "presumes a normal karyotype" in text
        and "40 to 46 images a cell on tiny" in text
    )


def test_p_values_are_adjusted_over_all_differences_of_the_report(maker: Any) -> None:
    [trial] = report(maker).trials
    assert trial.gain is not None
    shown = [one.difference for one in trial.readings] + [trial.gain.change]
    assert all(one.p is not None and one.p_adjusted is not None and one.p_adjusted >= one.p for one in shown)
    assert max(one.p_adjusted or 0 for one in shown) == max(one.p or 0 for one in shown), "the largest is as it was"
    assert trial.readings[0].alone.p is None


def test_what_is_too_many_in_a_cell_stays_what_it_is(maker: Any) -> None:
    maker.manifest = whole_cells(surplus=2)
    maker.add("scratch", 1, stored=almost_right(maker, 1, 0, 0.0))
    results = Results(maker.ledger, "t")
    [trial] = compare(results, "t", outputs.trials(results, ["net"], "t"), resamples=99).trials
    assert trial.largest_cell == 48 and trial.readings[0].changed == 0 and trial.readings[0].together.value == 1


def test_one_protocol_alone_has_no_gain(maker: Any) -> None:
    maker.manifest = whole_cells()
    maker.add("scratch", 0, stored=almost_right(maker, 0, 0, 0.5))
    results = Results(maker.ledger, "t")
    found = compare(results, "t", outputs.trials(results, ["net"], "t"), resamples=99)
    assert found.trials[0].gain is None and [one.protocol for one in found.trials[0].readings] == ["scratch"]
    assert "Two-step and imagenet are not both in the ledger" in markdown(found)


def test_a_dataset_without_cells_is_named(maker: Any) -> None:
    entries = [
        Entry(f"i{n:02d}-{f}", one, "", f"p{f}{n % 2}", 4, 4, "0" * 64, f, -1)
        for n, one in enumerate(CLASSES)
        for f in range(5)
    ]
    maker.manifest = manifests.build(entries, "case")
    maker.add("imagenet", 0)
    results = Results(maker.ledger, "t")
    with pytest.raises(InputError, match="tiny: no cell is known, so that none can be read as a whole"):
        compare(results, "t", outputs.trials(results, ["net"], "t"))
