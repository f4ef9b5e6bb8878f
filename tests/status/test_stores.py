from pathlib import Path

import pytest

from benchmark.artefacts import Artefacts
from benchmark.errors import InputError
from benchmark.plan import Unit
from benchmark.status.reading import find
from benchmark.status.stores import publisher, source
from benchmark.status.tracker import About, Tracker

UNIT = Unit("a", "net", "scratch", "d", 0, 0, 0, 2, 10, False, "random", None, ("d",), None, None)


def test_a_run_is_found_in_the_store_by_who_cannot_see_the_workspace(tmp_path: Path) -> None:
    store = Artefacts(str(tmp_path / "store"))
    tracker = Tracker(tmp_path / "runs", About("ray", "process", "t", "cpu"), [UNIT], publish=publisher(store))
    with tracker:
        pass
    found = find(source(store.address))
    assert (found.state.run, found.state.phase, found.life) == (tracker.name, "finished", "ended")
    assert (tmp_path / "store" / "runs" / tracker.path.name).read_bytes() == tracker.path.read_bytes()


def test_a_store_without_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run is known here"):
        find(source(str(tmp_path / "nothing")))
