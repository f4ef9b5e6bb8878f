from typing import Any

import numpy as np

from benchmark.board import figures
from benchmark.board.counted import counted
from benchmark.board.reading import Reading


def test_what_is_counted_together_is_what_is_counted_alone(maker: Any) -> None:
    """Arms of other designs among them: another target, missing folds, one repeat, nothing scored."""
    for name, skill in (("one", 0.9), ("two", 0.4), ("three", 0.7)):
        maker.fill(name=name, imagenet=skill, two_step=skill - 0.1)
    maker.fill(name="one", target="other", scratch=0.5)
    maker.fill(name="four", repeats=1, imagenet=0.6)
    maker.add("imagenet", 0, name="five")
    maker.add("scratch", 1, name="five", failed=True)
    reading = Reading(maker.ledger)
    found = counted(reading, reading.by_submission)
    assert {(trial.submission, trial.target): list(arms) for trial, arms in found.items()} == {
        ("one", "tiny"): ["imagenet", "two-step"], ("two", "tiny"): ["imagenet", "two-step"], ("three", "tiny"): ["imagenet", "two-step"],
        ("one", "other"): ["scratch"], ("four", "tiny"): ["imagenet"], ("five", "tiny"): ["imagenet"],
    }  # fmt: skip
    for trial, arms in found.items():
        for name, one in arms.items():
            arm = reading.results.trials[trial][name]
            [alone] = figures.of(reading.results, [arm], arm.full)
            assert one == alone
            matrix = np.array(one.confusion)
            assert matrix.sum() == sum(one.true) * len({repeat for repeat, _ in arm.full})
            assert np.diagonal(matrix).sum() == sum(one.hits)
    assert found and max(len(told) for arms in found.values() for one in arms.values() for told in one.mistakes) == 3
