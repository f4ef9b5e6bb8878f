"""What a pull request may touch, on real commits."""

import shutil

import pytest

from benchmark.proposal.git import Repository
from benchmark.proposal.touched import Touched, look, owner_of, part_of


def seen(repo, change) -> Touched:
    git = Repository(repo.folder)
    of = git.range(repo.pull(change))
    folders = [{owner_of(blob.path) for blob in git.tree(commit, "submissions/")} - {None} for commit in of]
    return look(git.changes(of), *folders)


def test_a_new_submission(repo) -> None:
    found = seen(repo, lambda r: r.submit("new-net"))
    assert found == Touched(("new-net",), "new-net", True, {}, ())


def test_a_changed_submission(repo) -> None:
    found = seen(repo, lambda r: r.submit("tiny-net", title="Another title"))
    assert (found.own, found.fresh, found.problems) == ("tiny-net", False, ())


def test_no_submission_at_all(repo) -> None:
    found = seen(repo, lambda r: r.write("README.md", "more\n"))
    assert (found.names, found.own, found.parts, found.problems) == ((), None, {"documentation": ("README.md",)}, ())


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("benchmark/tracks/smoke.yaml", "track"),
        ("benchmark/protocol.py", "protocol"),
        ("datasets/cir-g/manifest.csv", "dataset"),
        ("benchmark/scoring.py", "harness"),
        ("pyproject.toml", "harness"),
        (".github/workflows/check.yml", "workflow"),
        (".ci/run", "workflow"),
        ("leaderboard/ledger/records.jsonl", "results"),
        (".gitattributes", "git's configuration"),
        (".gitmodules", "git's configuration"),
        ("tests/test_plan.py", "tests"),
        ("submissions/README.md", "documentation"),
        ("docs/design.md", "documentation"),
        ("setup.cfg", "other files"),
    ],
)
def test_whatever_else_it_touches_is_named(repo, path: str, part: str) -> None:
    assert part_of(path) == part

    def change(r) -> None:
        r.submit("new-net")
        r.write(path, "changed by a submission\n")

    (problem,) = seen(repo, change).problems
    assert problem == f"changes the {part}: {path}; a submission may touch only its own folder"


def test_several_submissions_at_once(repo) -> None:
    found = seen(repo, lambda r: (r.submit("one-net"), r.submit("two-net"), r.submit("tiny-net", title="x")))
    assert found.own is None
    assert found.problems == ("touches 3 submissions: one-net, tiny-net, two-net; one pull request, one submission",)


def test_a_deleted_submission(repo) -> None:
    (problem,) = seen(repo, lambda r: shutil.rmtree(r.folder / "submissions/tiny-net")).problems
    assert problem.startswith("deletes tiny-net") and "karyobench ledger withdraw" in problem


def test_a_renamed_submission(repo) -> None:
    found = seen(repo, lambda r: r.git("mv", "submissions/tiny-net", "submissions/new-net"))
    (problem,) = found.problems
    assert problem.startswith("renames tiny-net to new-net") and found.own == "new-net"


def test_a_file_taken_from_another_submission(repo) -> None:
    def change(r) -> None:
        r.submit("new-net", code="x = 1\n")
        r.git("mv", "submissions/tiny-net/model.py", "submissions/new-net/helper.py")

    problems = seen(repo, change).problems
    assert "moves a file of tiny-net to new-net" in problems
    assert any(problem.startswith("touches 2 submissions") for problem in problems)


def test_a_symbolic_link(repo) -> None:
    def change(r) -> None:
        r.submit("new-net")
        (r.folder / "submissions/new-net/model.py").unlink()
        (r.folder / "submissions/new-net/model.py").symlink_to("/etc/passwd")

    (problem,) = seen(repo, change).problems
    assert problem == "submissions/new-net/model.py is a symbolic link; only plain files can be in a submission"


def test_a_file_that_becomes_a_link(repo) -> None:
    def change(r) -> None:
        path = r.folder / "submissions/tiny-net/model.py"
        path.unlink()
        path.symlink_to("../other-net/model.py")

    (problem,) = seen(repo, change).problems
    assert problem.startswith("submissions/tiny-net/model.py is a symbolic link")


def test_a_submodule(repo) -> None:
    def change(r) -> None:
        r.submit("new-net")
        r.git("add", "--all")
        r.git("update-index", "--add", "--cacheinfo", f"160000,{r.git('rev-parse', 'HEAD')},submissions/new-net/more")
        (r.folder / "submissions/new-net/more").mkdir()

    (problem,) = seen(repo, change).problems
    assert problem == "submissions/new-net/more is a submodule; only plain files can be in a submission"


@pytest.mark.parametrize(("name", "says"), [("new-net", "is executable"), ("tiny-net", "becomes executable")])
def test_an_executable_file(repo, name: str, says: str) -> None:
    def change(r) -> None:
        r.submit(name)
        (r.folder / f"submissions/{name}/model.py").chmod(0o755)

    (problem,) = seen(repo, change).problems
    assert problem == f"submissions/{name}/model.py {says} (mode 100755); allowed: 100644"


@pytest.mark.parametrize("kind", ["link", "submodule"])
def test_a_folder_that_is_none(repo, kind: str) -> None:
    def change(r) -> None:
        if kind == "link":
            (r.folder / "submissions/new-net").symlink_to("../benchmark")
        else:
            r.git("update-index", "--add", "--cacheinfo", f"160000,{r.git('rev-parse', 'HEAD')},submissions/new-net")
            (r.folder / "submissions/new-net").mkdir()

    found = seen(repo, change)
    what = "a symbolic link" if kind == "link" else "a submodule"
    assert found.problems == (f"submissions/new-net is {what}; only plain files can be in a submission",)
    assert found.names == ("new-net",)
