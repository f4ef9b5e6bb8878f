"""torchvision's reference loop: its own `train_one_epoch` and `evaluate`, from references/classification of its repository.

Usage: python torchvision_loop.py UNIT REFERENCES
"""

from __future__ import annotations

import sys
import types
from argparse import Namespace
from pathlib import Path

from common import Clock, Workload, batches, now, report

sys.path.insert(0, sys.argv[2])
for name in ("presets", "transforms"):  # of the script's data part, which is not used
    sys.modules[name] = types.ModuleType(name)
import train as reference  # noqa: E402 (found only on the path added above)


def main() -> None:
    """Train one unit."""
    work, clock = Workload(Path(sys.argv[1])), Clock()
    model, criterion = work.model(), work.loss()
    optimiser = work.optimiser(model)
    schedule = work.schedule(optimiser, batches(work))
    step = optimiser.step

    def stepped(*arguments: object) -> None:
        step(*arguments)
        schedule.step()

    optimiser.step = stepped
    training, validation = work.loader("train"), work.loader("validation")
    options = Namespace(amp=False, clip_grad_norm=work.recipe["clip_norm"], print_freq=1000, lr_warmup_epochs=0)
    ready = now()
    for epoch in range(work.epochs):
        clock.start()
        reference.train_one_epoch(model, criterion, optimiser, training, work.device, epoch, options)
        clock.trained()
        reference.evaluate(model, criterion, validation, work.device, print_freq=1000)
        clock.evaluated()
    report(work, clock, ready, model)


if __name__ == "__main__":
    main()
