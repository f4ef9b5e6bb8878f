"""What every peer is given, so that only its training loop differs: data, model, weights, recipe, and how it reports.

Runs in the peers' environment, which does not know this project: it needs torch, torchvision and timm only. The
images are in memory as bytes and are augmented by torchvision's transforms, each nearest to the track's.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2


class Workload:
    """One unit of the benchmark, as `bench.workload` wrote it.

    Args:
        folder: with unit.json, arrays and start.pth.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = json.loads((folder / "unit.json").read_text())
        self.recipe: dict[str, Any] = self.settings["recipe"]
        self.epochs, self.batch = int(self.settings["epochs"]), int(self.recipe["batch_size"])
        self.workers = int(self.settings["workers"])
        self.device = str(self.settings["device"])
        torch.manual_seed(int(self.settings["seed"]))

    def arrays(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (n, side, side) and labels (n,) of train, validation or test."""
        return np.load(self.folder / f"{part}.npy"), np.load(self.folder / f"{part}_labels.npy")

    def model(self) -> nn.Module:
        """The network with the weights that all contenders start from, channels last as the fastest of them has it."""
        model = timm.create_model(self.settings["architecture"], num_classes=24)
        model.load_state_dict(torch.load(self.folder / "start.pth", weights_only=True))
        return model.to(self.device, memory_format=torch.channels_last)

    def transforms(self, training: bool) -> Callable[[torch.Tensor], torch.Tensor]:
        """uint8 (1, side, side) to what the network takes."""
        own = self.recipe["augment"]
        moves = [
            v2.RandomAffine(own["rotate"], (own["translate"],) * 2, (1 - own["scale"], 1 + own["scale"]), own["shear"],
                            interpolation=v2.InterpolationMode.BILINEAR),
            v2.RandomHorizontalFlip(own["flip_horizontal"]),
            v2.ColorJitter(brightness=own["gain"]),
        ]  # fmt: skip
        last = [
            v2.ToDtype(torch.float32, scale=True), v2.Lambda(_three), v2.Normalize(self.settings["mean"], self.settings["std"]),
        ]  # fmt: skip
        chain: Callable[[torch.Tensor], torch.Tensor] = v2.Compose([*(moves if training else []), *last])
        return chain

    def loader(self, part: str, collate: Any = None) -> DataLoader[Any]:
        """Batches of a part; the training part is shuffled and its last, incomplete batch dropped."""
        training = part == "train"
        return DataLoader(
            Crops(*self.arrays(part), self.transforms(training)), self.batch, shuffle=training, drop_last=training,
            num_workers=self.workers, persistent_workers=self.workers > 0, collate_fn=collate,
            pin_memory=self.device == "cuda",
        )  # fmt: skip

    def optimiser(self, model: nn.Module) -> torch.optim.AdamW:
        """AdamW, fused; no decay on biases and norms."""
        groups: list[dict[str, Any]] = [
            {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
            {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": self.recipe["weight_decay"]},
        ]
        return torch.optim.AdamW(groups, lr=self.recipe["lr"], betas=tuple(self.recipe["betas"]), fused=True)

    def schedule(self, optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
        """Linear warm-up, then half a cosine, by step."""
        warm = max(1, round(self.recipe["warmup"] * steps))

        def rate(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            part = (step - warm) / max(1, steps - warm)
            return float(self.recipe["final_lr"] + (1 - self.recipe["final_lr"]) * 0.5 * (1 + math.cos(math.pi * part)))

        return torch.optim.lr_scheduler.LambdaLR(optimiser, rate)

    def loss(self) -> nn.CrossEntropyLoss:
        """With the track's label smoothing."""
        return nn.CrossEntropyLoss(label_smoothing=self.recipe["label_smoothing"])


def _three(image: torch.Tensor) -> torch.Tensor:
    return image.expand(3, -1, -1)


class Crops(Dataset[tuple[torch.Tensor, int]]):
    """Images in memory."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, transform: Callable[[torch.Tensor], torch.Tensor]):
        self.pixels, self.labels, self.transform = torch.from_numpy(pixels), labels.tolist(), transform

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """One image, transformed, and its class."""
        return self.transform(self.pixels[index][None]), self.labels[index]


class Clock:
    """Seconds of every epoch's training and evaluation."""

    def __init__(self) -> None:
        self.training: list[float] = []
        self.evaluation: list[float] = []
        self._since = 0.0

    def start(self) -> None:
        """A part begins."""
        self._since = time.perf_counter()

    def trained(self) -> None:
        """An epoch's training has ended, its evaluation begins."""
        self.training.append(time.perf_counter() - self._since)
        self.start()

    def evaluated(self) -> None:
        """An epoch's evaluation has ended."""
        self.evaluation.append(time.perf_counter() - self._since)
        self.start()


def report(work: Workload, clock: Clock, ready: float, model: nn.Module) -> None:
    """Print the one line that the benchmark reads, and keep what the network says of the test images.

    Args:
        work: the unit.
        clock: its epochs.
        ready: seconds from the start of the process until training could begin, from `now`.
        model: trained.
    """
    model.to(work.device).eval()
    with torch.inference_mode():
        said = [model(images.to(work.device)).argmax(1).cpu() for images, _ in work.loader("test")]
    np.save(work.folder / f"said-{Path(sys.argv[0]).stem}.npy", torch.cat(said).numpy())
    images = len(work.arrays("train")[1]) // work.batch * work.batch
    line = {
        "startup": ready, "images": images, "training": clock.training, "evaluation": clock.evaluation,
        "torch": torch.__version__, "threads": torch.get_num_threads(),
    }  # fmt: skip
    sys.stdout.write("\nRESULT " + json.dumps(line) + "\n")


def batches(work: Workload) -> int:
    """Steps of the whole training."""
    return work.epochs * (len(work.arrays("train")[1]) // work.batch)


def now() -> float:
    """Seconds since this process was started, imports included."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
