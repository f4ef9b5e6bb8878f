"""timm's train.py, as a child, with its fastest documented flags for a CPU; its log tells the times.

Usage: python timm_script.py UNIT TRAIN.PY
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Train one unit, watching the log for the beginning and end of every epoch."""
    import common

    work, clock = common.Workload(Path(sys.argv[1])), common.Clock()
    own, scratch = work.recipe["augment"], tempfile.mkdtemp()
    command = [
        sys.executable, sys.argv[2], "--data-dir", str(work.folder / "images"), "--train-split", "train",
        "--val-split", "validation", "--model", work.settings["architecture"], "--num-classes", "24",
        "--initial-checkpoint", str(work.folder / "start.pth"), "--img-size", str(work.settings["side"]),
        "-b", str(work.batch), "--epochs", str(work.epochs), "--opt", "adamw", "--lr", str(work.recipe["lr"]),
        "--weight-decay", str(work.recipe["weight_decay"]), "--sched", "cosine", "--sched-on-updates",
        "--warmup-epochs", "0", "--min-lr", str(work.recipe["lr"] * work.recipe["final_lr"]),
        "--smoothing", str(work.recipe["label_smoothing"]), "--clip-grad", str(work.recipe["clip_norm"]),
        "--scale", str(1 - own["scale"]), "1.0", "--ratio", "0.95", "1.05", "--hflip", str(own["flip_horizontal"]),
        "--color-jitter", str(own["gain"]), "--crop-pct", "1.0", "--mean", *map(str, work.settings["mean"]),
        "--std", *map(str, work.settings["std"]), "--channels-last", "--device", work.device, *(["--no-prefetcher"] if work.device == "cpu" else []),
        "--workers", str(work.workers), "--log-interval", "1", "--output", scratch, "--checkpoint-hist", "1",
    ]  # fmt: skip
    ready, text = 0.0, []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            text.append(line)
            batch = re.search(r"(Train|Test): +(?:\d+ )?\[ *(\d+)/ *(\d+)", line)
            if batch and batch[1] == "Train" and batch[2] == "0":
                ready = ready or common.now()
            elif batch and batch[1] == "Train" and int(batch[2]) + 1 == int(batch[3]):
                clock.trained()
            elif batch and batch[1] == "Test" and batch[2] == batch[3]:
                clock.evaluated()
            if "Scheduled epochs" in line:
                clock.start()
    if child.returncode:
        sys.exit("".join(text)[-3000:])
    import torch

    model = work.model()
    state = torch.load(next(Path(scratch).rglob("last.pth.tar")), weights_only=False, map_location="cpu")
    model.load_state_dict(state["state_dict"])
    common.report(work, clock, ready, model)


if __name__ == "__main__":
    main()
