"""Maps for single images, for a gallery: where each protocol's network looked, where its checkpoint is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.errors import InputError
from benchmark.insight.attention.faithful import enlarged
from benchmark.insight.attention.layers import Layer, choose
from benchmark.insight.attention.maps import maps, shuffled
from benchmark.insight.attention.sanity import SAME, rank_correlation
from benchmark.insight.attention.unit import PROBE
from benchmark.insight.errors.report import Seen
from benchmark.insight.resample import Floats, seeds
from benchmark.insight.trained import Place, Trained, load
from benchmark.submission import Submission
from benchmark.track import Track

NETWORKS = 8
"""Networks that are held at once."""


class _Ready(NamedTuple):
    trained: Trained
    layer: Layer


class Beside:
    """Gives the map of an image under a protocol; `None` where there is none, or none that is evidence.

    A map that looks like the one of the same network with shuffled weights is not shown.

    Args:
        workspace: holds ledger, checkpoints and datasets.
        track: of the units.
        submissions: by name. Their code runs in this process.
        seed: of the shuffling.
    """

    def __init__(self, workspace: Path, track: Track, submissions: Mapping[str, Submission], seed: int) -> None:
        self.workspace, self.track, self.submissions = workspace, track, submissions
        self.draw = int(seeds(seed, "gallery").integers(2**31))
        self._ready = lru_cache(maxsize=NETWORKS)(self._load)

    def __call__(self, seen: Seen, protocol: str, image: int) -> Floats | None:
        """The map.

        Args:
            seen: a trial.
            protocol: one of it.
            image: number among its tested images.

        Returns:
            0 to 1, (size, size), of the class on the label, by the first repeat's network.
        """
        position = int(seen.own.positions[image])
        fold = int(seen.own.manifest.folds[position])
        ready = self._ready(
            seen.own.trial.submission,
            Place(protocol, seen.own.trial.target, fold, min(repeat for repeat, _ in seen.own.places)),
        )
        if ready is None:
            return None
        trained, layer = ready
        row = np.flatnonzero(trained.positions == position)
        chosen, label = trained.images[row], trained.labels[row]
        found, noise = (
            maps(network, layer, trained.batch, chosen, label)
            for network in (trained.network, shuffled(trained.network, self.draw))
        )
        if found.max() <= 0 or rank_correlation(found, noise)[0] > SAME:
            return None
        shown = enlarged(found, trained.images.shape[1])[0]
        return np.asarray(shown / shown.max(), dtype=np.float64)

    def _load(self, name: str, place: Place) -> _Ready | None:
        if name not in self.submissions:
            return None
        try:
            trained = load(self.workspace, self.track, self.submissions[name], place)
            return _Ready(trained, choose(trained.network, trained.batch(trained.images[:PROBE]), name))
        except InputError:
            return None
