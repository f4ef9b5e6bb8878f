import json
from pathlib import Path
from typing import Any

import pytest

from benchmark import records
from benchmark.board import ahead
from benchmark.board import build as module
from benchmark.board.build import BUILT, build, write
from benchmark.errors import InfrastructureError, InputError, IntegrityError
from benchmark.ledger import Ledger
from benchmark.memo import Memo
from benchmark.status.reading import Found
from benchmark.withdrawal import withdraw
from tests.board import made, states

PAGES = {"index.html", "method.html", "compare.html", "changes.html"}


@pytest.fixture(autouse=True)
def _quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are named and not drawn, which takes a second each; `tests/board/pictures` draws them."""
    if "scored_ledger" not in request.fixturenames:
        monkeypatch.setattr(module.pictures, "files", made.blank)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != BUILT
    }


def write_made(folder: Path, number: int = 3, run: Found | None = None) -> Path:
    whole = made.board(number).model_copy(update={"status": run is not None})
    names = sorted({row.submission for row in whole.rows})
    parts = [module.made(whole, made.detail(whole, name), [made.tallies(name, 0.9)]) for name in names]
    return write(folder, whole, parts, run=run)


def test_an_empty_ledger_makes_no_page(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no result yet"):
        build(Ledger(tmp_path / "ledger"), tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_the_board_shows_what_the_ledger_holds_and_loads_nothing_else(scored_ledger: Ledger, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    path = build(scored_ledger, tmp_path / "board", step=lambda done, total: steps.append((done, total)))
    found = files(path.parent)
    assert path.name == "index.html" and found.keys() >= PAGES | {"submissions/tiny-net.html", "board.json"}
    assert steps == [(0, 1), (1, 1)]
    page = found["submissions/tiny-net.html"].decode()
    for record in scored_ledger.records():
        assert f"{100 * record['scores']['macro_f1']:.1f}" in page and record["key"] in page
    shown = json.loads(found["board.json"])
    scores = {row["target"]: row["results"]["scratch"]["macro_f1"]["value"] for row in shown["rows"]}
    assert scores == {r["dataset"]["name"]: r["scores"]["macro_f1"] for r in scored_ledger.records()}
    assert {row["stain"] for row in shown["rows"]} == {"Q", "G"}, "the card came along with the records"
    for name, content in found.items():
        if name.endswith(".html"):
            assert b"//cdn" not in content and b'src="http' not in content and b'href="//' not in content, name


def test_the_same_ledger_gives_the_same_bytes_with_or_without_memory(scored_ledger: Ledger, tmp_path: Path) -> None:
    first = files(build(scored_ledger, tmp_path / "a").parent)
    for name in ("b", "c"):
        with Memo(tmp_path / "memo") as memo:
            assert files(build(scored_ledger, tmp_path / name, memo=memo).parent) == first


def test_a_withdrawn_submission_keeps_its_page(maker: Any, tmp_path: Path) -> None:
    maker.fill(name="kept", repeats=1, imagenet=0.6)
    maker.fill(name="gone", repeats=1, imagenet=0.6)
    withdraw(maker.ledger, "gone", "a leak was found")
    found = files(build(maker.ledger, tmp_path / "board").parent)
    assert "a leak was found" in found["submissions/gone.html"].decode()
    assert {row["submission"] for row in json.loads(found["board.json"])["rows"]} == {"kept"}


def test_a_ledger_that_was_changed_makes_no_page(scored_ledger: Ledger, tmp_path: Path) -> None:
    scored_ledger.path.write_text(scored_ledger.path.read_text().replace("tiny-net", "best-net"))
    with pytest.raises(IntegrityError, match="its hash does not fit"):
        build(scored_ledger, tmp_path / "board")
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(("change", "problem"), [("change", "are not those of the record"), ("remove", "are missing")])
def test_changed_predictions_are_found_even_when_their_figures_are_remembered(
    scored_ledger: Ledger, tmp_path: Path, change: str, problem: str
) -> None:
    with Memo(tmp_path / "memo") as memo:
        build(scored_ledger, tmp_path / "board", memo=memo)
        path = scored_ledger.predictions_path(scored_ledger.records()[0]["key"])
        if change == "remove":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(IntegrityError, match=problem):
            build(scored_ledger, tmp_path / "board", memo=memo)


def test_a_second_build_writes_only_what_changed_and_removes_what_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "board"
    write_made(folder, 3)
    (folder / "notes.txt").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    write_made(folder, 3)
    touched = {p.name for p, time in before.items() if p.stat().st_mtime_ns != time}
    assert touched == {BUILT}
    write_made(folder, 2)
    assert not (folder / "submissions" / "net-00002.html").exists() and (folder / "notes.txt").read_text() == "mine"
    assert sorted(json.loads((folder / BUILT).read_text())["files"]) == sorted(files(folder).keys() - {"notes.txt"})


@pytest.fixture
def many(maker: Any, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger that is worked on in many small parts."""
    for owner, name in ((module, "TOGETHER"), (ahead, "TRIALS"), (ahead, "RECORDS"), (records, "LINES")):
        monkeypatch.setattr(owner, name, 1)
    for name in ("one", "two", "three"):
        maker.fill(name=name, repeats=1, imagenet=0.6, two_step=0.7)
    ledger: Ledger = maker.ledger
    return ledger


