"""The classical way to read chromosomes, on the same images and folds: principal components and a support vector machine.

Usage: python -m bench.classical WORKSPACE --target bioimlab-q [--track pocket] [--fold 0 ...] [--seed 0] -o PREDICTIONS.npz

The track's prepared images, which are upright and of a common scale, are standardised pixel by pixel and reduced to their first
principal components, both fitted on the training part of a fold alone. An SVM with a radial kernel is fitted on the same part; its
C and gamma are those that give the highest macro-F1 on the fold's validation part. The test part is looked at once, without labels.
What is written is for `karyobench score --predictions` (docs/scores.md): the SVM's decision values, one against the rest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from benchmark import track as tracks
from benchmark.cli.common import bar
from benchmark.data.manifest import CLASSES, Manifest
from benchmark.data.store import Store
from benchmark.elsewhere.matching import checked_folds
from benchmark.errors import InputError, KaryoError
from benchmark.files import atomic
from benchmark.stats.metrics import confusion, macro_f1

COMPONENTS = 100
COSTS = (1.0, 10.0, 100.0, 1000.0)
GAMMAS = (0.015625, 0.0625, 0.25, 1.0, 4.0)
"""Over the number of components times their variance, which is what scikit-learn calls `scale`."""

SUFFIX = ".npz"
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Step = Callable[[], None]


class Fitted(NamedTuple):
    """What was chosen on the validation part of a fold.

    Attributes:
        fold: which.
        cost: C of the machine.
        gamma: of its kernel, over `scale`.
        validation: macro-F1 there.
        values: decision values of the test part in manifest order, shape (n, 24).
    """

    fold: int
    cost: float
    gamma: float
    validation: float
    values: Floats


def reduction(train: npt.NDArray[np.floating[Any]], components: int, seed: int) -> Pipeline:
    """Standardised pixels to principal components, fitted on these images alone; fewer where there are fewer images."""
    most = min(components, *train.shape)
    return make_pipeline(StandardScaler(), PCA(most, svd_solver="randomized", random_state=seed)).fit(train)


def machines(train: Floats, labels: Ints) -> Iterator[tuple[float, float, Any]]:
    """A machine of every C and gamma, the simplest first, fitted on the training part."""
    scale = 1.0 / (train.shape[1] * float(train.var()))
    for cost in COSTS:
        for gamma in GAMMAS:
            yield cost, gamma, SVC(C=cost, gamma=gamma * scale, cache_size=500).fit(train, labels)


def decided(machine: Any, images: Floats) -> Floats:
    """Decision values in the order of all classes, shape (n, 24); a class that it was not taught is below all others."""
    known = machine.decision_function(images)
    if known.ndim == 1:  # of two classes
        known = np.stack([-known, known], axis=1)
    values = np.full((len(images), len(CLASSES)), known.min() - 1.0)
    values[:, machine.classes_] = known
    return values


def read_fold(images: npt.NDArray[np.uint8], manifest: Manifest, fold: int, components: int, seed: int, step: Step) -> Fitted:  # fmt: skip
    """One fold: fit on its training part, choose on its validation part, read its test part.

    Args:
        images: prepared, (n, size, size).
        manifest: of the same images.
        fold: from 0.
        components: how many at most.
        seed: of the components' random start.
        step: called after every machine.
    """
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255.0
    train, validation, test = (manifest.part(fold, part) for part in ("train", "validation", "test"))
    reduce = reduction(pixels[train], components, seed)
    seen, held, asked = (reduce.transform(pixels[part]).astype(np.float64) for part in (train, validation, test))
    best: tuple[float, float, float, Any] | None = None
    for cost, gamma, machine in machines(seen, manifest.labels[train]):
        said = decided(machine, held).argmax(1)
        found = float(macro_f1(confusion(manifest.labels[validation], said, len(CLASSES))))
        if best is None or found > best[2]:
            best = cost, gamma, found, machine
        step()
    assert best is not None
    return Fitted(fold, *best[:3], decided(best[3], asked))


def read_all(
    workspace: Path, track: str, target: str, folds: Sequence[int] | None, components: int, seed: int
) -> tuple[Manifest, list[Fitted]]:
    """All folds that are asked for, with a progress bar.

    Args:
        workspace: holds the data set.
        track: name or path: whose images and folds.
        target: one of the data sets of the workspace.
        folds: default: the track's.
        components: how many at most.
        seed: see `read_fold`.

    Raises:
        InputError: for an unknown track, fold or data set.
    """
    on = tracks.load(track)
    chosen = checked_folds(folds, on.folds)
    store = Store(workspace)
    if not store.is_prepared(target, on.preprocess):
        with bar(f"preparing {target}") as progress:
            store.prepared(target, on.preprocess, progress)
    prepared = store.prepared(target, on.preprocess)
    total, done, found = len(chosen) * len(COSTS) * len(GAMMAS), 0, list[Fitted]()
    with threadpool_limits(1), bar(f"reading {target}", "machines") as progress:

        def step() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        progress(0, total)
        for fold in chosen:
            found.append(read_fold(prepared.images, prepared.manifest, fold, components, seed, step))
    return prepared.manifest, found


def write(path: Path, manifest: Manifest, found: Sequence[Fitted]) -> None:
    """A file of predictions as docs/scores.md describes it."""
    rows = np.concatenate([manifest.part(one.fold, "test") for one in found])
    names = np.array([manifest.entries[row].image for row in rows])
    with atomic(path) as file:
        np.savez_compressed(
            file, image=names, classes=np.array(CLASSES), logits=np.concatenate([o.values for o in found])
        )


def main(given: Sequence[str] | None = None) -> None:
    """Read, write, and say what was chosen and how it is scored."""
    parser = argparse.ArgumentParser(description="PCA and an SVM on a track's images and folds.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--target", required=True, help="data set of the workspace")
    parser.add_argument("--track", default="pocket")
    parser.add_argument("--fold", type=int, action="append", help="repeatable; default: all of the track")
    parser.add_argument("--components", type=int, default=COMPONENTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True, help=f"file to write, {SUFFIX}")
    options = parser.parse_args(given)
    try:
        if options.output.suffix != SUFFIX:
            raise InputError("wrong ending", field="--output", found=str(options.output), allowed=SUFFIX)
        if options.components < 1:
            raise InputError("too few", field="--components", found=options.components, allowed="1 or more")
        manifest, found = read_all(
            options.workspace, options.track, options.target, options.fold, options.components, options.seed
        )
        write(options.output, manifest, found)
    except KaryoError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from error
    for one in found:
        sys.stdout.write(
            f"fold {one.fold}: C {one.cost:g}, gamma {one.gamma:g} × scale, {100 * one.validation:.1f} % on validation\n"
        )
    folds = "".join(f" --fold {one.fold}" for one in found) if options.fold else ""
    sys.stdout.write(
        f"wrote {options.output}\nkaryobench score --predictions {options.output} --dataset {options.target} "
        f"--track {options.track}{folds} -w {options.workspace}\n"
    )


if __name__ == "__main__":
    main()
