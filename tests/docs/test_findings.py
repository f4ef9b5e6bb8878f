"""The tracks of docs/findings are the pocket track but for what they say."""

import re
from pathlib import Path

import pytest

from benchmark import track as tracks
from benchmark.insight.settings import settings
from benchmark.track import Track

DOCS = Path(__file__).parents[2] / "docs"
SIZES = (32, 48, 96, 128)


def differs(one: Track) -> dict[str, object]:
    pocket = dict(settings(tracks.load("pocket").model_dump(mode="json")))
    own = dict(settings(one.model_dump(mode="json")))
    return {
        name: own.get(name)
        for name in {*own, *pocket}
        if own.get(name) != pocket.get(name) and name not in ("name", "title", "description")
    }


@pytest.mark.parametrize("size", SIZES)
def test_a_size_differs_from_pocket_in_that_and_its_folds(size: int) -> None:
    one = tracks.load(str(DOCS / "findings" / f"size-{size}.yaml"))
    assert one.name == f"size-{size}" and differs(one) == {"preprocess.size": size, "folds": [0]}


def test_the_leak_differs_from_pocket_in_its_data_sets() -> None:
    one = tracks.load(str(DOCS / "findings" / "leak.yaml"))
    assert set(differs(one)) == {"pairs"}
    assert [pair.target for pair in one.pairs] == ["bioimlab-q-random", "cir-g-random"]


def test_there_is_no_other_track_and_the_page_shows_the_file() -> None:
    names = sorted(path.name for path in (DOCS / "findings").glob("*.yaml"))
    assert names == sorted(["leak.yaml", *(f"size-{size}.yaml" for size in SIZES)])
    [block] = re.findall(r"```yaml\n(name: leak\n.*?)```", (DOCS / "leakage.md").read_text(), flags=re.DOTALL)
    assert block == (DOCS / "findings" / "leak.yaml").read_text()
