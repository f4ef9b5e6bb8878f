"""What is told of a new submission: measured where that is quick, else estimated from four images."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark import preview as module
from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.errors import InputError
from benchmark.job import Findings
from benchmark.preview import preview
from benchmark.sandbox import ProcessSandbox
from tests.checking.conftest import HEAVY, mine, sandbox

__all__ = ["mine", "sandbox"]

FOUND = Findings(
    parameters=1000, multiply_adds=5, held=70, seconds=2.0, digest="d", seeded=True, repeats=True, untouched=()
)


def test_an_estimate_says_what_it_is_made_of() -> None:
    rate, memory, how = module._figures(FOUND, None, batch=64)
    assert (rate, memory, how) == (0.5, 4 * 4 * 1000 + 70 * 64, "estimated")


def test_a_slow_track_is_estimated_and_a_quick_one_is_measured(
    mine: Path, sandbox: ProcessSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, track = submissions.load(mine), tracks.load("smoke")
    measured = preview(item, track, sandbox, 60.0)
    assert measured.how == "measured" and measured.memory > 1 << 26
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    estimated = preview(item, track, sandbox, 60.0)
    assert estimated.how == "estimated" and 232 * 16 < estimated.memory < 1 << 26
    for found in (measured, estimated):
        assert (found.parameters, found.image_size, found.batch, found.units) == (232, 48, 32, 2)
        assert found.cost.forecast.work.value == pytest.approx(2 * found.longest, rel=0.1)


def test_memory_grows_with_what_a_model_holds(mine: Path, sandbox: ProcessSandbox) -> None:
    """Both figures, for one that holds 200 maps of its images instead of one."""
    track = tracks.load("smoke")
    light = preview(submissions.load(mine), track, sandbox, 60.0)
    (mine / "model.py").write_text(HEAVY)
    heavy = preview(submissions.load(mine), track, sandbox, 60.0)
    assert heavy.memory - light.memory > 100 * 32 * 4 * 48 * 48


def test_a_track_whose_images_are_not_taken(sandbox: ProcessSandbox) -> None:
    with pytest.raises(InputError, match=r"takes images of 75 pixels and more, not 64\. Choose another --track"):
        preview(submissions.load("inception-v3"), tracks.load("pocket"), sandbox, 60.0)
