"""From a range of commits to a report; networks are built for real in test_prints, and once in tests/cli."""

from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.proposal import check as module
from benchmark.proposal.check import Examined, check
from benchmark.proposal.copies import Compared, Copy
from benchmark.proposal.report import Proposal

from .conftest import NET, spec


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch):
    """Checks a change; tells what the copies were sought among and what was examined."""
    seen: dict[str, object] = {}

    def copies(own, known, sandbox):
        seen["known"] = [one.name for one in known]
        return Compared(seen.get("copies", []), seen.get("unknown", []))

    def examine(folder: Path) -> Examined:
        seen["files"] = {path.name: path.read_text() for path in folder.iterdir()}
        return seen.get("examined", Examined([], [], ["12 parameters"]))

    monkeypatch.setattr(module, "copies", copies)

    def run(repo, change) -> Proposal:
        return check(repo.folder, repo.pull(change), examine)

    run.seen = seen
    return run


def levels(found: Proposal) -> dict[str, str]:
    return {step.name: step.level for step in found.steps}


def test_a_good_submission(judge, repo) -> None:
    found = judge(repo, lambda r: r.submit("new-net"))
    assert (found.kind, found.submission, found.failed) == ("new", "new-net", False)
    assert levels(found) == dict.fromkeys(("touches", "files", "name", "copy", "check"), "ok")
    assert judge.seen["known"] == ["other-net", "tiny-net"]
    assert judge.seen["files"] == {"submission.yaml": spec("new-net"), "model.py": NET}
    assert found.steps[-1].texts == ("12 parameters",)


def test_a_changed_submission_is_not_its_own_copy(judge, repo) -> None:
    found = judge(repo, lambda r: r.submit("tiny-net", title="Title of tiny-net"))
    assert (found.kind, found.failed) == ("none", False), "nothing differs but nothing"
    found = judge(repo, lambda r: r.submit("tiny-net", title="Another"))
    assert (found.kind, found.submission, found.failed) == ("changed", "tiny-net", False)
    assert judge.seen["known"] == ["other-net"]


def test_what_touches_no_submission_is_not_checked_as_one(judge, repo) -> None:
    found = judge(repo, lambda r: r.write("benchmark/tracks/smoke.yaml", "x"))
    assert (found.kind, found.failed) == ("none", False)
    assert found.steps[0].texts == ("track: benchmark/tracks/smoke.yaml",)
    assert "files" not in judge.seen


def test_several_submissions_stop_before_anything_is_built(judge, repo) -> None:
    found = judge(repo, lambda r: (r.submit("one-net"), r.submit("two-net")))
    assert (found.kind, levels(found)) == ("unclear", {"touches": "error"})
    assert "files" not in judge.seen


def test_a_changed_protocol_is_an_error_and_the_rest_is_told(judge, repo) -> None:
    found = judge(repo, lambda r: (r.submit("new-net"), r.write("benchmark/protocol.py", "x")))
    assert found.failed and levels(found)["touches"] == "error" and levels(found)["check"] == "ok"
    assert "changes the protocol: benchmark/protocol.py" in found.steps[0].texts[0]


def test_names_copies_and_the_check_are_told(judge, repo) -> None:
    judge.seen["copies"] = [Copy("tiny-net", "error", "a copy"), Copy("other-net", "warning", "near")]
    judge.seen["examined"] = Examined([], ["not pinned"], [])
    found = judge(repo, lambda r: r.submit("tinynet"))
    assert levels(found) == {"touches": "ok", "files": "ok", "name": "error", "copy": "error", "check": "warning"}
    assert found.steps[3].texts == ("a copy", "near", "compared with 2 others")
    judge.seen["unknown"] = ["other-net"]
    more = judge(repo, lambda r: r.submit("tinynet")).steps[3].texts
    assert more[2:] == ("compared with 1 other", "could not be built here, and so not compared: other-net")


def test_what_strangers_wrote_is_one_line_without_control_characters(judge, repo) -> None:
    """A log's host takes lines that begin with :: as commands; a terminal obeys escapes."""
    judge.seen["examined"] = Examined(["bad\n::add-mask::x\n\x1b[2Jgone"], [], [])
    found = judge(repo, lambda r: r.submit("new-net"))
    assert found.steps[-1].texts == ("bad ::add-mask::x <U+001B>[2Jgone",)
    found = judge(repo, lambda r: r.submit("new\n::stop-commands::x\x1b[2J"))
    shown = [str(found.submission), *(text for step in found.steps for text in step.texts)]
    assert found.failed and not any("\n" in text or "\x1b" in text for text in shown)


def _link(r) -> None:
    r.submit("new-net")
    (r.folder / "submissions/new-net/model.py").unlink()
    (r.folder / "submissions/new-net/model.py").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: (r.submit("new-net"), r.write("submissions/new-net/data/x.py", "1")), "no folders, links or devices"),
        (_link, "model.py: must be a plain file"),
        (lambda r: (r.submit("new-net"), r.write("submissions/new-net/x.py", "#" * 1_000_001)), "file is too large"),
        (lambda r: (r.submit("new-net"), [r.write(f"submissions/new-net/x{n}.py", "") for n in range(60)]), "too many files"),
        (lambda r: (r.submit("new-net"), r.write("submissions/new-net/.gitattributes", "x")), "this kind of file"),
        (lambda r: (r.submit("new-net"), r.write("submissions/new-net/submission.yaml", "name: [")), "not valid YAML"),
        (lambda r: (r.submit("new-net"), r.write("submissions/new-net/submission.yaml", spec("else"))), "must be the folder's name"),
        (lambda r: r.submit("nеw-net"), "name"),
        (lambda r: (r.folder / "submissions/new-net").symlink_to("../benchmark"), "no such file"),
        (lambda r: r.write("submissions/new-net", "a file"), "no such file"),
    ],
    ids=["folder", "link", "huge", "many", "attributes", "yaml", "other-name", "cyrillic", "linked-folder", "a-file"],
)  # fmt: skip
def test_wrong_files_stop_before_anything_is_built(judge, repo, change, says) -> None:
    found = judge(repo, change)
    assert levels(found)["files"] == "error" and levels(found)["check"] == "skipped" and found.failed
    assert says in found.steps[1].texts[0] and "/tmp/" not in found.steps[1].texts[0]
    assert "files" not in judge.seen


def test_a_cyrillic_name_is_told_whose_it_looks_like(judge, repo) -> None:
    found = judge(repo, lambda r: r.submit("tіny-net"))
    assert "looks like that of tiny-net" in found.steps[2].texts[0]


def test_a_network_that_cannot_be_built_is_told_without_paths_of_this_machine(judge, repo, monkeypatch) -> None:
    def fail(own, known, sandbox):
        raise InputError("cannot be imported", file=own.folder / "submission.yaml", field="model")

    monkeypatch.setattr(module, "copies", fail)
    found = judge(repo, lambda r: r.submit("new-net"))
    assert found.steps[3].texts == ("submissions/new-net/submission.yaml: model: cannot be imported",)
