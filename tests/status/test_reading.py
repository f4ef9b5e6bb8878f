import datetime
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import InputError
from benchmark.plan import Unit
from benchmark.status.reading import Folder, InStore, find
from benchmark.status.tracker import About, Tracker

UNIT = Unit("a", "net", "scratch", "d", 0, 0, 0, 2, 10, False, "random", None, ("d",), None, None)


def never(seconds: float) -> None:
    raise AssertionError("there was no need to wait")


def written(folder: Path, name: str, **changes: Any) -> None:
    """A state under a name of its own; changes to `head` are made within it."""
    tracker = Tracker(folder, About("local", "process", "tiny", "cpu"), [UNIT])
    state = json.loads(tracker.state().model_dump_json()) | {"run": name, "phase": "running"}
    state["head"] |= changes.pop("head", {})
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(state | changes))


def at(seconds: float) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).isoformat()


def test_a_head_of_this_machine_is_told_by_its_process(tmp_path: Path) -> None:
    written(tmp_path, "a-mine", beaten=at(-9999))
    assert find(Folder(tmp_path), wait=never).life == "alive", "this process lives, whatever the clock says"
    for changes in ({"started": 1.0}, {"boot": "an earlier one"}, {"pid": 2**22 + 1}):
        written(tmp_path, "a-mine", head=changes)
        assert find(Folder(tmp_path), wait=never).life == "dead"


def test_a_process_that_was_killed_is_dead_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; sys.path[:0] = sys.argv[2:]; from pathlib import Path\n"
        "from benchmark.status.tracker import About, Tracker\n"
        "with Tracker(Path(sys.argv[1]), About('local', 'process', 'tiny', 'cpu'), []): print(flush=True); time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), *sys.path], stdout=subprocess.PIPE)
    try:
        assert child.stdout and child.stdout.readline()
        assert find(Folder(tmp_path), wait=never).life == "alive"
    finally:
        child.kill()
    while Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
        time.sleep(0.01)
    assert find(Folder(tmp_path), wait=never).life == "dead", "also as long as nobody has waited for it"
    child.wait()
    assert find(Folder(tmp_path), wait=never).life == "dead"


@pytest.mark.parametrize("clock", [-3600.0, 3600.0])
def test_a_head_elsewhere_whose_clock_is_an_hour_off_is_told_by_its_beat(tmp_path: Path, clock: float) -> None:
    written(tmp_path, "a", head={"host": "elsewhere"}, beat=7, beaten=at(clock))
    waits: list[float] = []

    def beats(seconds: float) -> None:
        waits.append(seconds)
        written(tmp_path, "a", head={"host": "elsewhere"}, beat=8, beaten=at(clock))

    assert find(Folder(tmp_path), wait=beats).life == "alive"
    assert find(Folder(tmp_path), wait=waits.append).life == "dead"
    assert all(seconds >= 2.0 for seconds in waits) and len(waits) == 2


def test_a_head_elsewhere_that_beat_lately_needs_no_waiting_and_one_that_ends_meanwhile_has_ended(
    tmp_path: Path,
) -> None:
    written(tmp_path, "a", head={"host": "elsewhere"}, beaten=at(-2))
    assert find(Folder(tmp_path), wait=never).life == "alive"
    written(tmp_path, "a", head={"host": "elsewhere"}, beaten=at(-60))
    ends = lambda seconds: written(tmp_path, "a", head={"host": "elsewhere"}, phase="finished")  # noqa: E731
    assert find(Folder(tmp_path), wait=ends).life == "ended"


def test_states_of_a_store_come_seldom_and_are_waited_for_longer(tmp_path: Path) -> None:
    written(tmp_path, "a", head={"host": "elsewhere"}, beaten=at(-30))
    folder, waits = Folder(tmp_path), []
    store = InStore(folder.names, folder.read)
    assert find(store, wait=waits.append).life == "alive" and waits == []
    written(tmp_path, "a", head={"host": "elsewhere"}, beaten=at(-300))
    assert find(store, wait=waits.append).life == "dead" and waits == [21.0]


def test_without_a_name_it_is_the_newest_run_unless_an_older_one_still_goes_on(tmp_path: Path) -> None:
    written(tmp_path, "1-old", phase="finished")
    written(tmp_path, "2-lives")
    written(tmp_path, "3-dead", head={"pid": 2**22 + 1})
    written(tmp_path, "4-new", phase="failed")
    assert find(Folder(tmp_path), wait=never).state.run == "2-lives"
    (tmp_path / "2-lives.json").unlink()
    assert find(Folder(tmp_path), wait=never).state.run == "4-new"
    assert find(Folder(tmp_path), "3", wait=never).life == "dead"


@pytest.mark.parametrize(
    ("run", "problem"), [("x", "no run of this name; found 'x'; allowed: 1-a, 1-b"), ("1", "several runs begin so")]
)
def test_a_name_that_is_none_is_an_error(tmp_path: Path, run: str, problem: str) -> None:
    for name in ("1-a", "1-b"):
        written(tmp_path, name)
    with pytest.raises(InputError, match=problem):
        find(Folder(tmp_path), run)


def test_no_run_and_a_damaged_state_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run is known here"):
        find(Folder(tmp_path / "none"))
    written(tmp_path, "a", format="new", every="often")
    with pytest.raises(InputError, match=r"a\.json: .*not the state of a run"):
        find(Folder(tmp_path))
