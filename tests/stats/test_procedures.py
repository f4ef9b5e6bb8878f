import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar

from benchmark.stats import pigeonhole
from benchmark.stats.design import Design
from benchmark.stats.generator import MILD, Experiment, simulate
from benchmark.stats.procedures import PROCEDURES, Sample, _influence

DESIGN = Design(2, (4, 3, 3, 3, 3))


@pytest.fixture(scope="module")
def sample() -> Sample:
    found = simulate(np.random.default_rng(1), 2, DESIGN.blocks, MILD, 0.4)
    return Sample(found, DESIGN, pigeonhole.draw(DESIGN, 999, 0))


def by_hand(found: Experiment) -> list[float]:
    """Gain of every training by scikit-learn, repeat by repeat, fold by fold."""
    gains = []
    for arm, baseline in zip(found.arm, found.baseline, strict=True):
        for block in range(5):
            chosen = DESIGN.block_of[found.group] == block
            truth = found.truth[chosen]
            scores = [
                f1_score(truth, said[chosen], labels=np.unique(truth), average="macro", zero_division=0)
                for said in (arm, baseline)
            ]
            gains.append(scores[0] - scores[1])
    return gains


def test_gains_by_training_are_those_of_scikit_learn(sample: Sample) -> None:
    assert list(sample.gains) == pytest.approx(by_hand(sample.experiment))


def test_tests_over_trainings_are_those_of_scipy(sample: Sample) -> None:
    gains = by_hand(sample.experiment)
    assert PROCEDURES["paired t"](sample) == pytest.approx(stats.ttest_1samp(gains, 0).pvalue)
    assert PROCEDURES["Wilcoxon"](sample) == pytest.approx(stats.wilcoxon(gains).pvalue)


def test_mcnemar_is_that_of_statsmodels_over_all_images_once(sample: Sample) -> None:
    found = sample.experiment
    right, other = found.arm[0] == found.truth, found.baseline[0] == found.truth
    table = [[(right & other).sum(), (right & ~other).sum()], [(~right & other).sum(), (~right & ~other).sum()]]
    assert PROCEDURES["McNemar"](sample) == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_influence_of_images_gives_the_spread_of_an_image_bootstrap(sample: Sample) -> None:
    found = sample.experiment
    influence = _influence(found, 24)
    assert influence.mean() == pytest.approx(0, abs=1e-12)
    random, gains = np.random.default_rng(0), []
    for _ in range(300):
        drawn = random.integers(len(found.truth), size=len(found.truth))
        scores = [
            np.mean([f1_score(found.truth[drawn], row[drawn], average="macro", labels=range(24)) for row in said])
            for said in (found.arm, found.baseline)
        ]
        gains.append(scores[0] - scores[1])
    assert influence.std() / np.sqrt(len(influence)) == pytest.approx(np.std(gains), rel=0.15)


def test_ours_is_the_more_careful_of_its_two_parts(sample: Sample) -> None:
    found = {name: procedure(sample) for name, procedure in PROCEDURES.items()}
    assert found["ours"] == max(found["two-way t"], found["pigeonhole"])
    assert all(0 <= p <= 1 for p in found.values()) and len(set(found.values())) >= 9, "they are not one another"


def test_arms_that_say_the_same_differ_by_no_procedure() -> None:
    one = simulate(np.random.default_rng(2), 2, DESIGN.blocks, MILD)
    same = Sample(one._replace(baseline=one.arm), DESIGN, pigeonhole.draw(DESIGN, 99, 0))
    assert {procedure(same) for procedure in PROCEDURES.values()} == {1.0}
