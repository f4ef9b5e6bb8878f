"""Speed of hot functions, for `tox -e bench`; nothing here fails for being slow."""

from typing import Any

import numpy as np
import torch

from benchmark import track as tracks
from benchmark.data.preprocess import Preprocess, render_cell
from benchmark.stats.bootstrap import gain_interval
from benchmark.stats.design import Design
from benchmark.stats.generator import MILD, simulate, tallies
from benchmark.stats.metrics import confusion_by_group
from benchmark.stats.pigeonhole import draw, scores
from benchmark.stats.pseudo import pseudo_values, tally
from benchmark.stats.verdict import contrast
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
    found = benchmark(gain_interval, tally(arms[0]), tally(arms[1]), resamples=2000)
    assert found.low < found.value < found.high


def test_speed_of_the_pigeonhole_of_the_whole_study(benchmark: Any) -> None:
    """66 classifiers x 10 trainings x 119 groups, 10,000 resamples: the bound is 10 s on one core."""
    design = Design(10, (119,))
    counts, _ = tallies(simulate(np.random.default_rng(0), 10, design.blocks, MILD), 119)
    draws = draw(design, 10_000, 0)
    found = benchmark.pedantic(lambda: [scores(counts, design, draws) for _ in range(66)], rounds=1)
    assert len(found) == 66 and found[0].shape == (10_000,)


def test_speed_of_a_contrast(benchmark: Any) -> None:
    design = Design(2, (24, 24, 24, 24, 23))
    arms = tallies(simulate(np.random.default_rng(0), 2, design.blocks, MILD), 119)
    assert benchmark(contrast, *arms, design).groups == 119


def test_speed_of_pseudo_values(benchmark: Any) -> None:
    counts, _ = tallies(simulate(np.random.default_rng(0), 10, (119,), MILD), 119)
    assert benchmark(pseudo_values, counts).shape == (10, 119)


def test_speed_of_augmenting_a_batch(benchmark: Any) -> None:
    augment = Augmenter(tracks.load("pocket").recipe.augment, 0)
    images = torch.rand(64, 1, 64, 64)
    assert benchmark(augment, images).shape == images.shape


def test_speed_of_rendering_a_cell(benchmark: Any) -> None:
    random = np.random.default_rng(0)
    crops = [np.pad(random.integers(60, 255, (90 - n, 24), dtype=np.uint8), 4) for n in range(46)]
    assert benchmark(render_cell, crops, "light-on-dark", Preprocess(size=64, exponent=0.5)).shape == (46, 64, 64)
