import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.board import build
from benchmark.cli import live as live_module
from benchmark.cli.live import described, live
from benchmark.cli.main import app
from benchmark.cli.status import left, line
from benchmark.errors import InputError
from benchmark.status.model import RunState
from benchmark.status.tracker import head
from tests.board import made, states


def written(workspace: Path, **changes: Any) -> RunState:
    """A state in a workspace, of this process."""
    state = states.state(**{"head": head(), **changes})
    (workspace / "runs").mkdir(exist_ok=True, parents=True)
    (workspace / "runs" / f"{state.run}.json").write_text(state.model_dump_json())
    return state


def go(*options: str) -> Any:
    return CliRunner().invoke(app, ["status", *options], catch_exceptions=False)


def test_a_run_under_way_is_told_in_a_few_lines(tmp_path: Path) -> None:
    state = written(tmp_path)
    result = go("-w", str(tmp_path))
    assert result.exit_code == 0
    for text in (
        state.run, "under way since 2026-11-24T12:00:00", "220/660 done, 8 running, 4 queued, 12 failed, 1 given up, 17 tried again",
        "about 67 min (60 min to 75 min)", "zoo-net: not timed yet", "ImageNet → cir-g → bioimlab-q", "node-1", "quarantined: its node went",
    ):  # fmt: skip
        assert text in result.output, text


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"phase": "finished"}, 0, "finished after 35 min"),
        ({"phase": "failed", "message": "the disk is full"}, 4, "the disk is full"),
        ({"phase": "stopped"}, 130, "stopped after 35 min"),
        (
            {"head": head().model_copy(update={"pid": 2**22 + 1})},
            4,
            "DEAD: its head was last heard of at 2026-11-24T12:34:56",
        ),
    ],
)
def test_the_exit_code_tells_how_it_ended(tmp_path: Path, changes: dict[str, Any], code: int, said: str) -> None:
    written(tmp_path, **changes)
    result = go("-w", str(tmp_path))
    assert result.exit_code == code and said in result.output and "time left" not in result.output
    plain = go("-w", str(tmp_path), "--json")
    assert plain.exit_code == code


def test_as_json_it_is_the_state_and_whether_the_head_lives(tmp_path: Path) -> None:
    state = written(tmp_path)
    found = json.loads(go("-w", str(tmp_path), "--json").stdout)
    assert found.pop("life") == "alive" and RunState.model_validate(found) == state


def test_without_a_run_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run is known here"):
        go("-w", str(tmp_path))
    with pytest.raises(InputError, match="no run is known here"):
        go("--store", str(tmp_path / "store"))
    written(tmp_path)
    with pytest.raises(InputError, match="no run of this name; found 'x'"):
        go("x", "-w", str(tmp_path))


def test_watching_ends_with_the_run_and_keeps_the_page_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, looks = written(tmp_path), []
    monkeypatch.setattr(build.pictures, "files", made.blank)
    board = made.board(2).model_copy(update={"status": True})
    build.write(tmp_path / "board", board, [], run=states.found("dead"))

    def later(seconds: float) -> None:
        looks.append((tmp_path / "board" / "status.html").read_text())
        written(tmp_path, done=660, phase="finished" if len(looks) == 2 else "running")

    monkeypatch.setattr(time, "sleep", later)
    result = go(state.run[:8], "-w", str(tmp_path), "--watch", "--board", str(tmp_path / "board"))
    assert result.exit_code == 0 and len(looks) == 2
    assert "Run under way: 232 of 660" in looks[0] and "Run under way: 672 of 660" in looks[1]
    assert "Run finished" in (tmp_path / "board" / "status.html").read_text()


def test_the_time_that_remains_is_said_with_what_it_rests_on() -> None:
    found = states.state().remaining
    assert found and left(None) == "not known yet"
    assert (
        left(found.model_copy(update={"low": None, "high": None})) == "about 67 min (no interval: too little was timed)"
    )
    assert (
        line(states.state(queued=0, given_up=0, retries=0, remaining=None))
        == "220/660 done, 8 running, 12 failed · left: not known yet"
    )


def test_where_no_terminal_is_a_line_a_minute_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(live_module.time, "monotonic", lambda: now)
    with live() as show:
        for seconds in (1.0, 58.0, 2.0, 5.0, 61.0):
            now += seconds
            show(states.state())
    assert capsys.readouterr().err.splitlines() == [line(states.state())] * 2


def test_on_a_terminal_a_bar_stands_beside_the_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "240")
    with live() as show:
        show(states.state())
    shown = capsys.readouterr().err
    assert "35%" in shown and "220/660 done, 8 running" in shown and "(60 min to 75 min)" in shown
    assert described(states.state()).endswith("ImageNet → cir-g → bioimlab-q 88 %")
    assert described(states.state(under_way=())) == line(states.state())
