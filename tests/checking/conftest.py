"""What tests of a check share: one closed sandbox for all, cheap images in place of rendered ones, and a good submission."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmark.checking import place, trying
from benchmark.checking.place import Place
from benchmark.data.importers.raw import RawImage
from benchmark.data.simulate import Settings
from benchmark.sandbox import ProcessSandbox

MODEL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_chans, img_size):
        super().__init__()
        self.body = nn.Conv2d(in_chans, 4, 3, stride=2)
        self.head = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))

def build(num_classes, in_chans, img_size):
    return Net(num_classes, in_chans, img_size)
"""

HEAVY = """
from torch import nn

def build(num_classes, in_chans, img_size):
    wide = nn.Conv2d(in_chans, 200, 3, padding=1)
    return nn.Sequential(wide, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(200, num_classes))
"""

YAML = """\
name: mine
title: Mine
paper: https://example.org/mine
license: MIT
model:
  factory: model.py:build
"""


@cache
def _shared() -> ProcessSandbox:
    found = ProcessSandbox(closed=True)
    atexit.register(found.close)
    return found


@pytest.fixture(scope="session")
def sandbox() -> ProcessSandbox:
    """A closed process sandbox whose host has imported everything, once for all tests of a process, whatever imports this."""
    return _shared()


@pytest.fixture
def shared_place(sandbox: ProcessSandbox, monkeypatch: pytest.MonkeyPatch) -> ProcessSandbox:
    """Commands use that sandbox, too, and do not close it."""
    monkeypatch.setattr(place, "choose", lambda wanted="auto": Place(_Lent(sandbox), None))
    return sandbox


class _Lent(ProcessSandbox):
    """A sandbox whose user may not close it."""

    def __init__(self, owner: ProcessSandbox) -> None:
        self.__dict__ = owner.__dict__

    def close(self) -> None:
        pass


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A small submission in which all is right."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "submission.yaml").write_text(YAML)
    (folder / "model.py").write_text(MODEL)
    return folder


def quick_people(settings: Settings) -> Iterator[RawImage]:
    """Every class of every person as a bar of its own length and grey."""
    for person in range(1, settings.cases + 1):
        for number in range(24):
            label = str(number + 1) if number < 22 else "XY"[number - 22]
            width = 9 if settings.stain == "Q" else 11
            pixels = np.full((10 + number, width), 60 + 7 * number + person, dtype=np.uint8)
            yield RawImage(f"c{person:02d}-{number:02d}", label, f"c{person:02d}-1", f"c{person:02d}", pixels)


@pytest.fixture
def quick_images(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Smoke units on images that need no rendering."""
    monkeypatch.setenv("KARYOBENCH_CACHE", str(tmp_path_factory.mktemp("quick") / "cache"))
    monkeypatch.setattr(trying, "simulate_people", quick_people)
