"""Whether similarity predicts the gain: the rank correlation over sources and targets, once there are enough.

Within one track only, since results of two tracks never mix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.insight.schema import Correlation, Distance, Link, Prediction
from benchmark.ledger import Ledger
from benchmark.protocol import BASELINE, TWO_STEP
from benchmark.results import Results
from benchmark.stats.pseudo import macro

LEAST_LINKS = 4
"""With fewer pairs a rank correlation is one by chance in more than one case of ten."""

PERMUTATIONS = 9999


def links(ledger: Ledger, track: str) -> list[Link]:
    """Every source and target of a track with a gain of two-step over ImageNet fine-tuning.

    Args:
        ledger: withdrawn submissions are left out.
        track: its name.

    Returns:
        Sorted; the gain is the mean over submissions of macro-F1 of two-step minus that of imagenet.
    """
    results = Results(ledger, track).listed()
    gains: dict[tuple[str, str], dict[str, float]] = {}
    for trial, arms in results.trials.items():
        pair = results.pair(arms, TWO_STEP, BASELINE)
        if pair is None:
            continue
        chain = arms[TWO_STEP].records[pair.places[0]].get("chain", [])
        if len(chain) < 3 or chain[-1] != trial.target:
            continue
        gain = float(macro(pair.arm).mean() - macro(pair.against).mean())
        gains.setdefault((str(chain[-2]), trial.target), {})[trial.submission] = gain
    return [
        Link(source=source, target=target, gain=float(np.mean(list(found.values()))), submissions=len(found))
        for (source, target), found in sorted(gains.items())
    ]


def predict(found: Sequence[Link], distances: Sequence[Distance], seed: int) -> Prediction:
    """The correlation of each distance with the gain, or how many pairs it still takes.

    Args:
        found: with a gain.
        distances: between the domains that were compared.
        seed: of the permutations.
    """
    apart: dict[str, dict[frozenset[str], float]] = {}
    for one in distances:
        apart.setdefault(one.measure, {})[frozenset((one.first, one.second))] = one.value
    measured = [link for link in found if any(frozenset((link.source, link.target)) in d for d in apart.values())]
    if len(measured) < LEAST_LINKS:
        named = ", ".join(f"{link.source} → {link.target}" for link in measured)
        sentence = (
            f"Whether similarity predicts the gain cannot be said yet: the ledger holds {len(measured)} of the at least "
            f"{LEAST_LINKS} pairs of source and target with a gain of two-step training that this takes"
            f"{f' ({named})' if named else ''}."
        )
        return Prediction(needed=LEAST_LINKS, links=tuple(found), correlations=(), sentence=sentence)
    correlations = tuple(_correlate(key, own, measured, seed) for key, own in apart.items())
    shown = "; ".join(f"{one.measure} {one.rho:+.2f} (p = {one.p:.2g})" for one in correlations)
    sentence = (
        f"Rank correlation of distance and gain over {len(measured)} pairs of source and target (below nothing: the "
        f"closer, the greater the gain): {shown}. Exploratory; the two directions of one pair share a distance."
    )
    return Prediction(needed=LEAST_LINKS, links=tuple(found), correlations=correlations, sentence=sentence)


def _correlate(
    measure: str, apart: Mapping[frozenset[str], float], measured: Sequence[Link], seed: int
) -> Correlation:  # fmt: skip
    from scipy.stats import permutation_test, spearmanr

    x = np.array([apart[frozenset((link.source, link.target))] for link in measured])
    y = np.array([link.gain for link in measured])
    if len(set(x.tolist())) < 2 or len(set(y.tolist())) < 2:
        return Correlation(measure=measure, rho=0.0, p=1.0)
    found = permutation_test(
        (x,), lambda one: spearmanr(one, y).statistic, permutation_type="pairings", n_resamples=PERMUTATIONS,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Correlation(measure=measure, rho=float(found.statistic), p=float(min(1.0, found.pvalue)))
