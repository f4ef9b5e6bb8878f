"""Hugging Face's Trainer. Usage: python hf_trainer.py UNIT"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from common import Clock, Crops, Workload, batches, now, report
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments


class Net(nn.Module):
    """The network as the Trainer wants it."""

    def __init__(self, work: Workload) -> None:
        super().__init__()
        self.model, self.criterion = work.model(), work.loss()

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss and logits."""
        logits = self.model(images)
        return {"loss": self.criterion(logits, labels), "logits": logits}


class Times(TrainerCallback):
    """Feeds the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """An epoch begins."""
        self.clock.start()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        """Its training has ended; evaluation follows."""
        self.clock.trained()

    def on_evaluate(self, *_: Any, **__: Any) -> None:
        """Evaluation has ended."""
        self.clock.evaluated()


def collate(batch: list[tuple[torch.Tensor, int]]) -> dict[str, torch.Tensor]:
    """A batch by the names of `Net.forward`."""
    return {"images": torch.stack([one for one, _ in batch]), "labels": torch.tensor([label for _, label in batch])}


def main() -> None:
    """Train one unit."""
    work, clock = Workload(Path(sys.argv[1])), Clock()
    net = Net(work)
    optimiser = work.optimiser(net.model)
    with tempfile.TemporaryDirectory() as scratch:
        options = TrainingArguments(
            scratch, use_cpu=work.device == "cpu", num_train_epochs=work.epochs, per_device_train_batch_size=work.batch,
            per_device_eval_batch_size=work.batch, max_grad_norm=work.recipe["clip_norm"], eval_strategy="epoch",
            save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True, dataloader_drop_last=False,
            dataloader_num_workers=work.workers, dataloader_persistent_workers=work.workers > 0, remove_unused_columns=False,
        )  # fmt: skip
        trainer = Trainer(
            model=net, args=options, data_collator=collate, callbacks=[Times(clock)],
            train_dataset=Crops(*work.arrays("train"), work.transforms(True)),
            eval_dataset=Crops(*work.arrays("validation"), work.transforms(False)),
            optimizers=(optimiser, work.schedule(optimiser, batches(work) + work.epochs)),
        )  # fmt: skip
        ready = now()
        trainer.train()
    report(work, clock, ready, net.model)


if __name__ == "__main__":
    main()
