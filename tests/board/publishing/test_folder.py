"""Publishing to a folder: only what changed, nothing of others, and whole after any interruption."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmark.board.publishing import Plan, Publication, folder, place
from benchmark.errors import InputError, IntegrityError

MARKER = ".karyobench-board.json"


def board(**changes: bytes | None) -> Publication:
    """Three files; a keyword is a page's name without its ending."""
    pages = {"index": b"board", "method": b"method", "net": b"net", **changes}
    files = {"index.html" if n == "index" else f"pages/{n}.html": d for n, d in pages.items() if d is not None}
    return Publication("board", files, "a" * 64)


def publish(target: Path, publication: Publication) -> Plan:
    where = place(f"dir:{target}", "board", "--to")
    plan = where.compare(publication)
    where.write(publication, plan)
    return plan


def files(target: Path) -> dict[str, bytes]:
    return {
        p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file() and p.name != MARKER
    }


def test_the_folder_is_the_board_and_again_nothing(tmp_path: Path) -> None:
    target = tmp_path / "site"
    assert len(publish(target, board()).of("added")) == 4
    assert files(target) == board().files
    assert publish(target, board()).changes == ()


def test_only_what_changed_is_written_and_what_is_stale_goes(tmp_path: Path) -> None:
    publish(tmp_path, board())
    os.utime(tmp_path / "index.html", (1, 1))
    plan = publish(tmp_path, board(method=b"other", net=None))
    assert [(c.kind, c.path) for c in plan.changes] == [
        ("changed", MARKER), ("changed", "pages/method.html"), ("removed", "pages/net.html"),
    ]  # fmt: skip
    assert files(tmp_path) == board(method=b"other", net=None).files
    assert (tmp_path / "index.html").stat().st_mtime == 1
    publish(tmp_path, board(method=None, net=None))
    assert not (tmp_path / "pages").exists()


def test_comparing_writes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "site"
    assert place(f"dir:{target}", "board", "--to").compare(board()).size > 0
    assert not target.exists()


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"holds other things; found 'thesis\.tex'; allowed: an empty place"):
        publish(tmp_path, board())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_others_put_beside_the_board_stays(tmp_path: Path) -> None:
    publish(tmp_path, board())
    (tmp_path / "pages" / "notes.html").write_text("theirs")
    publish(tmp_path, board(net=None))
    assert (tmp_path / "pages" / "notes.html").read_text() == "theirs"
    with pytest.raises(InputError, match=r"not published from here; found 'pages/notes\.html'"):
        publish(tmp_path, board(notes=b"ours"))
    assert (tmp_path / "pages" / "notes.html").read_text() == "theirs"


@pytest.mark.parametrize("names", [["../precious"], ["/etc/passwd"], ["a/../../precious"], [3], "x", {"a": 1}])
def test_a_marker_that_leads_outside_removes_nothing(tmp_path: Path, names: object) -> None:
    (tmp_path / "precious").write_text("x")
    target = tmp_path / "site"
    publish(target, board())
    marker = json.loads((target / MARKER).read_text()) | {"files": names}
    (target / MARKER).write_text(json.dumps(marker))
    with pytest.raises(IntegrityError, match="not a list of published files"):
        publish(target, board(net=None))
    assert (tmp_path / "precious").exists() and (target / "pages" / "net.html").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    target, outside = tmp_path / "site", tmp_path / "outside"
    publish(target, board())
    outside.mkdir()
    (target / "pages").rename(outside / "pages")
    (target / "pages").symlink_to(outside / "pages")
    with pytest.raises(InputError, match="holds a link"):
        publish(target, board(net=b"new"))
    assert (outside / "pages" / "net.html").read_bytes() == b"net"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_an_interrupted_publication_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool, after: int
) -> None:
    new = board(index=b"new", method=b"new", extra=b"new", net=None)
    if not first:
        publish(tmp_path, board())
    real, count = folder.Folder._put, iter(range(100))

    def dies(self: folder.Folder, path: str, data: bytes) -> None:
        if next(count) == after:
            (self.folder / ".index.html.abc.part").write_bytes(b"half")
            raise KeyboardInterrupt
        real(self, path, data)

    monkeypatch.setattr(folder.Folder, "_put", dies)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path, new)
    monkeypatch.undo()
    known = json.loads((tmp_path / MARKER).read_text()) if (tmp_path / MARKER).exists() else {"complete": not first}
    assert known["complete"] is (not first and after == 0)
    publish(tmp_path, new)
    assert {n: d for n, d in files(tmp_path).items() if not n.endswith(".part")} == new.files
    assert json.loads((tmp_path / MARKER).read_text())["complete"] is True


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not a folder"):
        place(f"dir:{tmp_path / 'file'}", "board", "--to")
    for text in ("dir:", "ftp:host", "site"):
        with pytest.raises(
            InputError, match=r"--to: no place to publish to; found .*allowed: hf:<owner>/<name>, git:<branch>"
        ):
            place(text, "board", "--to")
