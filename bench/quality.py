"""Is a faster training as good? Many trainings of ours and of one peer, and two one-sided tests of their macro-F1.

Usage::

    python -m bench.quality WORKSPACE --peers PYTHON --torchvision REFERENCES -n 12 -o RESULTS.json

Both train the same unit with other seeds: order of the images, augmentation, first weights of the classifier, dropout.
The test images are the same for all, so that what is said holds for these images and a new training. Clocks play no part:
it may run beside other work. A result that is there already is not trained again.

Source: Schuirmann 1987 for the two tests, Welch 1947 for the unequal variances.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from bench import run, watch, workload
from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.data.manifest import CLASSES
from benchmark.data.store import Store
from benchmark.stats.metrics import confusion, macro_f1

MARGIN = 0.01
"""Macro-F1 within which two ways to train count as equal: about what another seed does to one training."""

PEER = "torchvision_loop"


class Equivalence(NamedTuple):
    """What two one-sided tests say, macro-F1 from 0 to 1.

    Attributes:
        difference: mean of ours minus theirs.
        low: of its 90 % interval, which lies within ± margin exactly when both tests reject at 5 %.
        high: likewise.
        p: the larger of the two p-values.
        worse: that of the one test by which ours is not worse by the margin.
    """

    difference: float
    low: float
    high: float
    p: float
    worse: float


def equivalence(ours: Sequence[float], theirs: Sequence[float], margin: float = MARGIN) -> Equivalence:
    """Welch's t, twice one-sided.

    Args:
        ours: macro-F1 of trainings, at least two.
        theirs: likewise.
        margin: more than 0.
    """
    below = stats.ttest_ind(np.add(ours, margin), theirs, equal_var=False, alternative="greater")
    above = stats.ttest_ind(np.subtract(ours, margin), theirs, equal_var=False, alternative="less")
    interval = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.90)
    p = float(max(below.pvalue, above.pvalue))
    return Equivalence(
        float(np.mean(ours) - np.mean(theirs)), float(interval.low), float(interval.high), p, float(below.pvalue)
    )


def sentence(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """What the trainings say, for people."""
    found = equivalence(ours, theirs)
    return (
        f"{len(ours)} trainings of ours {100 * np.mean(ours):.1f} (sd {100 * np.std(ours, ddof=1):.1f}), {len(theirs)} of the "
        f"peer {100 * np.mean(theirs):.1f} (sd {100 * np.std(theirs, ddof=1):.1f}); difference {100 * found.difference:+.1f} points "
        f"(90 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f}); equal within {100 * MARGIN:.0f}: p = {found.p:.2g}, "
        f"not worse by {100 * MARGIN:.0f}: p = {found.worse:.2g}"
    )


def main() -> None:
    """Train what is not there yet, and write all after every training."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--peers", required=True, help="interpreter of the peers' environment")
    parser.add_argument("--torchvision", required=True, help="torchvision's references/classification")
    parser.add_argument("--submission", default="tf-efficientnet-lite0")
    parser.add_argument("--target", default="cir-g")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("-n", type=int, default=12, help="trainings of each")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    workspace = options.workspace.resolve()
    found: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}
    found.setdefault("ours", {})
    found.setdefault(PEER, {})
    with tempfile.TemporaryDirectory() as scratch:
        path = run.bench_track(Path(scratch), options.epochs)
        track, submission = tracks.load(str(path)), submissions.load(options.submission)
        prepared = Store(workspace).prepared(options.target, track.preprocess)
        truth = prepared.manifest.labels[prepared.manifest.part(0, "test")]
        for number in range(options.n):
            seed = str(number)
            if seed not in found["ours"]:
                asked = ["-p", "imagenet", "--fold", "0", "--repeat", seed, "--target", options.target]
                [unit] = run.ours(workspace, path, options.submission, asked, jobs=1)["units"]
                found["ours"][seed] = unit["macro_f1"]
                options.output.write_text(json.dumps(found, indent=1) + "\n")
            if seed not in found[PEER]:
                unit = Path(scratch) / f"unit{number}"
                workload.write(unit, prepared, 0, submission, track, 1, number + 1)
                command = [options.peers, str(run.HERE / "contenders" / f"{PEER}.py"), str(unit), options.torchvision]
                watch.run(command, run.environment(threads=1, own=False))
                said = np.load(unit / f"said-{PEER}.npy")
                found[PEER][seed] = float(macro_f1(confusion(truth, said, len(CLASSES))))
                options.output.write_text(json.dumps(found, indent=1) + "\n")
            sys.stderr.write(f"{number + 1}/{options.n}: {found['ours'][seed]:.4f} {found[PEER][seed]:.4f}\n")
    sys.stdout.write(sentence([*found["ours"].values()], [*found[PEER].values()]) + "\n")


if __name__ == "__main__":
    main()
