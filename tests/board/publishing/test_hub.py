"""The hub's real client against a hub on this machine: what is sent, what survives, what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from benchmark.board.publishing import Plan, Publication, place
from benchmark.errors import InfrastructureError, InputError
from tests.board import hub as fake
from tests.board.hub import Fault, Hub

SPACE = "spaces/us/board"
PICTURE, OTHER = b"a picture of the first board", b"a picture of the second board"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with fake.reached(monkeypatch, tmp_path) as found:
        yield found


def board(**changes: bytes | None) -> Publication:
    """A small board; a name has `__` for a folder, the last `_` for a dot; None leaves it out."""
    files = {
        "index.html": b"<p>board</p>",
        "assets/app.css": b"p {}",
        "charts/gains.png": PICTURE,
        "submissions/net.html": b"net",
    }
    for name, data in changes.items():
        path = ".".join(name.replace("__", "/").rsplit("_", 1))
        if data is None:
            del files[path]
        else:
            files[path] = data
    return Publication("board", files, hashlib.sha256(repr(files).encode()).hexdigest())


def publish(publication: Publication, address: str = "us/board") -> Plan:
    """As the command does."""
    target = place(f"hf:{address}", "board", "--to")
    publication = target.prepared(publication)
    plan = target.compare(publication)
    target.write(publication, plan)
    return plan


def test_a_space_is_made_and_holds_the_board(hub: Hub) -> None:
    publish(board())
    space = hub.repositories[SPACE]
    assert space.sdk == "static" and len(space.commits) == 2
    assert {name: space.tree[name] for name in board().files} == board().files
    assert b"sdk: static" in space.tree["README.md"] and b"Hello" in space.tree["README.md"]


def test_only_what_changed_is_sent_and_what_is_stale_goes(hub: Hub) -> None:
    publish(board())
    hub.received.clear()
    plan = publish(board(index_html=b"<p>new</p>", submissions__net_html=None, submissions__other_html=b"other"))
    assert sorted(hub.received) == [".karyobench-board.json", "index.html", "submissions/other.html"]
    assert plan.of("removed") == ["submissions/net.html"] and plan.same == 2
    assert "submissions/net.html" not in hub.repositories[SPACE].tree
    commits = len(hub.repositories[SPACE].commits)
    again = publish(board(index_html=b"<p>new</p>", submissions__net_html=None, submissions__other_html=b"other"))
    assert again.changes == () and len(hub.repositories[SPACE].commits) == commits


def test_a_large_file_is_sent_once(hub: Hub) -> None:
    publish(board())
    hub.received.clear()
    publish(board(charts__gains_png=OTHER))
    publish(board(charts__gains_png=PICTURE))
    assert [one for one in hub.received if len(one) == 64] == [hashlib.sha256(OTHER).hexdigest()]
    assert hub.repositories[SPACE].tree["charts/gains.png"] == PICTURE


def test_comparing_changes_nothing(hub: Hub) -> None:
    target = place("hf:us/board", "board", "--to")
    plan = target.compare(target.prepared(board()))
    assert len(plan.of("added")) == 6 and plan.state is None
    assert hub.repositories == {} and not any(one.startswith(("POST", "PUT")) for one in hub.asked)


def test_what_others_put_there_stays(hub: Hub) -> None:
    publish(board())
    space = hub.repositories[SPACE]
    space.commit({**space.tree, "docs/theirs.html": b"x", "README.md": b"---\nsdk: static\n---\nOurs now\n"}, "by hand")
    publish(board(submissions__net_html=None))
    assert space.tree["docs/theirs.html"] == b"x" and space.tree["README.md"].endswith(b"Ours now\n")
    with pytest.raises(
        InputError, match=r"would replace a file that was not published from here; found 'docs/theirs\.html'"
    ):
        publish(board(docs__theirs_html=b"ours"))


def test_a_readme_without_a_kind_of_space_is_completed(hub: Hub) -> None:
    space = hub.made(SPACE, {"README.md": b"---\ntitle: Chromosomes\n---\nTheir text\n"})
    publish(board())
    assert space.tree["README.md"] == b"---\ntitle: Chromosomes\nsdk: static\n---\nTheir text\n"
    space.commit({**space.tree, "README.md": b"No front matter\n"}, "by hand")
    publish(board())
    assert space.tree["README.md"] == b"---\nsdk: static\n---\nNo front matter\n"
    hub.made(SPACE, {})
    publish(board())
    assert hub.repositories[SPACE].tree["README.md"].startswith(b"---\ntitle: KaryoBench\nsdk: static\n")


def test_a_space_of_somebody_else_is_left_alone(hub: Hub) -> None:
    hub.made(SPACE, {"README.md": b"---\nsdk: gradio\n---\n", "app.py": b"print()"})
    with pytest.raises(InputError, match="sdk: this Space runs a program; found 'gradio'; allowed: static"):
        publish(board())
    hub.made(SPACE, {"README.md": b"---\nsdk: static\n---\n", "game.js": b"x"})
    with pytest.raises(InputError, match=r"holds other things; found 'game\.js'"):
        publish(board())
    assert len(hub.repositories[SPACE].commits) == 1


@pytest.mark.parametrize(
    "pattern", ["PUT /lfs", "POST .*/commit/", "POST .*/objects/batch", "GET .*/tree", "POST .*/create"]
)
@pytest.mark.parametrize("answer", ["close", 503])
def test_a_connection_lost_once_is_no_matter(hub: Hub, pattern: str, answer: int | str) -> None:
    hub.faults.append(Fault(pattern, answer))
    publish(board())
    space = hub.repositories[SPACE]
    assert hub.faults[0].times == 0 and len(space.commits) == 2
    assert {name: space.tree[name] for name in board().files} == board().files


def test_a_commit_whose_answer_was_lost_is_not_made_twice(hub: Hub) -> None:
    hub.faults.append(Fault("POST .*/commit/", "deaf"))
    publish(board())
    assert hub.faults[0].times == 0 and len(hub.repositories[SPACE].commits) == 2


def test_after_an_upload_that_broke_off_the_next_run_completes(hub: Hub) -> None:
    """One large file arrives, the other never does: nothing can be seen; then only the missing one is sent."""
    second = board(charts__cost_png=OTHER)
    hub.faults.append(Fault(f"PUT /lfs/{hashlib.sha256(OTHER).hexdigest()}", "close", times=1000))
    with pytest.raises(InfrastructureError, match="the same command continues"):
        publish(second)
    space = hub.repositories[SPACE]
    assert len(space.commits) == 1 and hashlib.sha256(PICTURE).hexdigest() in hub.received
    hub.faults.clear()
    hub.received.clear()
    publish(second)
    assert [one for one in hub.received if len(one) == 64] == [hashlib.sha256(OTHER).hexdigest()]
    assert {name: space.tree[name] for name in second.files} == second.files and len(space.commits) == 2


def test_somebody_who_commits_meanwhile_is_not_overrun(hub: Hub) -> None:
    publish(board())
    space = hub.repositories[SPACE]
    target, new = place("hf:us/board", "board", "--to"), board(index_html=b"new")
    plan = target.compare(new)
    space.commit({**space.tree, "docs/theirs.html": b"x"}, "by hand")
    with pytest.raises(InputError, match="somebody committed to the repository meanwhile; nothing was published"):
        target.write(new, plan)
    assert space.messages[-1] == "by hand" and space.tree["index.html"] == b"<p>board</p>"
    publish(new)
    assert space.tree["index.html"] == b"new" and space.tree["docs/theirs.html"] == b"x"


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (401, InputError, "does not accept the token"), (403, InputError, "may not write there"),
        (404, InputError, "no such repository"), (409, InputError, "meanwhile"), (412, InputError, "meanwhile"),
        (413, InputError, "too large"), (400, InputError, "refuse"), (500, InfrastructureError, "the hub fails"),
        (503, InfrastructureError, "the hub fails"),
    ],
)  # fmt: skip
def test_every_refusal_is_one_clear_error(hub: Hub, status: int, kind: type[Exception], text: str) -> None:
    hub.made(SPACE, {"README.md": b"---\nsdk: static\n---\n"})
    hub.faults.append(Fault("POST .*/commit/", status, times=1000))
    with pytest.raises(kind, match=text) as error:
        publish(board())
    assert "hf:us/board" in str(error.value) and "\n" not in str(error.value)
    assert len(hub.repositories[SPACE].commits) == 1


def test_a_wrong_token_and_none_are_told_apart(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.made(SPACE, {"README.md": b"---\nsdk: static\n---\n"})
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InputError, match=r"does not accept the token.*Set HF_TOKEN"):
        publish(board())
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match=r"no token of the hub\. Set HF_TOKEN"):
        publish(board())
    assert len(hub.repositories[SPACE].commits) == 1


def test_nobody_listens(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(InfrastructureError, match="the hub cannot be reached"):
        publish(board())


def test_offline_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="publishing needs the network, and HF_HUB_OFFLINE is set"):
        publish(board())
    assert hub.asked == []


@pytest.mark.parametrize("address", ["board", "us/", "us/board/more", "us/bo ard", "../board"])
def test_an_address_that_cannot_be(address: str) -> None:
    with pytest.raises(InputError, match="allowed"):
        place(f"hf:{address}", "board", "--to")
