"""Publishing to a branch of a real repository, without a trace in the work tree, the index or the present branch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmark.board.publishing import Plan, Publication, git, place
from benchmark.errors import InfrastructureError, InputError

FILES = {"index.html": b"board", "pages/net.html": b"net \xff\0", "assets/app.css": b"p {}\r\n"}


def run(*arguments: str, cwd: Path | None = None) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(params=["sha1", "sha256"])
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A repository with one commit, one staged and one changed file, in which commands are called."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "Somebody")
        monkeypatch.setenv(f"{name}_EMAIL", "somebody@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.chdir(folder)
    run("init", "-q", "-b", "main", f"--object-format={request.param}")
    run("config", "core.autocrlf", "true")
    (folder / "code.py").write_text("x = 1\n")
    run("add", "code.py")
    run("commit", "-q", "-m", "code")
    (folder / "staged.py").write_text("y = 1\n")
    run("add", "staged.py")
    (folder / "code.py").write_text("x = 2\n")
    return folder


def board(**changes: bytes | None) -> Publication:
    files = FILES | {("index.html" if n == "index" else f"pages/{n}.html"): d for n, d in changes.items()}
    return Publication("board", {n: d for n, d in files.items() if d is not None}, "a" * 64)


def publish(publication: Publication, branch: str = "pages") -> tuple[Plan, str]:
    where = place(f"git:{branch}", "board", "--to")
    publication = where.prepared(publication)
    plan = where.compare(publication)
    return plan, where.write(publication, plan)


def contents(branch: str = "pages") -> dict[str, bytes]:
    names = run("ls-tree", "-r", "--name-only", branch).split()
    return {
        n: subprocess.run(["git", "cat-file", "blob", f"{branch}:{n}"], check=True, capture_output=True).stdout
        for n in names
    }


def test_a_new_branch_holds_the_board_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(FILES["index.html"])
    _, said = publish(Publication("board", {**FILES, "index.html": tmp_path / "index.html"}, "a" * 64))
    found = contents()
    assert {n: found[n] for n in FILES} == FILES
    assert set(found) - set(FILES) == {".karyobench-board.json", ".nojekyll"}
    assert run("rev-list", "--count", "pages").strip() == "1" and "git push REMOTE pages" in said


def test_nothing_of_the_present_work_is_touched(repository: Path) -> None:
    before = run("status", "--porcelain=v2", "--branch"), run("ls-files", "-s"), run("rev-parse", "HEAD")
    files = sorted((p.name, p.read_bytes()) for p in repository.iterdir() if p.is_file())
    publish(board())
    publish(board(index=b"new"))
    assert (run("status", "--porcelain=v2", "--branch"), run("ls-files", "-s"), run("rev-parse", "HEAD")) == before
    assert sorted((p.name, p.read_bytes()) for p in repository.iterdir() if p.is_file()) == files


def test_only_what_changed_and_no_empty_commit(repository: Path) -> None:
    publish(board())
    plan, _ = publish(board(index=b"new", net=None, other=b"other"))
    assert [(c.kind, c.path) for c in plan.changes] == [
        ("changed", ".karyobench-board.json"), ("changed", "index.html"), ("removed", "pages/net.html"), ("added", "pages/other.html"),
    ]  # fmt: skip
    assert "pages/net.html" not in contents() and contents()["index.html"] == b"new"
    head = run("rev-parse", "pages")
    plan, said = publish(board(index=b"new", net=None, other=b"other"))
    assert plan.changes == () and run("rev-parse", "pages") == head and "nothing changed" in said
    assert run("log", "--format=%s", "pages").splitlines() == ["Publish the board of ledger aaaaaaaaaaaa"] * 2


def test_what_others_put_on_the_branch_stays(repository: Path) -> None:
    publish(board())
    tree = run("ls-tree", "pages") + f"100755 blob {run('rev-parse', 'main:code.py').strip()}\tCNAME\n"
    new = subprocess.run(["git", "mktree"], input=tree, check=True, capture_output=True, text=True).stdout.strip()
    run("update-ref", "refs/heads/pages", run("commit-tree", new, "-p", "pages", "-m", "domain").strip())
    publish(board(index=b"new"))
    assert contents()["CNAME"] == b"x = 1\n" and run("ls-tree", "pages", "CNAME").startswith("100755")


def test_a_branch_of_something_else_is_refused(repository: Path) -> None:
    run("branch", "thesis")
    with pytest.raises(InputError, match=r"git:thesis: holds other things; found 'code\.py'"):
        publish(board(), "thesis")
    with pytest.raises(InputError, match="is checked out"):
        publish(board(), "main")
    with pytest.raises(InputError, match="not the name of a branch"):
        publish(board(), "a..b")
    run("worktree", "add", "-q", "../other", "thesis")
    with pytest.raises(InputError, match="is checked out"):
        publish(board(), "thesis")


def test_a_branch_that_only_a_remote_has_is_not_begun_anew(repository: Path) -> None:
    run("update-ref", "refs/remotes/origin/pages", "HEAD")
    with pytest.raises(InputError, match="Run: git branch pages origin/pages"):
        publish(board())


def test_a_branch_that_moves_meanwhile_is_not_overrun(repository: Path) -> None:
    publish(board())
    where = place("git:pages", "board", "--to")
    plan = where.compare(board(index=b"new"))
    publish(board(index=b"somebody else's"))
    head = run("rev-parse", "pages")
    with pytest.raises(InputError, match="moved meanwhile"):
        where.write(board(index=b"new"), plan)
    assert run("rev-parse", "pages") == head


def test_killed_before_the_branch_moves_the_next_run_completes(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = git._git

    def dies(*arguments: str, **options: object) -> object:
        if arguments[0] == "update-ref":
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(git, "_git", dies)
    with pytest.raises(KeyboardInterrupt):
        publish(board())
    assert run("branch", "--list", "pages") == ""
    monkeypatch.undo()
    monkeypatch.chdir(repository)
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "Somebody")
        monkeypatch.setenv(f"{name}_EMAIL", "somebody@example.org")
    publish(board())
    assert {n: d for n, d in contents().items() if n in FILES} == FILES


def test_pushing_and_a_push_that_is_refused(repository: Path, tmp_path: Path) -> None:
    run(
        "init",
        "-q",
        "--bare",
        f"--object-format={run('rev-parse', '--show-object-format').strip()}",
        str(tmp_path / "remote"),
    )
    run("remote", "add", "origin", str(tmp_path / "remote"))
    publish(board())
    assert place("git:pages", "board", "--to").push("origin") == "pushed branch pages to origin"
    assert run("rev-parse", "pages", cwd=tmp_path / "remote") == run("rev-parse", "pages")
    run("update-ref", "refs/heads/pages", "main", cwd=None)
    with pytest.raises(InfrastructureError, match=r"git push origin pages: .*rejected"):
        git.GitBranch("pages", "board").push("origin")
    with pytest.raises(InfrastructureError, match="git push nowhere pages: fatal"):
        git.GitBranch("pages", "board").push("nowhere")
    with pytest.raises(InputError, match="has no remote"):
        place(f"dir:{tmp_path / 'x'}", "board", "--to").push("origin")


def test_who_commits_must_be_known(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.delenv(f"{name}_NAME")
        monkeypatch.delenv(f"{name}_EMAIL")
    run("config", "user.useConfigOnly", "true")
    with pytest.raises(InputError, match="git commit-tree: fatal"):
        publish(board())


def test_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not in a git repository"):
        publish(board())
