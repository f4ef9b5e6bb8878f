from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.proposal.git import Repository


def test_what_others_merged_meanwhile_is_not_the_pull_requests(repo) -> None:
    span = repo.pull(lambda r: r.submit("new-net"))
    repo.write("benchmark/protocol.py", "changed on main\n")
    repo.commit("meanwhile")
    git = Repository(repo.folder)
    changes = git.changes(git.range(span))
    assert [(one.kind, one.path) for one in changes] == [
        ("added", "submissions/new-net/model.py"),
        ("added", "submissions/new-net/submission.yaml"),
    ]


def test_files_are_read_as_they_are_in_the_commit(repo) -> None:
    """No filter and no attribute of the pull request has a say, and the work tree stays as it is."""

    def change(r) -> None:
        r.write("submissions/new-net/.gitattributes", "*.py export-ignore eol=crlf ident\n")
        r.write("submissions/new-net/model.py", "# $Id$\nx = 1\n")

    span = repo.pull(change)
    git = Repository(repo.folder)
    found = {blob.path: git.read(blob) for blob in git.tree(git.range(span).head, "submissions/new-net/")}
    assert found["submissions/new-net/model.py"] == b"# $Id$\nx = 1\n"
    assert not (repo.folder / "submissions" / "new-net").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("main", "not a range of commits"),
        ("--output=x..main", "not a range of commits"),
        ("main..-h", "not a range of commits"),
        ("..", "not a range of commits"),
        ("a..b..c", "not a range of commits"),
        ("main..absent", "no such commit"),
    ],
)
def test_a_range_that_is_none(repo, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Repository(repo.folder).range(text)


def test_histories_without_a_common_commit(repo) -> None:
    repo.git("checkout", "--quiet", "--orphan", "alone")
    repo.commit("alone")
    with pytest.raises(InputError, match=r"no common commit.*--unshallow"):
        Repository(repo.folder).range("main..alone")


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not in a git repository"):
        Repository(tmp_path)
