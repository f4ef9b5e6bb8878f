"""The network in evaluation mode; what is recorded on a GPU is only refused or called here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from benchmark.training.predict import Forward, Normaliser, reason


def forward(record: bool) -> Forward:
    normalise = Normaliser((0.5,) * 3, (0.5,) * 3, torch.device("cpu"))
    return Forward(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 24)), normalise, "fp32", record)


def test_a_network_that_cannot_be_recorded_is_named_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refuse(*_: Any, **__: Any) -> Iterator[None]:
        yield
        raise RuntimeError("operation not permitted when stream is capturing\nmore of it")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "graph", refuse)
    found = forward(record=True)
    assert found.state() == {"evaluation": "called", "evaluation_not_recorded": None}
    found._record(torch.zeros((2, 8, 8), dtype=torch.uint8))
    assert found.graph is None
    assert found.state() == {
        "evaluation": "called", "evaluation_not_recorded": "operation not permitted when stream is capturing",
    }  # fmt: skip


def test_what_is_recorded_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def record(*_: Any, **__: Any) -> Iterator[None]:
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "graph", record)
    found = forward(record=True)
    found._record(torch.zeros((2, 8, 8), dtype=torch.uint8))
    assert found.state() == {"evaluation": "recorded", "evaluation_not_recorded": None}


def test_without_recording_there_is_nothing_to_refuse() -> None:
    assert forward(record=False).state() == {"evaluation": "called"}
    assert reason(RuntimeError()) == "RuntimeError"
