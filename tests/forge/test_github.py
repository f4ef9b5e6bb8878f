"""GitHub's API, as a server on loopback that remembers what it was asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from benchmark.cli.post import app
from benchmark.errors import InfrastructureError, InputError
from benchmark.forge.github import GitHub
from benchmark.proposal.report import MARKER, Proposal, step

COMMIT, TOKEN = "c" * 40, "secret-token"


class Forge:
    """One repository: pull requests, comments and issues."""

    def __init__(self) -> None:
        self.pulls: list[dict[str, Any]] = [{"number": 7, "head": {"sha": COMMIT, "label": "someone:my-net"}}]
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.issues: list[dict[str, Any]] = []
        self.status = 200
        self.tokens: set[str | None] = set()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Any:
        parts = path.removeprefix("/repos/owner/name/").split("/")
        page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["30"])[0])
        part = slice((page - 1) * size, page * size)
        match (method, parts):
            case ("GET", ["pulls"]):
                return [pull for pull in self.pulls if pull["head"]["label"] == query["head"][0]]
            case ("GET", ["issues"]):
                return self.issues[part]
            case ("GET", ["issues", number, "comments"]):
                return self.comments.get(int(number), [])[part]
            case ("POST", ["issues", number, "comments"]):
                made = {
                    "id": 100 + len(self.comments),
                    "body": body["body"],
                    "user": {"type": "Bot"},
                    "html_url": "u/c",
                }
                self.comments.setdefault(int(number), []).append(made)
                return made
            case ("PATCH", ["issues", "comments", identity]):
                every = [one for some in self.comments.values() for one in some]
                found = next(one for one in every if one["id"] == int(identity))
                found["body"] = body["body"]
                return found
            case ("POST", ["issues"]):
                made = {"number": 40 + len(self.issues), "html_url": "u/i", **body}
                self.issues.append(made)
                return made
        raise AssertionError((method, path))


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch):
    state = Forge()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            state.tokens.add(self.headers["Authorization"])
            address = urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            data = b"{}"
            if state.status == 200:
                data = json.dumps(state.answer(self.command, address.path, parse_qs(address.query), body)).encode()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def report(tmp_path: Path) -> Path:
    found = Proposal(base="a" * 40, head=COMMIT, kind="new", submission="my-net", steps=(step("name", ["bad"], []),))
    path = tmp_path / "check.json"
    path.write_text(found.model_dump_json())
    return path


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


WHERE = ("--head", "someone:my-net", "--commit", COMMIT)


def test_the_first_comment_is_written_and_the_next_replaces_it(forge: Forge, report: Path) -> None:
    forge.comments[7] = [{"id": n, "body": "talk", "user": {"type": "User"}} for n in range(100)]
    forge.comments[7] += [{"id": 555, "body": MARKER + " by a stranger", "user": {"type": "User"}}]
    assert call("comment", report, *WHERE) == "u/c"
    assert call("comment", report, *WHERE) == "u/c"
    ours = [one for one in forge.comments[7] if one["user"]["type"] == "Bot"]
    assert len(ours) == 1 and ours[0]["body"].startswith(MARKER) and "`bad`" in ours[0]["body"]
    assert forge.comments[7][100]["body"].endswith("by a stranger"), "a stranger's is left alone"
    assert forge.tokens == {f"Bearer {TOKEN}"}


def test_a_report_of_another_commit_is_refused(forge: Forge, report: Path) -> None:
    with pytest.raises(InputError, match="a report of another commit"):
        call("comment", report, "--head", "someone:my-net", "--commit", "d" * 40)
    assert forge.comments == {} and forge.tokens == set()


def test_a_pull_request_that_went_on_gets_no_comment(forge: Forge, report: Path) -> None:
    forge.pulls[0]["head"]["sha"] = "d" * 40
    assert "nothing is written" in call("comment", report, *WHERE)
    assert "nothing is written" in call("comment", report, "--head", "other:my-net", "--commit", COMMIT)
    assert forge.comments == {}


def test_a_dry_run_needs_no_token_and_asks_nobody(forge: Forge, report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert call("comment", report, "--dry-run").startswith(MARKER)
    assert forge.tokens == set()


def test_an_issue_is_opened_once_and_then_added_to(forge: Forge, tmp_path: Path) -> None:
    text = tmp_path / "failed.md"
    assert "there is nothing to tell" in call("issue", text)
    text.write_text("# Some failed\n\nmore\n")
    forge.issues = [{"number": 3, "title": "Some failed", "pull_request": {}}]
    assert call("issue", text) == "u/i"
    assert [(one["title"], one.get("body")) for one in forge.issues[1:]] == [("Some failed", "more")]
    assert call("issue", text) == "u/c"
    assert len(forge.issues) == 2 and forge.comments[41][0]["body"] == "more"


@pytest.mark.parametrize("text", ["no title\n", "#\n", "", "## x\n"])
def test_an_issue_without_a_title(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.md").write_text(text)
    with pytest.raises(InputError, match="must begin with a title"):
        call("issue", tmp_path / "x.md", "--dry-run")


@pytest.mark.parametrize("status", [302, 401, 403, 404, 500])
def test_a_refusal_is_one_line_without_the_token(forge: Forge, report: Path, status: int) -> None:
    forge.status = status
    with pytest.raises(InfrastructureError, match=f"GET pulls: {status}") as caught:
        call("comment", report, *WHERE)
    assert TOKEN not in str(caught.value)


def test_nobody_answers(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    with pytest.raises(InfrastructureError, match="does not answer"):
        call("comment", report, *WHERE, "--repo", "owner/name")


@pytest.mark.parametrize(
    ("repository", "token", "says"),
    [("owner", "x", "not a repository"), ("a/b/../c", "x", "not a repository"), ("owner/name", "", "no token")],
)
def test_wrong_places(repository: str, token: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        GitHub(repository, token)
