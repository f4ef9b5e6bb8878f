"""All that is computed of one unit, kept in the workspace under its key: maps, maps under shuffled weights, curves.

A piece is named by the hash of what decides it, so that a stopped run goes on where it was and a changed
checkpoint, image or rule is another piece. A damaged piece is computed again.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmark.data.preprocess import foreground_mask
from benchmark.files import atomic, digest
from benchmark.insight.attention.faithful import BLUR, RANDOM, STEPS, Curves, curves
from benchmark.insight.attention.layers import Layer, choose
from benchmark.insight.attention.maps import BATCH, Method, maps, shuffled
from benchmark.insight.resample import Floats, seeds
from benchmark.insight.trained import Trained

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

VERSION = 1
"""Raised whenever a piece of the same inputs changes."""

DRAWS = 2
"""Draws of shuffled weights under which every map is computed again."""

CASCADE = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Parts of the modules that are shuffled, from the logits down; 0: the last layer alone."""

PROBE = 4
"""Images on which the layer is chosen."""


SAMPLE = 128
"""Images of a unit for curves and cascade, which take many passes."""


class Looked(NamedTuple):
    """What was computed of one unit.

    Attributes:
        trained: the unit, without its network.
        layer: its maps are of.
        rows: of its test images that were looked at, (n,).
        maps: (n, side, side).
        shuffled: the same under shuffled weights, (DRAWS, n, side, side).
        sample: of the rows, those below, (m,).
        cascade: maps of the sample under more and more shuffled weights, (len(CASCADE), m, side, side).
        curves: of the sample.
        computed: pieces that were not there.
    """

    trained: Trained
    layer: Layer
    rows: Ints
    maps: Floats32
    shuffled: Floats32
    sample: Ints
    cascade: Floats32
    curves: Curves
    computed: int


def drawn(trained: Trained, count: int | None, seed: int, purpose: str) -> Ints:
    """Some of the test images, ascending; the same for every protocol, since dataset, fold and seed alone decide."""
    name = f"{purpose} {trained.place.target} {trained.place.fold}"
    return np.sort(seeds(seed, name).permutation(len(trained.images))[:count])


class Looker:
    """Computes or reads the pieces of units.

    Args:
        folder: below which they are kept, by key.
        method: of the maps.
        seed: of all chance.
        images: at most so many a unit; None: all.
        sample: of those, at most so many for curves and cascade.
    """

    def __init__(self, folder: Path, method: Method, seed: int, images: int | None, sample: int) -> None:
        self.folder, self.method, self.seed, self.images, self.sample = folder, method, seed, images, sample
        self.computed = 0

    def __call__(self, trained: Trained, progress: Progress) -> Looked:
        """Look into a unit.

        Args:
            trained: the unit.
            progress: told images done and images in all.

        Raises:
            InputError: when its network has no layer with spatial features.
        """
        before = self.computed
        layer = choose(trained.network, trained.batch(trained.images[:PROBE]), trained.submission.name)
        rows = drawn(trained, self.images, self.seed, "images")
        sample = np.sort(rows[seeds(self.seed, f"sample {trained.place.target}").permutation(len(rows))[: self.sample]])
        done, total = 0, len(rows) * (1 + DRAWS) + len(sample) * (len(CASCADE) + 1)

        def mapped(chosen: Ints, shuffle: tuple[int, float] | None) -> Floats32:
            nonlocal done

            def compute() -> dict[str, Any]:
                network = shuffled(trained.network, *shuffle) if shuffle else trained.network
                found = maps(
                    network, layer, trained.batch, trained.images[chosen], trained.labels[chosen], self.method,
                    lambda count, _: progress(done + count, total),
                )  # fmt: skip
                return {"maps": found}

            what = {"piece": "maps", "shuffle": shuffle, "method": self.method, "batch": BATCH}
            found = self._piece(trained, layer, chosen, what, compute)["maps"]
            done += len(chosen)
            progress(done, total)
            return np.asarray(found, dtype=np.float32)

        plain = mapped(rows, None)
        others = np.stack([mapped(rows, (self._draw(draw), 1.0)) for draw in range(DRAWS)])
        cascade = np.stack([mapped(sample, (self._draw(DRAWS + n), part)) for n, part in enumerate(CASCADE)])
        grids = plain[np.searchsorted(rows, sample)]
        how = {"piece": "curves", "steps": STEPS, "random": RANDOM, "blur": BLUR, "seed": self.seed}
        found = self._piece(
            trained, layer, sample, how | {"maps": hashlib.sha256(grids.tobytes()).hexdigest()},
            lambda: curves(
                trained.logits, trained.images[sample], trained.labels[sample],
                np.stack([foreground_mask(one) for one in trained.images[sample]]), grids, self.seed,
            )._asdict(),
        )  # fmt: skip
        progress(total, total)
        return Looked(
            replace(trained, network=nn.Identity()), layer, rows, plain, others, sample, cascade, Curves(**{k: found[k] for k in Curves._fields}),
            self.computed - before,
        )  # fmt: skip

    def _draw(self, number: int) -> int:
        return int(seeds(self.seed, f"shuffle {number}").integers(2**31))

    def _piece(
        self, trained: Trained, layer: Layer, rows: Ints, what: Mapping[str, Any], compute: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        pixels = hashlib.sha256(trained.images[rows].tobytes() + trained.labels[rows].tobytes()).hexdigest()
        name = digest({
            **what, "version": VERSION, "checkpoint": trained.record["checkpoint"], "layer": list(layer), "pixels": pixels,
            "size": trained.images.shape[1], "submission": trained.submission.digest, "device": trained.device.type,
        })  # fmt: skip
        path = self.folder / trained.key / f"{name[:32]}.npz"
        kept = _read(path)
        if kept is None:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)  # so that the last bits do not depend on the machine's processors
            try:
                kept = compute()
            finally:
                torch.set_num_threads(threads)
            self.computed += 1
            buffer = io.BytesIO()
            np.savez(buffer, **kept)
            with atomic(path, durable=False) as file:
                file.write(buffer.getvalue())
        return kept


def _read(path: Path) -> dict[str, Any] | None:
    """A kept piece; None where there is none or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None


def correlations(looked: Looked) -> Floats:
    """Rank correlation of each map with those under shuffled weights, mean over draws, (n,)."""
    from benchmark.insight.attention.sanity import rank_correlation

    return np.asarray(np.mean([rank_correlation(looked.maps, other) for other in looked.shuffled], axis=0))
