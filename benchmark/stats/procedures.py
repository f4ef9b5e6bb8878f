"""Ours and the procedures it replaces, as functions from one experiment to a p-value.

The replaced ones are what papers on this task use: a test over images, or over trainings alone, or
a bootstrap of one of them. They are here to be measured by `calibration`, not to be used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.stats import pigeonhole, secondary
from benchmark.stats.design import Design
from benchmark.stats.generator import Experiment, tallies
from benchmark.stats.pseudo import Tally, f1
from benchmark.stats.verdict import MARGIN, Contrast, contrast

Floats = npt.NDArray[np.float64]


TEST_TO_TRAIN = 1 / 3
"""One fold in five is tested and three are trained on; the fifth chooses the epoch."""


class Sample:
    """One experiment, with what several procedures need of it computed once.

    Args:
        experiment: its predictions.
        design: which training tested which group.
        draws: of the bootstrap.
        margin: of equivalence.
    """

    def __init__(self, experiment: Experiment, design: Design, draws: pigeonhole.Draws, margin: float = MARGIN) -> None:
        self.experiment, self.design, self.draws, self.margin = experiment, design, draws, margin
        self.arm, self.baseline = tallies(experiment, design.groups)

    @cached_property
    def contrast(self) -> Contrast:
        """Ours."""
        return contrast(self.arm, self.baseline, self.design, margin=self.margin, draws=self.draws)

    @cached_property
    def gains(self) -> Floats:
        """Gain in macro-F1 of every training, shape (trainings,)."""
        return by_training(self.arm, self.design) - by_training(self.baseline, self.design)


def by_training(counts: Tally, design: Design) -> Floats:
    """Macro-F1 of every training on its own block, shape (trainings,)."""
    folded = Tally(*(np.add.reduceat(part, design.starts, axis=1) for part in counts))
    rows, blocks, classes = folded.hits.shape
    return np.asarray(np.nanmean(f1(Tally(*(part.reshape(rows * blocks, 1, classes) for part in folded))), axis=1))


def _influence(experiment: Experiment, classes: int) -> Floats:
    """First-order influence of every image on the gain, mean over repeats, shape (images,)."""
    truth = experiment.truth
    total = np.zeros(len(truth))
    true = np.bincount(truth, minlength=classes)
    present = true > 0
    for sign, arm in ((1, experiment.arm), (-1, experiment.baseline)):
        for predicted in arm:
            right = predicted == truth
            size = true + np.bincount(predicted, minlength=classes)
            score = np.where(present, 2 * np.bincount(truth[right], minlength=classes) / np.maximum(size, 1), 0.0)
            weight = np.where(present, score / np.maximum(size, 1), 0.0)
            total += sign * (2 * right / np.maximum(size, 1)[truth] - weight[truth] - weight[predicted])
    return np.asarray(total * len(truth) / present.sum() / len(experiment.arm))


def ours(sample: Sample) -> float:
    """The larger p-value of the two-way t test and the pigeonhole bootstrap."""
    return sample.contrast.p


def two_way_t(sample: Sample) -> float:
    """The two-way cluster-robust t test alone."""
    return sample.contrast.p_test


def pigeonhole_bootstrap(sample: Sample) -> float:
    """The corrected pigeonhole bootstrap alone."""
    return sample.contrast.p_bootstrap


def satterthwaite(sample: Sample) -> float:
    """Variance components with Satterthwaite degrees of freedom."""
    return sample.contrast.p_satterthwaite


def nadeau_bengio(sample: Sample) -> float:
    """Corrected resampled t over trainings: a fifth of the groups tested, three fifths trained on."""
    return secondary.nadeau_bengio(sample.gains, TEST_TO_TRAIN).p


def mcnemar(sample: Sample) -> float:
    """Exact McNemar test over images, of the first training of each group."""
    found = sample.experiment
    return secondary.mcnemar(found.arm[0] == found.truth, found.baseline[0] == found.truth).p


def paired_t(sample: Sample) -> float:
    """Paired t over trainings."""
    return float(stats.ttest_1samp(sample.gains, 0.0).pvalue) if np.ptp(sample.gains) else 1.0


def wilcoxon(sample: Sample) -> float:
    """Wilcoxon signed-rank over trainings."""
    return float(stats.wilcoxon(sample.gains).pvalue) if sample.gains.any() else 1.0


def image_bootstrap(sample: Sample) -> float:
    """Bootstrap over images of averaged trainings, by its limit: the normal with the images' influences."""
    influence = _influence(sample.experiment, sample.arm.hits.shape[2])
    gain, se = sample.contrast.gain, float(np.std(influence)) / np.sqrt(len(influence))
    return float(2 * stats.norm.sf(abs(gain) / se)) if se else 1.0


def group_bootstrap(sample: Sample) -> float:
    """Percentile bootstrap over groups of averaged trainings."""
    which = pigeonhole.only_groups(sample.draws)
    arm, baseline = (pigeonhole.scores(one, sample.design, which) for one in (sample.arm, sample.baseline))
    return pigeonhole.two_sided(arm - baseline)


PROCEDURES: dict[str, Callable[[Sample], float]] = {
    "ours": ours,
    "two-way t": two_way_t,
    "pigeonhole": pigeonhole_bootstrap,
    "Satterthwaite": satterthwaite,
    "Nadeau-Bengio": nadeau_bengio,
    "McNemar": mcnemar,
    "paired t": paired_t,
    "Wilcoxon": wilcoxon,
    "image bootstrap": image_bootstrap,
    "group bootstrap": group_bootstrap,
}
"""What is calibrated, ours first."""


def favours(name: str, sample: Sample) -> bool:
    """Whether a procedure's difference is in favour of the arm: McNemar's is that of the first training."""
    if name == "McNemar":
        found = sample.experiment
        return int((found.arm[0] == found.truth).sum()) > int((found.baseline[0] == found.truth).sum())
    return sample.contrast.gain > 0