def test_one_and_several_processes_write_the_same_bytes(many: Ledger, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    alone = build(many, tmp_path / "alone", workers=1)
    shared = build(many, tmp_path / "shared", workers=3, step=lambda done, total: steps.append((done, total)))
    assert files(alone.parent) == files(shared.parent) and len(files(shared.parent)) > 10
    assert (alone.parent / BUILT).read_bytes() == (shared.parent / BUILT).read_bytes()
    assert sorted(set(steps)) == [(0, 3), (1, 3), (2, 3), (3, 3)] and steps[0] == (0, 3)
    again = {path: path.stat().st_mtime_ns for path in shared.parent.rglob("*") if path.is_file()}
    build(many, tmp_path / "shared", workers=2)
    assert {path.name for path, time in again.items() if path.stat().st_mtime_ns != time} == {BUILT}


def test_the_first_build_opens_every_file_of_predictions_once(
    many: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or read_bytes(path))
    with Memo(tmp_path / "memo") as memo:
        build(many, tmp_path / "board", memo=memo, workers=1)
    assert sorted(name for name in opened if name.endswith(".npz")) == sorted(f"{r['key']}.npz" for r in many.records())


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_process_is_the_same_one_line_and_no_first_page(
    many: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    def full(path: Path, content: bytes) -> None:
        if path.name == "two.html":
            raise InfrastructureError("the disk is full")
        put(path, content)

    put = module.put
    with monkeypatch.context() as patch:
        patch.setattr(module, "put", full)
        with pytest.raises(InfrastructureError, match=r"^the disk is full$"):
            build(many, tmp_path / "board", workers=workers)
    assert not (tmp_path / "board" / "index.html").exists() and (tmp_path / "board" / BUILT).is_file()
    assert files(build(many, tmp_path / "board").parent) == files(build(many, tmp_path / "whole").parent)


def test_a_page_is_made_again_only_when_something_that_it_shows_has_changed(
    maker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        maker.fill(name=name, repeats=1, imagenet=0.6)
    calls: list[str] = []
    real = module.submission.files
    monkeypatch.setattr(module.submission, "files", lambda board, one: calls.append(one.submission) or real(board, one))

    def again() -> list[str]:
        calls.clear()
        build(maker.ledger, tmp_path / "board")
        return sorted(calls)

    assert again() == ["one", "two"] and again() == []
    page = tmp_path / "board" / "submissions" / "two.html"
    shown = page.read_bytes()
    page.write_bytes(b"altered")
    assert again() == ["two"] and page.read_bytes() == shown
    maker.add("scratch", 0, name="one")
    assert again() == ["one"]
    key = maker.ledger.records()[0]["key"]
    maker.ledger.append({"type": "reproduction", "of": key, "grade": "bitwise", "ended": "2026-02-01T00:00:00+00:00"})
    assert again() == ["one"]
    withdraw(maker.ledger, "two", "why")
    assert again() == ["two"]
    assert files(tmp_path / "board") == files(build(maker.ledger, tmp_path / "new").parent)


def test_a_build_that_was_interrupted_is_completed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_made(tmp_path / "whole")
    folder, calls = tmp_path / "board", []

    def stops(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) == 12:
            raise KeyboardInterrupt
        put(path, content)

    put = module.put
    with monkeypatch.context() as patch:
        patch.setattr(module, "put", stops)
        with pytest.raises(KeyboardInterrupt):
            write_made(folder)
    assert not (folder / "index.html").exists(), "the first page comes last"
    write_made(folder)
    assert files(folder) == files(tmp_path / "whole")


def test_a_folder_that_holds_something_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds something else than a board"):
        write_made(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "text", ["no json", '{"a": 1', "[1, 2]", '{"files": [], "parts": {"a": 1}}', '{"files": [1], "parts": {}}']
)
def test_a_damaged_list_of_files_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / BUILT).write_text(text)
    with pytest.raises(InputError, match="not a list of files"):
        write_made(tmp_path)


def test_a_list_of_files_never_leads_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("stays")
    folder = tmp_path / "board"
    folder.mkdir()
    names = ["../victim", str(victim), "old.html"]
    parts = {"net": {"key": "k", "files": dict.fromkeys(names, "0")}}
    (folder / BUILT).write_text(json.dumps({"files": names, "parts": parts}))
    (folder / "old.html").write_text("goes")
    write_made(folder)
    assert victim.read_text() == "stays" and not (folder / "old.html").exists()


def test_a_run_has_a_page_that_every_page_links_only_where_one_is_given(scored_ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "board"
    build(scored_ledger, folder)
    without = files(folder)
    assert "status.html" not in without and not any(b"status.html" in content for content in without.values())
    build(scored_ledger, folder, run=states.found())
    shown = files(folder)
    pages = [name for name in shown if name.endswith(".html")]
    assert "status.html" in pages and all(b"status.html" in shown[name] for name in pages)
    build(scored_ledger, folder)
    assert files(folder) == without
