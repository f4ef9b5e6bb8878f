from pathlib import Path

from benchmark.insight import outputs
from benchmark.insight.karyotype.compare import compare
from benchmark.ledger import Ledger
from benchmark.results import Results

FOLDER = Path(__file__).parents[3] / "leaderboard" / "ledger"


def test_on_real_predictions_whole_cells_are_read_better_than_single_images() -> None:
    """The published ledger: real chromosomes of 119 and 65 cells, as one training of each fold read them."""
    results = Results(Ledger(FOLDER), "pocket", ["tf-efficientnet-lite0"])
    trials = outputs.trials(results, ["tf-efficientnet-lite0"], "pocket")
    report = compare(results, "pocket", trials, resamples=99)
    assert {one.target: (one.smallest_cell, one.largest_cell) for one in report.trials} == {
        "bioimlab-q": (46, 46), "cir-g": (37, 46),
    }  # fmt: skip
    for trial in report.trials:
        for one in trial.readings:
            assert one.together.value - one.alone.value > 0.015 and one.mended > 4 * one.spoiled
            assert one.complete_together.value > one.complete_alone.value + 0.25
