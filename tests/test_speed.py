from pathlib import Path

import pytest

from benchmark import track as tracks
from benchmark.campaign import Campaign
from benchmark.cost import TWO_BATCHES, known
from benchmark.errors import InputError
from benchmark.speed import Speeds
from benchmark.submission import load
from benchmark.track import Track


def own(folder: Path, code: str | None = None) -> Path:
    (folder / "submission.yaml").write_text(
        "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )
    if code is not None:
        (folder / "model.py").write_text(code)
    return folder


@pytest.mark.slow
def test_a_speed_is_measured_once_and_kept(tmp_path: Path, tiny_submission: object) -> None:
    item = load(own(tmp_path / "tiny-net"))
    campaign = Campaign(tmp_path / "workspace", tracks.load("smoke"), [item])
    assert known(campaign, "cpu") == ([], {})
    speeds = Speeds(campaign.workspace, campaign.track)
    seconds = speeds.measure(item, "smoke")
    assert 0 < seconds < 1 and speeds.get(item) == seconds
    assert known(campaign, "cpu") == ([("tiny-net", 1.0, seconds)], {TWO_BATCHES: 1})
    assert known(campaign, "cuda") == ([], {})


@pytest.mark.slow
def test_a_model_that_cannot_be_trained_says_why(tmp_path: Path, tiny_track: Track, tiny_submission: object) -> None:
    item = load(own(tmp_path / "tiny-net", "def build(**kwargs):\n    raise ValueError('no such layer')\n"))
    with pytest.raises(InputError, match=r"speed cannot be measured: .*no such layer"):
        Speeds(tmp_path, tiny_track).measure(item, "smoke")


def test_a_damaged_file_counts_as_empty(tmp_path: Path, tiny_track: Track) -> None:
    (tmp_path / "speed.json").write_text("{")
    assert Speeds(tmp_path, tiny_track).known() == {}
