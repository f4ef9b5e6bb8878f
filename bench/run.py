"""Our campaign against what a user would pick instead, interleaved, on one machine.

Usage::

    python -m bench.run WORKSPACE --peers PYTHON --timm TRAIN.PY --torchvision REFERENCES -o RESULTS.json

WORKSPACE holds the two data sets; PYTHON is an interpreter with timm, torchvision, transformers, accelerate,
lightning and fastai; TRAIN.PY is timm's training script and REFERENCES torchvision's references/classification. Every
round trains one unit of every contender, in another order; a result that is there already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from bench import watch, workload
from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.data.manifest import CLASSES
from benchmark.data.store import Store
from benchmark.ledger import Ledger
from benchmark.machine import cpu_name
from benchmark.stats.bootstrap import score_interval
from benchmark.stats.metrics import confusion_by_group
from benchmark.stats.pseudo import tally

HERE = Path(__file__).parent
PEERS = ("timm_script", "torchvision_loop", "hf_trainer", "lightning_trainer", "fastai_learner")


def bench_track(folder: Path, epochs: int) -> Path:
    """The pocket track with few epochs, as a file."""
    document = tracks.load("pocket").model_dump(mode="json") | {"name": "bench", "title": "Bench", "repeats": 1}
    document["recipe"]["epochs"] = epochs
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def environment(threads: int | None = None, own: bool = True) -> dict[str, str]:
    """This environment, offline; by default every contender takes the threads that it takes by itself.

    A peer does not see this project, whose folder `datasets` it would take for the package of that name.
    """
    found = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    found.pop("PYTHONPATH", None)
    return (
        found
        | ({"PYTHONPATH": str(HERE.parent)} if own else {})
        | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    )


def macro_f1(prepared: Any, fold: int, said: np.ndarray) -> list[float]:
    """Macro-F1 of predictions with its interval over groups."""
    places = prepared.manifest.part(fold, "test")
    names, group = np.unique(prepared.manifest.groups[places], return_inverse=True)
    matrices = confusion_by_group(prepared.manifest.labels[places], said, group, len(names), len(CLASSES))
    return list(score_interval(tally(matrices[None])))


def peer(name: str, unit: Path, options: argparse.Namespace, prepared: Any) -> dict[str, Any]:
    """One unit of a peer in a process of its own."""
    extra = {"timm_script": [options.timm], "torchvision_loop": [options.torchvision]}.get(name, [])
    command = [options.peers, str(HERE / "contenders" / f"{name}.py"), str(unit), *extra]
    done = watch.run(command, environment(own=False))
    line = next(text for text in reversed(done.output.splitlines()) if text.startswith("RESULT "))
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    said = np.load(unit / f"said-{name}.npy")
    return found | {"wall": done.seconds, "peak_bytes": done.peak_bytes, "macro_f1": macro_f1(prepared, 0, said)}


def ours(
    workspace: Path, track: Path, submission: str, arguments: list[str], jobs: int | None = None
) -> dict[str, Any]:
    """A run of our command in a workspace without results."""
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch) / "workspace"
        own.mkdir()
        (own / "datasets").symlink_to((workspace / "datasets").resolve())
        (own / "prepared").symlink_to((workspace / "prepared").resolve())
        command = [
            sys.executable,
            "-m",
            "benchmark",
            "run",
            submission,
            "--track",
            str(track),
            "-w",
            str(own),
            *arguments,
        ]
        done = watch.run([*command, *(["--jobs", str(jobs)] if jobs else [])], environment())
        records = [one for one in Ledger(own / "ledger").records() if one["status"] == "scored"]
        return {
            "wall": done.seconds,
            "peak_bytes": done.peak_bytes,
            "units": [
                {"target": one["dataset"]["name"], "arm": one["arm"], "fold": one["fold"], "seconds": one["seconds"],
                 "images": [line["images"] for line in one["log"]], "epochs": [line["seconds"] for line in one["log"]],
                 "macro_f1": one["scores"]["macro_f1"], "peak_bytes": one["peak_bytes"]}
                for one in records
            ],
        }  # fmt: skip


def main() -> None:
    """Measure what is not there yet, and write all after every step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--peers", required=True, help="interpreter of the peers' environment")
    parser.add_argument("--timm", required=True, help="timm's train.py")
    parser.add_argument("--torchvision", required=True, help="torchvision's references/classification")
    parser.add_argument("--submission", default="tf-efficientnet-lite0")
    parser.add_argument("--target", default="cir-g")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--campaign", action="store_true", help="also train our whole campaign, one epoch a stage")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.workspace = options.workspace.resolve()
    results: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        path = bench_track(folder, options.epochs)
        track, submission = tracks.load(str(path)), submissions.load(options.submission)
        prepared = Store(options.workspace).prepared(options.target, track.preprocess)
        unit = folder / "unit"
        workload.write(unit, prepared, 0, submission, track, options.workers, device=options.device)
        results.setdefault("machine", {
            "device": torch.cuda.get_device_name() if options.device == "cuda" else cpu_name(), "processor": cpu_name(), "cores": len(os.sched_getaffinity(0)), "python": platform.python_version(),
            "submission": options.submission, "target": options.target, "epochs": options.epochs,
            "batch": track.recipe.batch_size, "side": track.preprocess.size, "workers": options.workers,
            "images": {part: len(prepared.manifest.part(0, part)) for part in ("train", "validation", "test")},
        })  # fmt: skip

        results["campaign_images"] = {
            name: sum(len(Store(options.workspace).open(name).manifest.part(fold, "train")) for fold in track.folds)
            for name in track.targets
        }

        def keep(name: str, place: str, measure: Any) -> None:
            known = results.setdefault(name, {})
            if place not in known:
                sys.stderr.write(f"{name} {place}\n")
                known[place] = measure()
                options.output.write_text(json.dumps(results, indent=1) + "\n")

        on = ["--device", options.device]
        one = [*on, "-p", "imagenet", "--fold", "0", "--repeat", "0"]
        for number in range(options.rounds):
            order = [*PEERS, "ours, one unit", "ours, two units"]
            random.Random(number).shuffle(order)  # noqa: S311 (an order, no secret)
            for name in order:
                if name in PEERS:
                    keep(name, str(number), lambda name=name: peer(name, unit, options, prepared))
                elif name == "ours, one unit":
                    keep(name, str(number), lambda: ours(
                        options.workspace, path, options.submission, [*one, "--target", options.target]))  # fmt: skip
                else:
                    keep(name, str(number), lambda: ours(options.workspace, path, options.submission, one))
        if options.campaign:
            short = bench_track(folder, 1)
            keep("ours, campaign", "0", lambda: ours(options.workspace, short, options.submission, on))
        shutil.rmtree(unit)


if __name__ == "__main__":
    main()
