"""How far units on nodes are, as a head sees it."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import benchmark.remote
from benchmark.artefacts import Artefacts, Claim, Leases
from benchmark.plan import Unit
from benchmark.remote import watch as module
from benchmark.remote.watch import Watch
from tests.remote.conftest import Cluster


def unit(key: str) -> Unit:
    return Unit(key, "net", "scratch", "d", 0, 0, 0, 4, 1, False, "random", None, (), None, None)


class Board:
    """A store with claims, an engine that says what runs, and what was told."""

    def __init__(self, folder: Path, keys: list[str]) -> None:
        self.leases = Leases(Artefacts(str(folder)))
        self.running, self.told = dict.fromkeys(keys, ""), list[tuple[str, Any]]()
        engine: Any = SimpleNamespace(under_way=lambda: self.running)
        units = {key: unit(key) for key in keys}
        self.watch = Watch(self.leases.store, engine, units, lambda one, line: self.told.append((one.key, line)))

    def claim(self, key: str, epoch: int | None, generation: int = 0, released: bool = False) -> None:
        progress = {"epoch": epoch, "epochs": 4} if epoch else None
        self.leases.write(key, generation, Claim(holder="h", beat=1, released=released, progress=progress))


def test_lines_that_are_new_are_told_once_of_the_newest_claim(tmp_path: Path) -> None:
    board = Board(tmp_path, ["a", "b", "c", "d"])
    board.running["of-another-run"] = ""
    board.claim("a", 1)
    board.claim("b", None)
    board.claim("c", 3)
    board.claim("c", 1, generation=1)
    board.claim("d", 2, released=True)
    board.watch.look()
    assert board.told == [("a", {"epoch": 1, "epochs": 4}), ("c", {"epoch": 1, "epochs": 4})]
    board.watch.look()
    assert len(board.told) == 2
    board.claim("a", 2)
    del board.running["c"]
    board.claim("c", 2, generation=1)
    board.watch.look()
    assert board.told[2:] == [("a", {"epoch": 2, "epochs": 4})]


def test_of_many_units_all_have_their_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    board = Board(tmp_path, [f"u{n}" for n in range(8)])
    asked: list[str] = []
    monkeypatch.setattr(board.watch._leases, "newest", lambda key: (asked.append(key), (-1, None))[1])
    for _ in range(3):
        board.watch.look()
    assert len(asked) == 9 and set(asked) == set(board.running)


def test_a_run_on_nodes_shows_epochs_before_a_unit_has_ended(
    cluster: Cluster, counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node's own beat brings the line into its claim, and the head's look finds it there."""
    monkeypatch.setattr(module, "EVERY", 0.05)
    lines: list[tuple[str, Any]] = []
    campaign = cluster.campaign()
    [one] = campaign.todo(campaign.plan(["scratch"], ["sim-q"]))
    real = counting.run

    def slow(self: Any, inputs: Path, output: Path, limits: Any, report: Any) -> Any:
        report({"epoch": 1, "epochs": one.epochs, "loss": 0.5})
        until = time.monotonic() + 30
        while not lines and time.monotonic() < until:
            time.sleep(0.02)
        assert lines, "nothing was shown while it trained"
        return real(self, inputs, output, limits, report)

    monkeypatch.setattr(counting, "run", slow)
    monkeypatch.setattr(benchmark.remote, "pack", functools.partial(benchmark.remote.pack, beat=0.05))
    campaign.run([one], lambda who, line: lines.append((who.key, line)), sandbox="counting", engine="inline")
    assert lines[0] == (one.key, {"epoch": 1, "epochs": one.epochs, "loss": 0.5})
    assert lines[-1] == (one.key, {"epoch": one.epochs, "epochs": one.epochs})
