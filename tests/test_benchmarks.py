"""Speed of hot functions, for `tox -e bench`; nothing here fails for being slow."""

from typing import Any

import numpy as np
import torch

from benchmark import track as tracks
from benchmark.data.preprocess import Preprocess, render_cell
from benchmark.stats.bootstrap import gain_interval
from benchmark.stats.metrics import confusion_by_group
from benchmark.training.augment import Augmenter


def test_speed_of_the_grouped_bootstrap(benchmark: Any) -> None:
    random = np.random.default_rng(0)
    truth, group = random.integers(0, 24, 5474), np.repeat(np.arange(119), 46)
    arms = [
        confusion_by_group(
            truth, np.where(random.random(5474) < 0.9, truth, random.integers(0, 24, 5474)), group, 119, 24
        )[None]
        for _ in range(2)
    ]
    found = benchmark(gain_interval, arms[0], arms[1], resamples=2000)
    assert found.low < found.value < found.high


def test_speed_of_augmenting_a_batch(benchmark: Any) -> None:
    augment = Augmenter(tracks.load("pocket").recipe.augment, 0)
    images = torch.rand(64, 1, 64, 64)
    assert benchmark(augment, images).shape == images.shape


def test_speed_of_rendering_a_cell(benchmark: Any) -> None:
    random = np.random.default_rng(0)
    crops = [np.pad(random.integers(60, 255, (90 - n, 24), dtype=np.uint8), 4) for n in range(46)]
    assert benchmark(render_cell, crops, "light-on-dark", Preprocess(size=64, exponent=0.5)).shape == (46, 64, 64)
