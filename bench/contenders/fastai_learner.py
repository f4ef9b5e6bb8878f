"""fastai's Learner. Usage: python fastai_learner.py UNIT"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import Clock, Workload, now, report
from fastai.callback.schedule import Learner
from fastai.callback.training import GradientClip
from fastai.data.core import DataLoaders
from fastai.learner import Callback
from fastai.optimizer import OptimWrapper


class Times(Callback):
    """Feeds the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def before_train(self) -> None:
        """An epoch begins."""
        self.clock.start()

    def after_train(self) -> None:
        """Its training has ended."""
        self.clock.trained()

    def after_validate(self) -> None:
        """Evaluation has ended."""
        self.clock.evaluated()


def main() -> None:
    """Train one unit with one-cycle learning rates, which is what fastai's users take."""
    work, clock = Workload(Path(sys.argv[1])), Clock()
    model = work.model()
    optimiser: Any = partial(OptimWrapper, opt=partial(torch.optim.AdamW, fused=True))
    learner = Learner(
        DataLoaders(work.loader("train"), work.loader("validation")), model, loss_func=work.loss(), opt_func=optimiser,
        wd=work.recipe["weight_decay"], cbs=[Times(clock), GradientClip(work.recipe["clip_norm"])],
    )  # fmt: skip
    ready = now()
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(work.epochs, work.recipe["lr"], pct_start=work.recipe["warmup"])
    report(work, clock, ready, model)


if __name__ == "__main__":
    main()
