import json
import math
import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from benchmark import memo as module
from benchmark.memo import Gathered, Memo, default, key_of


def counted(path: Path | None, kind: str = "score", parts: tuple[str, ...] = ("a",)) -> tuple[object, int]:
    calls = []
    with Memo(path) as memo:
        value = memo.get(kind, parts, lambda: calls.append(1) or {"value": 0.1 + 0.2, "low": math.nan})
    return value, len(calls)


def test_a_figure_is_computed_once_and_comes_back_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "figures.sqlite"
    first, calls = counted(path)
    again, more = counted(path)
    assert (calls, more) == (1, 0) and isinstance(first, dict) and isinstance(again, dict)
    assert again["value"] == first["value"] == 0.1 + 0.2 and math.isnan(again["low"])


@pytest.mark.parametrize(("kind", "parts"), [("gain", ("a",)), ("score", ("b",)), ("score", ("a", "b")), ("score", ())])
def test_another_figure_or_record_is_another_key(tmp_path: Path, kind: str, parts: tuple[str, ...]) -> None:
    counted(tmp_path / "m")
    assert counted(tmp_path / "m", kind, parts)[1] == 1


def test_other_code_computes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(tmp_path / "m")
    monkeypatch.setattr(module, "harness", lambda: {"code": "changed"})
    assert counted(tmp_path / "m")[1] == 1


def test_without_a_path_nothing_is_remembered() -> None:
    assert counted(None)[1] == counted(None)[1] == 1


def test_a_damaged_store_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"no database" * 1000)
    assert counted(path)[1] == 1 and counted(path)[1] == 0
    sqlite3.connect(path).execute("SELECT * FROM figures").fetchone()


def test_the_default_place_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARYOBENCH_CACHE", "/x")
    assert default() == Path("/x/figures.sqlite")
    monkeypatch.delenv("KARYOBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/y")
    assert default() == Path("/y/karyobench/figures.sqlite")


def test_figures_from_elsewhere_are_kept_under_the_key_of_their_own(tmp_path: Path) -> None:
    elsewhere = Gathered()
    value = {"value": 0.1 + 0.2, "low": math.nan}
    assert elsewhere.get("score", ["a"], lambda: value) is elsewhere.get("score", ["a"], lambda: None)
    elsewhere.keep("gain", ("a", "b"), [1, 2.5])
    with Memo(tmp_path / "m") as memo:
        assert not memo.has(key_of("gain", ["a", "b"]))
        memo.put(elsewhere.texts())
        assert memo.has(key_of("gain", ["a", "b"])) and memo.get("gain", ["a", "b"], lambda: None) == [1, 2.5]
    assert repr(counted(tmp_path / "m")) == repr((value, 0))


def test_a_passing_memory_is_gone_with_its_process() -> None:
    first, second = Memo.passing(), Memo.passing()
    first.put([(key_of("score", ["a"]), json.dumps(1))])
    assert first.get("score", ["a"], lambda: 2) == 1 and second.get("score", ["a"], lambda: 2) == 2


def test_a_fork_has_what_is_new_and_leaves_the_store_to_its_parent(tmp_path: Path) -> None:
    with Memo(tmp_path / "m") as memo:
        memo.get("score", ["a"], lambda: "parent")
    with Memo(tmp_path / "m") as memo:
        memo.get("score", ["c"], lambda: "new")
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()

        def ask() -> None:
            answers.put([memo.get("score", [part], lambda: "fork") for part in ("a", "b", "c")])

        process = context.Process(target=ask)
        process.start()
        process.join(60)
        assert answers.get() == ["fork", "fork", "new"]
        assert memo.get("score", ["a"], lambda: "again") == "parent"
        assert memo.get("score", ["b"], lambda: "parent") == "parent"
