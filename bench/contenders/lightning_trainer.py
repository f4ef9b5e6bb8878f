"""Lightning's Trainer. Usage: python lightning_trainer.py UNIT"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightning
import torch
from common import Clock, Workload, batches, now, report


class Net(lightning.LightningModule):
    """The network as Lightning wants it."""

    def __init__(self, work: Workload) -> None:
        super().__init__()
        self.model, self.criterion, self.work = work.model(), work.loss(), work

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        """Loss of a batch."""
        return self.criterion(self.model(batch[0]), batch[1])

    def validation_step(self, batch: Any, index: int) -> None:
        """Loss of a batch."""
        self.log("loss", self.criterion(self.model(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        """AdamW with the schedule, by step."""
        optimiser = self.work.optimiser(self.model)
        schedule = self.work.schedule(optimiser, batches(self.work))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Times(lightning.Callback):
    """Feeds the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.open = clock, False

    def on_train_epoch_start(self, *_: Any) -> None:
        """An epoch begins."""
        if self.open:
            self.clock.evaluated()
        self.clock.start()

    def on_validation_start(self, *_: Any) -> None:
        """Its training has ended."""
        self.clock.trained()
        self.open = True

    def on_train_end(self, *_: Any) -> None:
        """The last evaluation has ended."""
        self.clock.evaluated()


def main() -> None:
    """Train one unit."""
    work, clock = Workload(Path(sys.argv[1])), Clock()
    net = Net(work)
    trainer = lightning.Trainer(
        accelerator="gpu" if work.device == "cuda" else "cpu", devices=1, max_epochs=work.epochs, gradient_clip_val=work.recipe["clip_norm"], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        callbacks=[Times(clock)],
    )  # fmt: skip
    ready = now()
    trainer.fit(net, work.loader("train"), work.loader("validation"))
    report(work, clock, ready, net.model)


if __name__ == "__main__":
    main()
