"""Proxy A-distance: how well a classifier can tell two domains apart on groups that it has not seen.

2 (1 - 2 ε) with ε its error, the mean of both domains' (Ben-David et al. 2007): 0 where it can only guess, 2 where it
never errs. From 2 on it cannot grow: two pairs of domains that are both told apart without error are not
equally far apart, but this measure can't say which is farther.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmark.insight.measure import Measure
from benchmark.insight.resample import Floats, Ints

FOLDS = 5
WITHIN = 3
"""Splits of a domain into halves that are tried; each takes a cross-validation of its own."""


class ADistance(Measure):
    """With a logistic regression, cross-validated by group.

    Args:
        features: of each domain, (images, d).
        groups: number of the group of each image, (images,), from 0 without gaps.
        seed: of the folds.
    """

    key, title = "a-distance", "proxy A-distance"
    meaning = "how well a linear classifier tells them apart: 0 not at all, 2 without error, which is its end"

    def __init__(self, features: Sequence[npt.NDArray[np.floating]], groups: Sequence[Ints], seed: int = 0) -> None:
        self._features, self._groups, self.seed = list(features), list(groups), seed
        self._errors: dict[tuple[int, int], tuple[Floats, Floats]] = {}

    def errors(self, a: int, b: int) -> tuple[Floats, Floats]:
        """Errors on the unseen images of each group of `a` and of `b`."""
        if (b, a) in self._errors:
            first, second = self._errors[b, a]
            return second, first
        if (a, b) not in self._errors:
            wrong = held_out(self._features[a], self._features[b], self._groups[a], self._groups[b], self.seed)
            self._errors[a, b] = (
                np.bincount(self._groups[a], weights=wrong[0]).astype(np.float64),
                np.bincount(self._groups[b], weights=wrong[1]).astype(np.float64),
            )
        return self._errors[a, b]

    def between(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """With the classifiers at hand: other groups are drawn, but none is trained anew."""
        rates = [
            (weights @ wrong) / (weights @ np.bincount(self._groups[one]))
            for one, weights, wrong in zip((a, b), (wa, wb), self.errors(a, b), strict=True)
        ]
        return np.asarray(2.0 * (1.0 - rates[0] - rates[1]), dtype=np.float64)

    def within(self, a: int, first: npt.NDArray[np.bool_]) -> Floats:
        """A classifier of two halves of one domain; of the splits given the first few."""
        found = []
        for chosen in first[:WITHIN]:
            side = chosen[self._groups[a]]
            x, groups = self._features[a], self._groups[a]
            wrong = held_out(x[side], x[~side], groups[side], groups[~side], self.seed)
            found.append(2.0 * (1.0 - wrong[0].mean() - wrong[1].mean()))
        return np.array(found)


def held_out(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.floating], groups_x: Ints, groups_y: Ints, seed: int
) -> tuple[Floats, Floats]:
    """1 for each image that is taken for the other domain by a classifier that saw nothing of its group, else 0.

    Both domains weigh the same in training, whatever their sizes.

    Args:
        x: features of one domain, (n, d).
        y: of the other, (m, d).
        groups_x: number of the group of each image, (n,), 2 or more different.
        groups_y: likewise, (m,); no group is in both domains.
        seed: of the folds.

    Returns:
        (n,) and (m,)
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    both = np.concatenate([x, y]).astype(np.float64)
    domain = np.repeat([0, 1], [len(x), len(y)])
    group = np.concatenate([groups_x, groups_y + groups_x.max() + 1])
    folds = min(FOLDS, len(set(groups_x.tolist())), len(set(groups_y.tolist())))
    wrong = np.zeros(len(both))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for train, test in splitter.split(both, domain, group):
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500))
        wrong[test] = model.fit(both[train], domain[train]).predict(both[test]) != domain[test]
    return wrong[: len(x)], wrong[len(x) :]
